"""The rows beside the requests: people and their accounts, who is away, the kill switch, sendings, deliveries, ticks, policies."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError

from bot.domain.policy.rules import PersonEntry
from bot.errors import Refused
from bot.store.absences import Absence, Switch
from bot.store.transaction import Store, Transaction
from config.policy import read_policy
from handlers import ON
from tests.builders import LATER, NOON
from tests.fixtures.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from bot.engine.jobs import Jobs
    from bot.store.people import Person

POLICY_FILE = Path(str(files("config").joinpath("policy.yaml")))


@pytest.fixture
def store(engine: sa.Engine, jobs: Jobs) -> Store:
    return Store(engine, jobs, SystemClock(), ON, read_policy)


# People


def bound(store: Store, email: str, account: str) -> Person:
    with store.transaction() as tx:
        person = tx.people.get_or_add(email, email)
        tx.people.bind(person, account, "admin", NOON)
        return tx.people.get(person.id)


def test_a_person_is_one_row_however_the_address_is_written(store: Store) -> None:
    with store.transaction() as tx:
        ana = tx.people.get_or_add("Ana@Example.com", "Ana Ruiz")
        again = tx.people.get_or_add("ana@example.com", "somebody else")

    assert again == ana
    assert (ana.email, ana.name, ana.account) == ("ana@example.com", "Ana Ruiz", None)


def test_printed_names_follow_the_policy(store: Store) -> None:
    with store.transaction() as tx:
        ana = tx.people.get_or_add("ana@example.com", "ana@example.com")
        tx.people.enrol([PersonEntry("Ana Ruiz", "ana@example.com"), PersonEntry("Cy Lindqvist", "cy@example.com")])

        assert tx.people.names([ana.id, "nobody"]) == {ana.id: "Ana Ruiz"}


def test_an_account_is_bound_once_and_then_known(store: Store) -> None:
    ana = bound(store, "ana@example.com", "U1")

    assert bound(store, "ana@example.com", "U1") == ana
    with store.transaction() as tx:
        assert tx.people.get(ana.id) == ana


@pytest.mark.parametrize(("email", "account"), [("ana@example.com", "U2"), ("cy@example.com", "U1")])
def test_a_second_account_and_a_second_person_are_refused(store: Store, email: str, account: str) -> None:
    bound(store, "ana@example.com", "U1")

    with pytest.raises(Refused, match=f"{email} and this Slack account are bound to different people"):
        bound(store, email, account)


def test_all_who_ever_shared_an_account_are_one_for_separation_of_duties(store: Store) -> None:
    ana, ben = bound(store, "ana@example.com", "U1"), bound(store, "ben@example.com", "U2")
    with store.transaction() as tx:
        tx.people.unbind("ana@example.com")
    married = bound(store, "ana.ruiz@example.com", "U1")
    with store.transaction() as tx:
        tx.people.unbind("ana.ruiz@example.com")
    third = bound(store, "ana.ruiz@example.com", "U3")

    with store.transaction() as tx:
        assert tx.people.ids_of(ana.id) == tx.people.ids_of(third.id) == {ana.id, married.id}
        assert tx.people.ids_of(ben.id) == {ben.id}
        history = [(row.account, row.person == ana.id, row.unbound_at is None) for row in tx.people.accounts()]
    assert history == [("U1", True, False), ("U2", False, True), ("U1", False, False), ("U3", False, True)]


def test_somebody_new_is_there_for_others_before_the_transaction_ends(store: Store) -> None:
    with store.transaction() as tx:
        nia = tx.people.get_or_add("nia@example.com", "nia@example.com")
        with store.transaction() as other:
            assert other.people.get_or_add("nia@example.com", "Nia") == nia


def test_an_account_that_was_unbound_can_be_bound_anew(store: Store) -> None:
    bound(store, "ana@example.com", "U1")

    with store.transaction() as tx:
        tx.people.unbind("Ana@example.com")

    assert bound(store, "ana@example.com", "U2").account == "U2"
    with store.transaction() as tx, pytest.raises(Refused, match=r"nobody here has the e-mail eve@example\.com"):
        tx.people.unbind("eve@example.com")


# Who is away


def an_absence(person: str = "ana", delegate: str = "ben", until: datetime = LATER) -> Absence:
    return Absence(person, delegate, NOON, until)


def test_an_absence_is_in_force_until_its_end_and_not_a_moment_longer(store: Store) -> None:
    with store.transaction() as tx:
        tx.absences.declare(an_absence())

        assert tx.absences.find("ana", LATER - timedelta(microseconds=1)) == an_absence()
        assert tx.absences.find("ana", LATER) is None
        assert tx.absences.absences_covered_by("ben", NOON) == [an_absence()]
        assert tx.absences.absences_covered_by("ben", LATER) == []
        assert tx.absences.find("ben", NOON) is None


def test_a_later_absence_takes_the_place_of_an_earlier_one(store: Store) -> None:
    with store.transaction() as tx:
        tx.absences.declare(an_absence())
        tx.absences.declare(an_absence(delegate="cy"))

        assert tx.absences.absences_covered_by("ben", NOON) == []
        assert tx.absences.everybody(NOON) == [an_absence(delegate="cy")]


def test_an_absence_that_was_ended_is_none(store: Store) -> None:
    with store.transaction() as tx:
        tx.absences.declare(an_absence())
        tx.absences.declare(an_absence("bea"))
        tx.absences.end("ana")

        assert tx.absences.everybody(NOON) == [an_absence("bea")]


def test_the_first_to_be_back_stands_first(store: Store) -> None:
    with store.transaction() as tx:
        tx.absences.declare(an_absence("ana", until=LATER + timedelta(days=1)))
        tx.absences.declare(an_absence("bea"))

        assert [absence.person for absence in tx.absences.everybody(NOON)] == ["bea", "ana"]


# The kill switch


OFF = Switch(False, NOON, "ana", "mae looks forged")


@contextmanager
def impatient(store: Store) -> Iterator[Transaction]:
    """A transaction that hardly waits for locks."""
    with store.transaction() as tx:
        tx.connection.exec_driver_sql("set local lock_timeout = '50ms'")
        yield tx


def test_the_fast_track_is_on_until_somebody_switches_it_off(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.switches.fast_track_is_on()
        assert tx.switches.fast_track() == Switch(True, None, None, "")
        assert tx.switches.switch_fast_track(OFF)
        assert not tx.switches.fast_track_is_on()
        assert tx.switches.fast_track() == OFF


def test_switching_to_what_it_is_already_changes_nothing(store: Store) -> None:
    with store.transaction() as tx:
        tx.switches.switch_fast_track(OFF)

        assert not tx.switches.switch_fast_track(Switch(False, LATER, "ben", "me too"))
        assert tx.switches.fast_track() == OFF
        assert tx.switches.switch_fast_track(Switch(True, LATER, "ben", ""))


def test_a_decision_that_is_being_made_is_waited_for(store: Store) -> None:
    with store.transaction() as deciding:
        assert deciding.switches.fast_track_is_on(lock=True)

        with impatient(store) as switching, pytest.raises(OperationalError, match="lock timeout"):
            switching.switches.switch_fast_track(OFF)
        with store.transaction() as another:
            assert another.switches.fast_track_is_on(lock=True)  # two decisions do not wait for each other

    with store.transaction() as switching:
        assert switching.switches.switch_fast_track(OFF)


def test_a_decision_waits_for_whoever_is_just_switching_it_off(store: Store) -> None:
    with store.transaction() as switching:
        switching.switches.switch_fast_track(OFF)

        with impatient(store) as deciding, pytest.raises(OperationalError, match="lock timeout"):
            deciding.switches.fast_track_is_on(lock=True)

    with store.transaction() as deciding:
        assert not deciding.switches.fast_track_is_on(lock=True)


# Sendings, deliveries, ticks of the clock


def test_a_sending_is_remembered_from_its_first_word_to_its_end(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.outbox.reserve("card:r1", NOON) is None
        assert tx.outbox.reserve("card:r1", LATER) == NOON
        assert not tx.outbox.is_sent("card:r1")
        tx.outbox.renew("card:r1", LATER)
        assert tx.outbox.reserve("card:r1", LATER) == LATER
        tx.outbox.complete("card:r1", LATER)
        assert tx.outbox.is_sent("card:r1")
        assert not tx.outbox.is_sent("card:r2")


def test_a_sending_that_was_called_off_begins_anew(store: Store) -> None:
    with store.transaction() as tx:
        tx.outbox.reserve("card:r1", NOON)
        tx.outbox.release("card:r1")

        assert tx.outbox.reserve("card:r1", LATER) is None


def test_a_delivery_is_new_once_for_each_source_until_it_is_forgotten(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.outbox.is_new_delivery("mlflow", "d1", NOON)
        assert not tx.outbox.is_new_delivery("mlflow", "d1", LATER)
        assert tx.outbox.is_new_delivery("jira", "d1", NOON)
        tx.outbox.prune(NOON + timedelta(days=7))
        assert not tx.outbox.is_new_delivery("mlflow", "d1", LATER)
        tx.outbox.prune(NOON + timedelta(days=7, seconds=1))
        assert tx.outbox.is_new_delivery("mlflow", "d1", LATER)


def test_a_period_belongs_to_the_clock_that_reaches_it_first(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.outbox.is_new_tick("sweep", "2026-03-02T12:00", NOON)
        assert not tx.outbox.is_new_tick("sweep", "2026-03-02T12:00", NOON)
        assert tx.outbox.is_new_tick("sweep", "2026-03-02T12:01", NOON)


# Policies


def test_without_a_policy_the_store_says_how_to_get_one(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.policies.digest() is None
        with pytest.raises(Refused, match=r"no policy is in force\. Run `countersign migrate`"):
            tx.policies.active()


def test_the_newest_policy_is_in_force(store: Store) -> None:
    older = POLICY_FILE.read_text()
    newer = older.replace("#model-approvals", "#risk")

    with store.transaction() as tx:
        tx.policies.add(older, "sha256:1", "policy.yaml", NOON)
        newest = tx.policies.add(newer, "sha256:2", "policy.yaml", LATER)

    with store.transaction() as tx:
        active = tx.policies.active()
        assert (active.id, active.digest, tx.policies.digest()) == (newest, "sha256:2", "sha256:2")
    assert store.policy().channels() == ("#risk",)
