"""The app is installed for a whole organisation (Enterprise Grid): `team` is null in clicks, and each workspace has its own lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.events import VoteRefused
from bot.domain.model import State, TransitionRequest
from bot.sandbox.slack.wire import object_at
from tests.fixtures.installation import CHANNEL, Installation

ORG = "E0ORG000001"


@pytest.fixture
def on_grid(open_installation: Callable[..., Installation]) -> Installation:
    ready = open_installation(reason="always")
    ready.slack.app.enterprise = ORG
    ready.sweep()
    return ready


def press(installation: Installation, request: TransitionRequest, *, org: str) -> int:
    """A signed click that came through the installation of another organisation."""
    payload = installation.slack.click_payload("ana", CHANNEL, installation.card(request).ts, "approve")
    object_at(payload, "enterprise")["id"] = org
    return installation.slack.send(payload).status


def test_votes_with_their_forms_and_commands_work_for_a_whole_organisation(on_grid: Installation) -> None:
    request = on_grid.asked()

    on_grid.approve_with_reason(request, "good on the tail")
    told = on_grid.slack.command("ana", "/countersign", "targets")

    decided = on_grid.reread(request)
    assert decided.state is State.APPLIED
    assert decided.card is not None
    assert {decided.card.team, *(vote.team for vote in decided.votes)} == {ORG}
    assert on_grid.happened(VoteRefused) == []
    assert on_grid.champion() == request.version.version
    assert told.status == 200
    assert on_grid.ledger_fault() is None


def test_a_click_through_another_organisation_is_not_on_our_card(on_grid: Installation) -> None:
    request = on_grid.asked()

    press(on_grid, request, org="E0ELSEWHERE")

    assert on_grid.slack.open_view_of("ana") is None
    assert "is not on the message" in on_grid.told_privately("ana")


def test_a_person_of_another_organisation_is_a_stranger(on_grid: Installation) -> None:
    people = on_grid.slack.workspace.people
    people["U0ANA000001"] = replace(people["U0ANA000001"], team_id="T0ELSEWHERE")
    request = on_grid.asked()
    on_grid.forget_what_slack_said()

    on_grid.click("ana", request, "approve")

    assert on_grid.reread(request).votes == ()
    assert on_grid.slack.open_view_of("ana") is None
