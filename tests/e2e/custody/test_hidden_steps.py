"""Rows that were forged or hidden approve no move by hand, and let no older approval be carried out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.events import ModelUnreadable, MoveObserved
from bot.domain.model import State
from handlers.doors.clock import defer_sweeps
from tests.e2e.custody.test_hidden_decisions import is_parked_as_changed, write
from tests.e2e.custody.test_vouched_baselines import move
from tests.e2e.request.test_freeze import window
from tests.fixtures.installation import Installation

FORGED = """
insert into requests (id, state, kind, workspace, model, version, version_created, target, opened_at, body)
select 'forged', :state, kind, workspace, model, :version, cast(:created as timestamptz), target, now() + interval '1 day',
    (body::jsonb || cast(:body as jsonb))::text from requests where id = :id
"""
BASELINE = """
insert into baselines (workspace, model, target, version, version_created, since)
select workspace, name, 'alias:champion', 2, cast(:created as timestamptz), now() from models where name = :model
"""


def forge(installation: Installation, state: str) -> None:
    """As if the second version had been decided after the first."""
    first = installation.promoted()
    installation.register()
    second = installation.s.registry.find_version("default", installation.model, 2)
    assert second is not None
    created = second.id.created.isoformat()
    version = {"workspace": "default", "model": installation.model, "version": 2, "created": created}
    later = (installation.clock.now() + timedelta(days=1)).isoformat()
    when = {"decided_at": later, "settled_at": later if state == "applied" else None}
    body = json.dumps({"id": "forged", "state": state, "version": version, **when})
    write(installation, FORGED, state=state, version=2, created=created, body=body, id=first.id)


@pytest.mark.parametrize("state", ["applied", pytest.param("approved", marks=pytest.mark.proof)])
def test_a_move_by_hand_is_not_taken_for_what_only_a_forged_row_approved(
    state: str, installation: Installation
) -> None:
    installation.use_policy(observed="revert")
    forge(installation, state)

    move(installation, 2)

    (unreadable,) = installation.entries(ModelUnreadable)
    assert installation.happened(MoveObserved) == []
    assert "request forged was changed beside the ledger" in unreadable["reason"]

    write(installation, "delete from requests where id = 'forged'")
    installation.sweep()
    assert installation.champion() == 1


def test_people_are_asked_about_a_move_by_hand_to_what_only_a_forged_row_says_was_there_before(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    installation.use_policy(observed="revert")
    installation.register()
    installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    second = installation.s.registry.find_version("default", installation.model, 2)
    assert second is not None
    write(installation, BASELINE, model=installation.model, created=second.id.created.isoformat())

    move(installation, 2)

    (asked,) = installation.requests(State.PENDING)
    assert asked.version.version == 2
    assert "what the database says about its approval is not what the ledger says" in installation.card(asked).all_text


@pytest.mark.parametrize("is_hidden", [pytest.param(False, marks=pytest.mark.proof), True])
def test_an_approval_is_not_carried_out_while_a_later_one_is_hidden(
    is_hidden: bool, installation: Installation
) -> None:
    installation.promoted()
    now = installation.clock.now()
    stop = f"freezes: {{stop: {{deny: {window(now - timedelta(days=1), now + timedelta(days=2))}}}}}"
    installation.use_policy(extra="freezes: [stop]", top=stop)
    installation.approve(installation.asked())
    third = installation.asked()
    installation.click("ana", third, "approve")
    if is_hidden:
        write(installation, "update requests set target = 'alias:elsewhere' where id = :id", id=third.id)
    installation.settle_once()

    installation.clock.ahead += timedelta(days=3)
    with installation.s.store.transaction() as tx:
        defer_sweeps("thaw_approvals", tx)
    installation.settle_once()

    assert installation.champion() == (1 if is_hidden else 3)
    assert is_parked_as_changed(installation) == is_hidden


def test_a_forged_row_approves_no_move_by_hand_where_moves_are_only_reported(installation: Installation) -> None:
    installation.use_policy(observed="report")
    forge(installation, "applied")

    move(installation, 2)

    assert "approved" not in [one["handling"] for one in installation.entries(MoveObserved)]
