"""A target goes back to what held it before the bot watched only if a ledger entry says so: the row alone moves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.domain.events import BaselineRecorded, OldBaselinesListed
from bot.domain.model import DecidedBy, VersionId
from bot.domain.registry.watch_events import WatchBegun
from bot.engine.rows import JobStatus
from bot.store.vouched.baselines import differences
from handlers.ledger.old_records import list_old_records
from handlers.policy.kill_switch import person_named
from handlers.registry.sweeps import accept_registry
from tests.fixtures.installation import Installation

INSERTED = """
insert into baselines (workspace, model, target, version, version_created, since)
values ('default', :model, 'alias:champion', :version, :created, :since)
"""
CHANGED = "update baselines set version = :version, version_created = :created where model = :model"
CHANGED_TIME = "update baselines set since = :since where model = :model"


@pytest.fixture
def installation(open_installation: Callable[..., Installation]) -> Installation:
    """v1 is champion when the first sweep comes, and v2 and v3 are registered."""
    installation = open_installation()
    installation.use_policy(observed="revert")
    for _ in range(3):
        installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    return installation


def version(installation: Installation, number: int) -> VersionId:
    found = installation.s.registry.find_version("default", installation.model, number)
    assert found is not None
    return found.id


def write(installation: Installation, statement: str, number: int) -> None:
    """What someone with the bot's database role does."""
    values = {
        "model": installation.model,
        "version": number,
        "created": version(installation, number).created,
        "since": installation.clock.now() + timedelta(seconds=1),
    }
    with installation.s.store.engine.begin() as connection:
        assert connection.execute(sa.text(statement), values).rowcount > 0


def take_away(installation: Installation) -> None:
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()
    installation.settle_once()


def move(installation: Installation, number: int, model: str | None = None) -> None:
    installation.mlflow.set_registered_model_alias(model or installation.model, "champion", str(number))
    installation.sweep()
    installation.settle_once()


def champion_of(model: str, installation: Installation) -> int | None:
    held = installation.mlflow.get_registered_model(model).aliases.get("champion")
    return int(held) if held else None


def parked(installation: Installation) -> list[str]:
    return [job.errors[-1].error for job in installation.s.store.jobs.listing(JobStatus.PARKED)]


def audited(installation: Installation) -> list[str]:
    with installation.s.store.engine.connect() as connection:
        return list(differences(connection))


@pytest.mark.proof
@pytest.mark.parametrize("how", ["emptied", "moved"])
@pytest.mark.parametrize(
    ("statement", "said"), [(INSERTED, "inserted"), (CHANGED, "inserted"), (CHANGED_TIME, "edited")]
)
def test_a_target_is_not_given_back_by_a_row_that_no_entry_vouches_for(
    how: str, statement: str, said: str, installation: Installation
) -> None:
    write(installation, statement, 2)

    if how == "emptied":
        take_away(installation)
    else:
        move(installation, 3)

    assert installation.champion() == (None if how == "emptied" else 3)
    assert any(
        "before the bot watched, and the ledger another. Nothing is moved" in why for why in parked(installation)
    )
    assert said in "; ".join(audited(installation))


def test_what_the_first_sweep_found_is_given_back(installation: Installation) -> None:

    move(installation, 2)
    put_back = installation.champion()
    take_away(installation)

    (entry,) = [one for one in installation.entries(BaselineRecorded) if installation.model in str(one)]
    assert [one["version"]["version"] for one in entry["held"] if one["version"]["model"] == installation.model] == [1]
    assert (put_back, installation.champion()) == (1, 1)
    assert parked(installation) == audited(installation) == []


def test_what_a_new_rule_found_is_given_back(installation: Installation) -> None:
    installation.use_policy(observed="report")
    move(installation, 2)

    installation.use_policy(observed="revert")
    installation.sweep()
    take_away(installation)

    assert [one["holders"][0]["version"] for one in installation.entries(WatchBegun)] == [2]
    assert installation.champion() == 2
    assert parked(installation) == audited(installation) == []


