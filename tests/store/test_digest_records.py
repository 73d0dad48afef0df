"""What the records of a week say that each entry is about, asked of the database."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.ledger.subjects import NO_SUBJECT, Subject
from bot.reports.records import write_records_csv
from bot.services import Services
from bot.store.ledger import A_LOOKUP, LedgerRows, unhurried
from bot.store.transaction import Store
from config.policy import read_policy
from tests.builders import CHAMPION, a_version, every_event, every_request_event, opened
from tests.fixtures.digest_figures import HOUR, MONDAY, OnlyTheLedger, OnMonday, record

if TYPE_CHECKING:
    from bot.domain.ledger.chain import Entry
    from bot.engine.jobs import Jobs

BIKES = Subject("r1", "bike-demand", 7, "alias:champion")


@pytest.fixture
def s(engine: sa.Engine, jobs: Jobs) -> Services:
    return OnlyTheLedger(Store(engine, jobs, OnMonday(), {}, read_policy))


@pytest.fixture
def say(database_url: str) -> Callable[[int, str], None]:
    """Puts another body into an entry, as who owns the database can."""

    def tamper(seq: int, body: str) -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute("alter table ledger disable trigger user")
            connection.execute("update ledger set body = %s where seq = %s", (body, seq))
            connection.execute("alter table ledger enable trigger user")

    return tamper


def subjects(s: Services) -> list[Subject]:
    with unhurried(s.store.engine) as connection:
        ledger = LedgerRows(connection)
        return [subject for _, subject in ledger.with_subjects(ledger.entries())]


def records(s: Services) -> str:
    with unhurried(s.store.engine) as connection:
        ledger, out = LedgerRows(connection), io.StringIO(newline="")
        write_records_csv(ledger.with_subjects(ledger.entries()), out)
    return out.getvalue()


def test_an_approval_names_its_model_version_and_target(s: Services) -> None:
    record(s, opened("r1", at=MONDAY), e.RequestApproved(MONDAY + HOUR, "r1", ("cy",), "sha256:1"))

    *_, row = csv.DictReader(io.StringIO(records(s).removeprefix("\ufeff"), newline=""))

    assert row["kind"] == "RequestApproved"
    assert [row[column] for column in ("request_id", "model", "version", "target")] == [
        "r1",
        "bike-demand",
        "7",
        "alias:champion",
    ]
    assert records(s) == records(s)


def test_every_entry_of_a_request_is_about_the_same(s: Services) -> None:
    record(s, opened("r1", at=MONDAY), *every_request_event("r1"))

    assert set(subjects(s)) == {BIKES}


def test_more_entries_than_are_looked_up_at_once(s: Services) -> None:
    trains = replace(a_version(3), model="trains")
    record(s, opened("r1", at=MONDAY), opened("r2", at=MONDAY, version=trains))
    record(s, *(e.ReminderDue(MONDAY + HOUR, f"r{1 + number % 2}", number) for number in range(A_LOOKUP)))

    assert subjects(s) == [BIKES, Subject("r2", "trains", 3, "alias:champion")] * (A_LOOKUP // 2 + 1)


def test_what_has_no_request_is_read_from_its_body(s: Services) -> None:
    record(s, e.MoveObserved(MONDAY, "default", CHAMPION, "bike-demand", a_version(8), None, "ask"))
    record(s, e.ModelGone(MONDAY, "default", "=1+1", "it was deleted"), e.KeyRetired(MONDAY, "k1", "lost\0"))

    assert subjects(s) == [Subject(None, "bike-demand", 8, "alias:champion"), Subject(None, "=1+1"), NO_SUBJECT]
    assert ",'=1+1," in records(s)


def test_whatever_can_be_recorded_becomes_a_row(s: Services) -> None:
    record(s, *(event for event in every_event() if not isinstance(event, e.RequestEvent)))

    assert len(list(csv.reader(io.StringIO(records(s), newline="")))) == 1 + len(subjects(s))


@pytest.mark.parametrize(
    "body", ["", "no JSON", "[7]", '{"request_id":7}', '{"request_id":"r1\\u0000","model":"\\ud800"}']
)
def test_a_body_that_was_tampered_with_leaves_its_cells_empty(
    body: str, s: Services, say: Callable[[int, str], None]
) -> None:
    record(s, opened("r1", at=MONDAY), e.ReminderDue(MONDAY, "r1", 1), e.ReminderDue(MONDAY, "r1", 2))
    say(2, body)

    assert subjects(s) == [BIKES, NO_SUBJECT, BIKES]
    assert records(s).encode()


def test_a_request_that_is_not_there_is_as_its_entry_says(s: Services, say: Callable[[int, str], None]) -> None:
    record(s, opened("r1", at=MONDAY))
    say(1, '{"request_id":"r9","model":"trains"}')

    assert subjects(s) == [Subject("r9", "trains")]


def test_no_more_entries_are_held_than_are_looked_up_at_once(s: Services) -> None:
    record(s, opened("r1", at=MONDAY))
    taken = count()

    def endless(one: Entry) -> Iterator[Entry]:
        while next(taken) < 10 * A_LOOKUP:
            yield one

    with unhurried(s.store.engine) as connection:
        ledger = LedgerRows(connection)
        next(ledger.with_subjects(endless(ledger.get(1))))

    assert next(taken) == A_LOOKUP
