"""What an admin accepted after a restore decides where a target goes back to only as the ledger says: the row alone moves nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.domain.registry.custody import custody_of
from bot.engine.rows import JobStatus
from bot.store.vouched.restored import differences
from handlers.custody.facts import Place, on_record
from handlers.policy.kill_switch import person_named
from handlers.registry.restored import begin_again
from handlers.registry.sweeps import accept_registry
from tests.builders import CHAMPION
from tests.fixtures.installation import Installation

HOUR = timedelta(hours=1)


@pytest.fixture
def installation(open_installation: Callable[..., Installation]) -> Installation:
    """v1 was there before, v2 is approved, and v3 and v4 are registered."""
    installation = open_installation()
    installation.use_policy(observed="revert")
    for _ in range(4):
        installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    installation.promoted(2)
    installation.clock.ahead += HOUR
    return installation


def set_champion(installation: Installation, number: int) -> None:
    """No look follows."""
    installation.mlflow.set_registered_model_alias(installation.model, "champion", str(number))


def move(installation: Installation, number: int | None) -> None:
    if number is None:
        installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    else:
        set_champion(installation, number)
    installation.sweep()
    installation.settle_once()


def write(installation: Installation, column: str, at: datetime | None) -> None:
    """What someone with the bot's database role does."""
    statement = sa.text(f"update registries set {column} = :at")
    with installation.s.store.engine.begin() as connection:
        assert connection.execute(statement, {"at": at}).rowcount > 0


def parked(installation: Installation) -> list[str]:
    return [job.errors[-1].error for job in installation.s.store.jobs.listing(JobStatus.PARKED)]


def audited(installation: Installation) -> list[str]:
    with installation.s.store.engine.connect() as connection:
        return list(differences(connection))


def way_back(installation: Installation) -> int | None:
    place = Place("default", installation.model, CHAMPION)
    with installation.s.store.transaction() as tx:
        found = custody_of(on_record(place, tx, installation.clock.now())).way_back
    return found.version if found else None


def accept(installation: Installation) -> None:
    accept_registry("as decided", person_named("ana@example.com", installation.s), installation.s)


@pytest.mark.proof
@pytest.mark.parametrize("to", [3, None], ids=["moved", "emptied"])
@pytest.mark.parametrize("since", [-9 * HOUR, HOUR], ids=["past", "future"])
def test_a_target_is_not_given_back_by_an_accepted_backup_that_no_entry_vouches_for(
    since: timedelta, to: int | None, installation: Installation
) -> None:
    write(installation, "accepted_backup", installation.clock.now() + since)

    assert way_back(installation) == 2, "whoever asks gets the answer of the ledger"
    move(installation, to)

    assert installation.champion() == to
    assert any("the row of the registry was changed beside the ledger" in why for why in parked(installation))
    assert "the row of the registry was edited" in "; ".join(audited(installation))


@pytest.mark.proof
def test_a_baseline_does_not_replace_what_was_approved_by_an_accepted_backup_that_no_entry_vouches_for(
    installation: Installation,
) -> None:
    installation.use_policy(observed="report")
    installation.move(3)
    between = installation.clock.now()
    installation.use_policy(observed="revert")
    installation.sweep()
    write(installation, "accepted_backup", between)

    move(installation, None)

    assert (installation.champion(), way_back(installation)) == (None, 2)
    assert any("Nothing is moved" in why for why in parked(installation))


@pytest.mark.proof
@pytest.mark.parametrize("to", [4, None], ids=["moved", "emptied"])
def test_a_target_goes_back_to_what_was_accepted_after_one_restore_and_after_a_second_of_an_older_backup(
    to: int | None, installation: Installation
) -> None:
    set_champion(installation, 3)
    for made_at in (installation.clock.now(), installation.clock.now() - HOUR / 2):
        begin_again(made_at, installation.s)
        installation.clock.ahead += HOUR
        assert audited(installation) == []
        accept(installation)
        move(installation, to)

        assert (installation.champion(), parked(installation), audited(installation)) == (3, [], [])


@pytest.mark.proof
@pytest.mark.parametrize("at", [None, 9 * HOUR], ids=["cleared", "later"])
def test_a_target_is_not_given_back_when_the_backup_that_was_accepted_is_changed_in_its_row(
    at: timedelta | None, installation: Installation
) -> None:
    set_champion(installation, 3)
    begin_again(installation.clock.now(), installation.s)
    installation.clock.ahead += HOUR
    accept(installation)
    write(installation, "accepted_backup", installation.clock.now() + at if at else None)

    move(installation, 4)

    assert installation.champion() == 4
    assert any("the row of the registry was changed beside the ledger" in why for why in parked(installation))
    assert len(audited(installation)) == 1


@pytest.mark.proof
def test_nothing_is_given_back_after_a_restore_that_a_row_alone_calls_accepted(installation: Installation) -> None:
    begin_again(installation.clock.now(), installation.s)
    for column in ("backup_of", "doubted_since"):
        write(installation, column, None)

    move(installation, 3)

    assert installation.champion() == 3
    assert any("the row of the registry was changed beside the ledger" in why for why in parked(installation))


@pytest.mark.parametrize("is_cleared", [False, True])
def test_a_champion_is_no_measure_while_the_backup_that_was_accepted_is_cleared_in_its_row(
    is_cleared: bool, open_installation: Callable[..., Installation]
) -> None:
    better = "mae: {threshold: 70, greater_is_better: false, min_relative_change: 0.01}"
    installation = open_installation(extra=f"fast_track: {{mode: on, metrics: {{{better}}}}}", observed="report")
    bad, good, between = [
        installation.register(metrics={"mae": mae}, measured_on="a1a1a1a1") for mae in (60.0, 30.0, 50.0)
    ]
    installation.sweep()
    installation.promoted(bad)
    installation.clock.ahead += HOUR
    set_champion(installation, good)
    begin_again(installation.clock.now(), installation.s)
    installation.clock.ahead += HOUR
    accept(installation)
    installation.sweep()
    if is_cleared:
        write(installation, "accepted_backup", None)
    move(installation, None)

    request = installation.asked(between)

    assert request.judgement is not None
    assert any("is not what the ledger says" in check.sentence for check in request.judgement.checks) is is_cleared
    assert request.decided_by is None