def test_what_an_admin_accepted_after_a_doubt_is_given_back(installation: Installation) -> None:
    with installation.s.store.transaction() as tx:
        row = tx.trust.find("default")
        tx.trust.put(replace(row, doubted_since=installation.clock.now(), doubt="another registry"))
        tx.registry.forget_model("default", installation.model)
    installation.ask(3, "champion")

    accept_registry("the old server was retired", person_named("ana@example.com", installation.s), installation.s)
    installation.sweep()
    move(installation, 2)

    assert installation.champion() == 3
    assert parked(installation) == audited(installation) == []


def test_what_held_a_target_under_a_former_name_is_given_back(installation: Installation) -> None:
    names = [f"{installation.model}-{number}" for number in range(2)]
    for before, after in zip([installation.model, *names], names, strict=False):
        installation.mlflow.rename_registered_model(before, after)
        installation.sweep()

    move(installation, 2, names[-1])

    assert champion_of(names[-1], installation) == 1
    assert parked(installation) == audited(installation) == []


def test_what_an_older_release_left_counts_once_it_is_listed_and_no_later_list_does(installation: Installation) -> None:
    write(installation, INSERTED, 2)
    unlisted = audited(installation)

    list_old_records(installation.s)
    listed = audited(installation)
    move(installation, 3)
    put_back = installation.champion()
    write(installation, INSERTED, 3)
    list_old_records(installation.s)
    take_away(installation)

    assert (len(unlisted), listed, put_back) == (1, [], 2)
    assert [
        [one["version"]["version"] for one in entry["held"]] for entry in installation.entries(OldBaselinesListed)
    ] == [[2]]
    assert installation.champion() is None
    assert len(audited(installation)) == 1


def sql(installation: Installation, statement: str, **values: object) -> None:
    """What someone with the bot's database role does."""
    with installation.s.store.engine.begin() as connection:
        assert connection.execute(sa.text(statement), values).rowcount > 0


@pytest.mark.proof
@pytest.mark.parametrize("how", ["emptied", "moved"])
@pytest.mark.parametrize("gone", ["the newest", "the time of the newest"])
def test_a_target_is_not_given_back_while_a_row_is_deleted_or_dated_back(
    gone: str, how: str, installation: Installation
) -> None:
    model = {"model": installation.model}
    with installation.s.store.engine.connect() as connection:
        first = connection.execute(sa.text("select since from baselines where model = :model"), model).scalar_one()
    for number in (2, 1):
        installation.use_policy(observed="report")
        move(installation, number)
        installation.use_policy(observed="revert")
        installation.sweep()
    if gone == "the time of the newest":
        sql(
            installation,
            "update baselines set since = :first where model = :model and version = 1",
            first=first,
            **model,
        )
    else:
        sql(installation, "delete from baselines where model = :model and version = 1", **model)

    if how == "emptied":
        take_away(installation)
    else:
        move(installation, 3)

    assert installation.champion() == (None if how == "emptied" else 3)
    assert len(parked(installation)) == len(audited(installation)) == 1


def test_a_target_is_not_left_to_no_one_while_a_row_is_deleted(installation: Installation) -> None:
    sql(installation, "delete from baselines where model = :model", model=installation.model)

    move(installation, 3)

    assert installation.champion() == 3
    assert any("cannot go back to no one" in why for why in parked(installation))


@pytest.mark.parametrize("is_deleted", [False, True])
def test_under_a_new_name_a_row_that_the_rename_copied_is_missed(is_deleted: bool, installation: Installation) -> None:
    name = f"{installation.model}-b"
    installation.mlflow.rename_registered_model(installation.model, name)
    installation.sweep()
    if is_deleted:
        sql(installation, "delete from baselines where model = :model", model=name)

    move(installation, 3, name)

    assert champion_of(name, installation) == (3 if is_deleted else 1)
    assert len(parked(installation)) == len(audited(installation)) == int(is_deleted)


