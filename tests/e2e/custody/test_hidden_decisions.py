"""Who can write to the database's rows may hide a later decision: then nothing goes back to an older one, and it is no measure."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.domain.model import Ask, AskKind, State, TransitionRequest
from bot.store.transaction import Transaction
from handlers.request.rollbacks import roll_back
from tests.builders import CHAMPION
from tests.e2e.custody.test_vouched_baselines import champion_of, move, parked, take_away
from tests.fixtures.installation import Installation

BETTER = "mae: {threshold: 70, greater_is_better: false, min_relative_change: 0.01}"
ELSEWHERE = "update requests set target = 'alias:elsewhere' where id = :id"
WITHDRAWN = """update requests set state = 'withdrawn', body = replace(body, '"state": "applied"', '"state": "withdrawn"') where id = :id"""
DELETED = "delete from requests where id = :id"


def write(installation: Installation, statement: str, **values: object) -> None:
    """What someone with the bot's database role does."""
    with installation.s.store.engine.begin() as connection:
        assert connection.execute(sa.text(statement), values).rowcount > 0


def is_parked_as_changed(installation: Installation) -> bool:
    return any("changed beside the ledger" in why for why in parked(installation))


@pytest.fixture
def installation(installation: Installation) -> Installation:
    installation.use_policy(observed="revert")
    return installation


@pytest.mark.parametrize("first", ["baseline", "approved"])
@pytest.mark.parametrize("statement", [ELSEWHERE, WITHDRAWN, DELETED])
@pytest.mark.parametrize("how", ["emptied", pytest.param("moved", marks=pytest.mark.proof)])
def test_a_target_is_not_given_back_while_a_later_approval_is_hidden(
    how: str, statement: str, first: str, open_installation: Callable[..., Installation]
) -> None:
    installation = open_installation()
    installation.use_policy(observed="revert")
    for _ in range(3):
        installation.register()
    if first == "baseline":
        installation.ask(1, "champion")
        installation.sweep()
    else:
        installation.sweep()
        installation.promoted(1)
    promoted = installation.promoted(2)
    write(installation, statement, id=promoted.id)

    if how == "emptied":
        take_away(installation)
    else:
        move(installation, 3)

    assert (promoted.state, installation.champion()) == (State.APPLIED, None if how == "emptied" else 3)
    assert is_parked_as_changed(installation)


