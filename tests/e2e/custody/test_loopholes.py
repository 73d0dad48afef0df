"""Ways around the laws that an enemy with write access to the registry, or bad luck, would take."""

from __future__ import annotations

import pytest

from bot.domain.model import Kind, State, TransitionRequest
from handlers.request.calling_off import call_off
from tests.fixtures.installation import Installation

FROZEN = {
    "extra": "freezes: [release]",
    "top": "freezes: {release: {deny: [{from: '2026-01-01 00:00', until: '2036-01-01 00:00'}]}}",
}


def moved_while_its_approval_waits(installation: Installation, observed: str) -> TransitionRequest:
    """v1 is champion by approval; v2 is approved, held by a freeze, and moved there by hand meanwhile."""
    installation.use_policy(observed=observed)
    installation.promoted()
    installation.use_policy(observed=observed, **FROZEN)
    request = installation.promoted()
    assert request.frozen_by == "release"
    installation.move(2)
    assert installation.champion() == 2
    return installation.reread(request)


@pytest.mark.parametrize(("observed", "champion", "state"), [("ask", 2, State.PENDING), ("revert", 1, State.REJECTED)])
def test_a_version_moved_by_hand_is_judged_once_its_waiting_approval_is_called_off(
    installation: Installation, observed: str, champion: int, state: State
) -> None:
    request = moved_while_its_approval_waits(installation, observed)
    with installation.s.store.transaction() as tx:
        ana = tx.people.get_or_add("ana@example.com", "Ana Ruiz")

    call_off(request.id, ana, "It drifts.", installation.s)
    installation.sweep()
    installation.settle_all()

    last = installation.request(2)
    assert (last.kind, last.state) == (Kind.OBSERVED, state)
    assert installation.champion() == champion


def test_a_version_moved_by_hand_goes_back_when_its_stale_approval_is_not_given_again(
    installation: Installation,
) -> None:
    moved_while_its_approval_waits(installation, "ask")
    installation.use_policy(observed="ask")  # another rule than was decided under
    installation.settle()
    installation.sweep()

    (fresh,) = installation.requests(State.PENDING)
    installation.reject(fresh, "Not under this rule.")
    installation.settle_all()

    assert installation.champion() == 1


def test_a_move_by_hand_just_before_a_rule_becomes_stricter_is_still_asked_about(installation: Installation) -> None:
    installation.use_policy(observed="ask")
    installation.promoted()
    installation.register()
    installation.sweep()

    installation.ask(2, "champion")
    installation.use_policy(observed="revert")
    for _ in range(2):
        installation.sweep()

    (asked,) = installation.requests(State.PENDING)
    assert (asked.kind, asked.version.version) == (Kind.OBSERVED, 2)
    installation.reject(asked, "Nobody asked for it.")
    installation.settle_all()
    assert installation.champion() == 1