@pytest.mark.proof
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_champion_is_no_measure_while_the_row_of_a_newer_one_is_deleted(
    is_deleted: bool, open_installation: Callable[..., Installation]
) -> None:
    better = "mae: {threshold: 70, greater_is_better: false, min_relative_change: 0.01}"
    fast = f"fast_track: {{mode: on, metrics: {{{better}}}}}"
    installation = open_installation(extra=fast, observed="report")
    worse, best, between = [
        installation.register(metrics={"mae": mae}, measured_on="a1a1a1a1") for mae in (60.0, 30.0, 50.0)
    ]
    installation.ask(worse, "champion")
    installation.sweep()
    move(installation, best)
    installation.use_policy(extra=fast, observed="revert")
    installation.sweep()
    if is_deleted:
        sql(installation, "delete from baselines where model = :m and version = 2", m=installation.model)

    request = installation.asked(between)

    assert request.judgement is not None
    assert any("is not what the ledger says" in check.sentence for check in request.judgement.checks) is is_deleted
    assert request.decided_by is None


def test_a_row_that_is_gone_is_found(installation: Installation) -> None:
    with installation.s.store.engine.begin() as connection:
        connection.execute(sa.text("delete from baselines where model = :model"), {"model": installation.model})

    assert [f"of {installation.model} was deleted" in line for line in audited(installation)] == [True]


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_row_that_no_entry_vouches_for_is_no_measure_for_the_fast_track(
    is_changed: bool, open_installation: Callable[..., Installation]
) -> None:
    better = "mae: {threshold: 40, greater_is_better: false, min_relative_change: 0.01}"
    installation = open_installation(extra=f"fast_track: {{mode: on, metrics: {{{better}}}}}")
    worse, best = [installation.register(metrics={"mae": mae}, measured_on="a1a1a1a1") for mae in (39.0, 30.0)]
    installation.move(worse)
    if is_changed:
        write(installation, CHANGED_TIME, worse)

    request = installation.asked(best)

    assert request.judgement is not None
    assert any("is not what the ledger says" in check.sentence for check in request.judgement.checks) is is_changed
    assert request.decided_by is (None if is_changed else DecidedBy.FAST_TRACK)


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_row_makes_no_measure_of_a_version_that_was_approved_once_and_replaced(
    is_changed: bool, open_installation: Callable[..., Installation]
) -> None:
    better = "mae: {threshold: 40, greater_is_better: false, min_relative_change: 0.01}"
    installation = open_installation(extra=f"fast_track: {{mode: on, metrics: {{{better}}}}}", observed="report")
    replaced, best, between = [
        installation.register(metrics={"mae": mae}, measured_on="a1a1a1a1") for mae in (39.0, 30.0, 38.0)
    ]
    installation.sweep()
    installation.approve(installation.asked(replaced))
    installation.asked(best)  # the fast track lets it through
    if is_changed:
        write(installation, INSERTED, replaced)
    installation.move(replaced)

    request = installation.asked(between)

    assert request.decided_by is None
    assert installation.champion() != between


@pytest.mark.parametrize("renames", [False, True])
def test_a_rename_vouches_for_no_row_that_was_written_beside_the_ledger(
    renames: bool, installation: Installation
) -> None:
    write(installation, INSERTED, 2)
    name = installation.model
    if renames:
        name = f"{installation.model}-b"
        installation.mlflow.rename_registered_model(installation.model, name)
        installation.sweep()

    move(installation, 3, name)

    assert champion_of(name, installation) == (1 if renames else 3)
    assert len(audited(installation)) == 1


def test_once_a_row_is_put_back_as_the_audit_names_it_the_job_can_be_replayed(installation: Installation) -> None:
    sql(installation, "delete from baselines where model = :model", model=installation.model)
    move(installation, 3)
    (line,) = audited(installation)

    with installation.s.store.engine.begin() as connection:
        since = datetime.fromisoformat(line.rpartition(" since ")[2])
        values = {"model": installation.model, "version": 1, "created": version(installation, 1).created}
        connection.execute(sa.text(INSERTED), {**values, "since": since})
    for job in installation.s.store.jobs.listing(JobStatus.PARKED):
        installation.s.store.jobs.replay(job.id)
    installation.settle_once()

    assert installation.champion() == 1
    assert parked(installation) == audited(installation) == []
