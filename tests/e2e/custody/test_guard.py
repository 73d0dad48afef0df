"""Every settling passes the whole guard, and a move by hand is always recorded; freezes leave no trace."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from bot.domain.events import MoveObserved
from bot.domain.model import State
from handlers.policy.kill_switch import person_named, switch_fast_track
from tests.e2e.request.test_freeze import BY_FIGURES, freeze, freeze_for_days, go_to, in_days, window
from tests.fixtures.installation import API_TOKEN, CHANNEL, Installation


def frozen_approval(installation: Installation, extra: str = ""):  # type: ignore[no-untyped-def]
    ends = freeze_for_days(installation, 2, extra)
    request = installation.asked()
    if not extra:
        installation.approve(request)
    assert installation.reread(request).state is State.APPROVED
    return request, ends


def gate(installation: Installation) -> bool:
    answer = requests.get(
        f"{installation.url}/gate/{installation.model}/1",
        params={"target": "alias:champion"},
        headers={"Authorization": f"Bearer {API_TOKEN}"},
        timeout=10,
    ).json()
    return bool(answer["allowed"])


def test_changed_figures_are_not_applied_because_somebody_moved_the_alias_by_hand(installation: Installation) -> None:
    request, ends = frozen_approval(installation)

    installation.mlflow.log_metric(installation.run_of(1), "mae", 99.0, step=1)
    installation.move(1)
    go_to(installation, ends)

    assert installation.reread(request).state is State.STALE
    assert gate(installation) is False


def test_an_approval_under_a_former_rule_is_not_applied_because_somebody_moved_the_alias_by_hand(
    installation: Installation,
) -> None:
    request, _ = frozen_approval(installation)

    installation.move(1)
    installation.use_policy(quorum=2)
    installation.settle()

    assert installation.reread(request).state is State.STALE


def test_the_kill_switch_also_stops_what_the_fast_track_approved_and_somebody_moved_by_hand(
    installation: Installation,
) -> None:
    request, ends = frozen_approval(installation, BY_FIGURES)

    installation.move(1)
    switch_fast_track(False, person_named("ana@example.com", installation.s), "mae looks forged", installation.s)
    go_to(installation, ends)

    assert installation.reread(request).state is State.STALE


def test_a_move_by_hand_in_the_middle_of_a_freeze_is_recorded_and_told(installation: Installation) -> None:
    request, ends = frozen_approval(installation)

    installation.move(1)
    told = installation.slack.messages(CHANNEL)[-1].all_text
    during = installation.reread(request).state
    go_to(installation, ends)

    assert installation.happened(MoveObserved) == ["MoveObserved"]
    assert "alias:champion" in told
    assert "was moved by hand from nobody to v1" in told
    assert during is State.APPROVED
    assert installation.reread(request).state is State.APPLIED


@pytest.mark.proof
def test_a_move_there_and_back_by_hand_in_a_freeze_moves_nothing_before_it_ends(installation: Installation) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    ends = in_days(installation, 2)
    installation.use_policy(
        observed="revert",
        extra="freezes: [release]",
        top=f"freezes: {{release: {{deny: {window(in_days(installation, -1), ends)}}}}}",
    )
    second = installation.asked()
    installation.approve(second)

    installation.move(2)
    installation.move(1)
    installation.settle_all()
    during = installation.champion(), installation.reread(second).state
    go_to(installation, ends)

    assert during == (1, State.APPROVED)
    assert installation.champion() == 2


@pytest.mark.proof
def test_after_a_freeze_the_newest_of_two_approvals_holds_the_target(installation: Installation) -> None:
    ends = freeze_for_days(installation, 2)
    first = installation.asked()
    installation.approve(first)
    installation.clock.ahead += timedelta(minutes=5)
    second = installation.asked()
    installation.approve(second)

    go_to(installation, ends)

    assert (installation.champion(), installation.reread(second).state) == (2, State.APPLIED)
    assert installation.reread(first).state is State.STALE
    assert "was approved for alias:champion later" in installation.card(first).all_text


def test_a_freeze_that_is_cut_short_leaves_no_trace_at_the_gate(installation: Installation) -> None:
    ends = freeze_for_days(installation, 4)
    request = installation.asked()
    installation.approve(request)
    freeze(installation, release=f"deny: {window(in_days(installation, -2), in_days(installation, -1))}")
    assert (installation.reread(request).state, installation.champion()) == (State.APPLIED, 1)

    at_once = gate(installation)
    installation.clock.ahead += ends - installation.clock.now() + timedelta(days=1)
    installation.sweep("thaw_approvals")

    assert (at_once, gate(installation)) == (True, True)
    assert installation.reread(request).frozen_until is None


def test_the_fast_track_does_not_compare_with_a_holder_that_somebody_put_there_by_hand(
    installation: Installation,
) -> None:
    """v1 (mae 20) is approved. Somebody puts a bad v2 (mae 90) there by hand; v3 (mae 80) is better than that."""
    installation.approve(installation.asked(installation.register(metrics={"mae": 20.0}, measured_on="d1g3st01")))
    installation.register(metrics={"mae": 90.0}, measured_on="d1g3st01")
    installation.register(metrics={"mae": 80.0}, measured_on="d1g3st01")
    installation.use_policy(
        extra="fast_track: {mode: on, metrics: {mae: {min_relative_change: 0.05, greater_is_better: false}}}"
    )
    installation.settle()
    installation.move(2)

    third = installation.asked(3)
    shown = installation.card(third).all_text
    installation.approve(third)

    assert (third.state, third.decided_by) == (State.PENDING, None)
    assert third.evidence is not None
    assert third.evidence.champion is not None
    assert third.evidence.champion.version.version == 1
    assert (
        f"{installation.model} v2, which was moved there without an approval; {installation.model} v1 was approved before"
        in shown
    )
    assert installation.champion() == 3  # people may decide beside the foreign holder


def test_a_move_by_hand_that_no_look_saw_before_the_approval_is_recorded_and_told(installation: Installation) -> None:
    request = installation.asked()

    installation.mlflow.set_registered_model_alias(installation.model, "champion", "1")
    installation.approve(request)
    installation.settle_all()

    assert installation.reread(request).state is State.APPLIED
    assert [entry["handling"] for entry in installation.entries(MoveObserved)] == ["approved"]
    assert any("champion was moved by hand" in message.all_text for message in installation.cards())