def test_a_target_is_not_given_back_by_a_rejection_that_no_entry_tells_of(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()
    body = {"state": "rejected", "decided_by": "people"}
    changed = (
        "update requests set state = 'rejected', body = (body::jsonb || cast(:body as jsonb))::text where id = :id"
    )
    write(installation, changed, id=second.id, body=json.dumps(body))

    take_away(installation)

    assert installation.champion() is None
    assert is_parked_as_changed(installation)


def test_a_target_of_a_renamed_model_is_not_given_back_while_a_later_approval_is_hidden(
    installation: Installation,
) -> None:
    installation.promoted()
    second = installation.promoted()
    renamed = f"{installation.model}-b"
    installation.mlflow.rename_registered_model(installation.model, renamed)
    installation.sweep()
    write(installation, ELSEWHERE, id=second.id)

    installation.mlflow.delete_registered_model_alias(renamed, "champion")
    installation.sweep()
    installation.settle_once()

    assert champion_of(renamed, installation) is None


@pytest.fixture
def by_an_older_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """It dated decisions by the clock alone, also by one that had been set back."""
    monkeypatch.setattr(Transaction, "in_order", lambda _, at, *_place: at)


@pytest.mark.usefixtures("by_an_older_release")
def test_a_target_is_not_given_back_to_the_older_version_after_the_clock_was_set_back_before_the_newer_one_moved(
    installation: Installation,
) -> None:
    installation.promoted()
    second = installation.asked()
    installation.click("ana", second, "approve")
    installation.clock.ahead -= timedelta(days=1)
    installation.settle()
    assert installation.champion() == 2

    take_away(installation)

    assert installation.champion() is None
    assert any("a clock was set back" in why for why in parked(installation))


FORGED = """
insert into requests (id, state, kind, workspace, model, version, version_created, target, opened_at, body)
select 'forged' || n, 'applied', kind, workspace, model, version, version_created, target, now() + interval '1 day', {body}
from requests, generate_series(1, 300) n where id = :id
"""
UNDER_THEIR_OWN_NAME = """replace(body, '"id": "' || id || '"', '"id": "forged' || n || '"')"""


@pytest.mark.parametrize("body", ["body", UNDER_THEIR_OWN_NAME])
def test_a_target_is_not_given_back_when_forged_rows_take_the_room_of_later_decisions(
    body: str, installation: Installation
) -> None:
    first = installation.promoted()
    installation.promoted()
    installation.register()
    write(installation, FORGED.format(body=body), id=first.id)

    move(installation, 3)

    assert installation.champion() == 3
    assert is_parked_as_changed(installation)


def test_a_row_with_the_body_of_another_request_says_nothing(installation: Installation) -> None:
    first = installation.promoted()
    installation.promoted()
    later = """regexp_replace(body, '"settled_at": "[^"]*"', '"settled_at": "2999-01-01T00:00:00+00:00"')"""
    write(installation, FORGED.format(body=later).replace("300", "1"), id=first.id)

    take_away(installation)

    assert (installation.champion(), parked(installation)) == (2, [])


def rejected_since(installation: Installation) -> TransitionRequest:
    """Version 1 was replaced, asked for again, and rejected."""
    installation.promoted(installation.register())
    installation.promoted()
    again = installation.asked(1)
    installation.reject(again, reason="it leaks personal data")
    return installation.reread(again)


@pytest.mark.parametrize("statement", [ELSEWHERE, DELETED])
def test_a_rollback_to_what_people_rejected_since_needs_votes_also_when_that_is_hidden(
    statement: str, installation: Installation
) -> None:
    again = rejected_since(installation)
    write(installation, statement, id=again.id)

    asked = roll_back(
        installation.model, CHAMPION, 1, "try it", "bea@example.com", Ask(AskKind.COMMAND), installation.s
    )
    installation.settle_once()

    request = installation.reread(asked)
    assert (again.state, request.state, installation.champion()) == (State.REJECTED, State.PENDING, 2)
    assert "is not what the ledger says" in request.people_decide


@pytest.mark.usefixtures("by_an_older_release")
def test_a_rollback_to_what_people_rejected_since_needs_votes_also_when_the_clock_was_behind_for_a_while(
    installation: Installation,
) -> None:
    installation.promoted()
    installation.clock.ahead += timedelta(days=2)
    second = installation.promoted()
    installation.promoted()
    again = installation.asked(2)
    installation.clock.ahead -= timedelta(days=1)
    installation.reject(again, reason="it leaks personal data")
    installation.clock.ahead += timedelta(days=1)

    asked = roll_back(
        installation.model, CHAMPION, 2, "try it", "bea@example.com", Ask(AskKind.COMMAND), installation.s
    )
    installation.settle_once()

    rejected, request = installation.reread(again), installation.reread(asked)
    assert rejected.decided_at is not None
    assert second.settled_at is not None
    assert rejected.decided_at < second.settled_at
    assert (rejected.state, request.state, installation.champion()) == (State.REJECTED, State.PENDING, 3)


@pytest.mark.parametrize("is_hidden", [False, True])
@pytest.mark.parametrize("first", ["baseline", "approved"])
def test_the_fast_track_does_not_compare_with_an_older_champion_while_a_later_approval_is_hidden(
    first: str, is_hidden: bool, open_installation: Callable[..., Installation]
) -> None:
    installation = open_installation(extra=f"fast_track: {{mode: on, metrics: {{{BETTER}}}}}")
    bad, good, between = [
        installation.register(metrics={"mae": mae}, measured_on="a1a1a1a1") for mae in (60.0, 30.0, 50.0)
    ]
    if first == "baseline":
        installation.ask(bad, "champion")
        installation.sweep()
    else:
        installation.sweep()
        installation.promoted(bad)
    promoted = installation.asked(good)
    assert promoted.state is State.APPLIED or installation.champion() == good
    if is_hidden:
        write(installation, ELSEWHERE, id=promoted.id)

    request = installation.asked(between)

    assert request.judgement is not None
    said = [check.sentence for check in request.judgement.checks]
    assert (request.decided_by, installation.champion()) == (None, good)
    assert any("is not what the ledger says" in one for one in said) is is_hidden


def test_the_fast_track_does_not_compare_with_a_champion_whose_approval_was_forged(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(extra=f"fast_track: {{mode: on, metrics: {{{BETTER}}}}}")
    good, bad, between = [
        installation.register(metrics={"mae": mae}, measured_on="a1a1a1a1") for mae in (30.0, 60.0, 50.0)
    ]
    installation.sweep()
    installation.promoted(good)
    rejected = installation.asked(bad)
    installation.reject(rejected, reason="far worse")
    now = installation.clock.now().isoformat()
    body = {"state": "applied", "settled_at": now, "decided_at": now}
    changed = "update requests set state = 'applied', body = (body::jsonb || cast(:body as jsonb))::text where id = :id"
    write(installation, changed, id=rejected.id, body=json.dumps(body))

    request = installation.asked(between)

    assert (request.decided_by, installation.champion()) == (None, good)


@pytest.mark.parametrize("scene", ["renamed", "back", "swapped", "ratified", "rolled back", "rejected"])
def test_what_was_decided_is_given_back_whatever_came_before_and_after(scene: str, installation: Installation) -> None:
    for _ in range(4):
        installation.register()
    installation.promoted(1)
    lawful = installation.promoted(2).version.version
    name, other = installation.model, f"{installation.model}-b"
    if scene in ("renamed", "back"):
        installation.mlflow.rename_registered_model(name, other)
        installation.sweep()
        name = other
    if scene == "back":
        installation.mlflow.rename_registered_model(other, installation.model)
        installation.sweep()
        name = installation.model
        lawful = installation.promoted(3).version.version
    if scene == "swapped":
        installation.register(model=other)
        installation.sweep()
        for before, after in ((name, f"{name}-t"), (other, name), (f"{name}-t", other)):
            installation.mlflow.rename_registered_model(before, after)
        installation.sweep()
        name = other
    if scene == "ratified":
        installation.use_policy(observed="ask")
        installation.move(3)
        (asked,) = installation.requests(State.PENDING)
        installation.approve(asked)
        installation.use_policy(observed="revert")
        installation.sweep()
        lawful = 3
    if scene == "rolled back":
        roll_back(name, CHAMPION, 1, "it fails", "bea@example.com", Ask(AskKind.COMMAND), installation.s)
        installation.settle_once()
        lawful = 1
    if scene == "rejected":
        installation.reject(installation.asked(3), reason="worse")

    installation.mlflow.delete_registered_model_alias(name, "champion")
    installation.sweep()
    installation.settle_once()
    given_back = champion_of(name, installation)
    move(installation, 4, name) if scene != "swapped" else None

    assert parked(installation) == []
    assert (given_back, champion_of(name, installation)) == (lawful, lawful)
