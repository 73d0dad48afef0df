"""Rollbacks: the newest decision wins, no freeze holds one, an emptied target is restored or announced, and a fight over a target ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.events import MoveObserved, MoveReverted
from bot.domain.model import Ask, AskKind, Kind, State, Target, TransitionRequest
from bot.domain.registry.watch_events import HolderLeft
from config.policy import read_policy
from handlers.ledger.audit import audit
from handlers.registry import apply, reconcile
from handlers.request.adopting import adopt
from handlers.request.asking import request_transition
from handlers.request.rollbacks import roll_back
from tests.e2e.request.test_freeze import freeze_for_days
from tests.fixtures.installation import CHANNEL, Installation

CHAMPION = Target.parse("alias:champion")


def back(installation: Installation, version: int | None = None) -> TransitionRequest:
    return roll_back(
        installation.model, CHAMPION, version, "it drifts", "ben@example.com", Ask(AskKind.ROLLBACK), installation.s
    )


def ask_for_the_first(installation: Installation, email: str) -> TransitionRequest:
    asked = request_transition(installation.model, 1, CHAMPION, email, "", Ask(AskKind.COMMAND), installation.s)
    installation.settle()
    return asked


@pytest.mark.proof
def test_a_rollback_in_a_freeze_is_not_swallowed_by_a_promotion_that_the_freeze_holds_back(
    installation: Installation,
) -> None:
    installation.promoted()
    installation.promoted()
    freeze_for_days(installation, 2)
    again = request_transition(
        installation.model, 1, CHAMPION, "cy@example.com", "", Ask(AskKind.COMMAND), installation.s
    )
    installation.settle()
    installation.approve(again)
    assert installation.reread(again).state is State.APPROVED

    opened = back(installation, 1)
    installation.settle()

    assert (opened.kind, installation.champion()) == (Kind.ROLLBACK, 1)
    assert installation.reread(again).state is State.STALE


@pytest.mark.proof
def test_who_joined_a_frozen_approval_late_may_still_roll_back_to_its_version(installation: Installation) -> None:
    installation.promoted()
    installation.promoted()
    freeze_for_days(installation, 2)
    again = ask_for_the_first(installation, "cy@example.com")
    installation.approve(again)
    late = ask_for_the_first(installation, "ben@example.com")

    opened = back(installation, 1)
    installation.settle()

    assert (late.id, late.state) == (again.id, State.APPROVED)
    assert (opened.kind, installation.champion()) == (Kind.ROLLBACK, 1)
    assert installation.reread(again).state is State.STALE


@pytest.mark.proof
def test_what_people_rejected_later_goes_back_with_votes_alone(installation: Installation) -> None:
    installation.promoted()
    installation.promoted()
    request_transition(installation.model, 1, CHAMPION, "cy@example.com", "", Ask(AskKind.COMMAND), installation.s)
    installation.settle()
    installation.reject(installation.request(1), "It fails on rainy days.")

    rollback = back(installation, 1)
    installation.settle()

    assert installation.champion() == 2
    assert installation.reread(rollback).state is State.PENDING
    assert "was rejected for champion on" in installation.card(rollback).all_text


@pytest.mark.proof
def test_a_renamed_model_goes_back_to_what_was_approved_under_its_former_name(installation: Installation) -> None:
    installation.promoted()
    installation.promoted()
    renamed = f"{installation.model}-renamed"
    installation.mlflow.rename_registered_model(installation.model, renamed)
    installation.sweep()

    roll_back(renamed, CHAMPION, None, "it drifts", "ben@example.com", Ask(AskKind.ROLLBACK), installation.s)
    installation.settle()

    assert installation.mlflow.get_registered_model(renamed).aliases["champion"] == "1"


@pytest.mark.proof
def test_a_put_back_that_is_replayed_never_undoes_a_newer_approval(installation: Installation) -> None:
    """v2 was put there by hand and rejected, and went away by itself; v3 is approved; then somebody moves v2 there again."""
    installation.promoted()
    installation.register()
    installation.move(2)
    rejected = installation.request(2)
    installation.click("ana", rejected, "reject")
    installation.slack.submit_view("ana", {"reason": "Nobody looked at it."})
    installation.settle()
    installation.promoted(installation.register())
    installation.move(2)
    again = installation.request(2)
    installation.reject(again, "Still not.")

    apply.sync_target(rejected.id, installation.s)
    installation.settle()

    assert again.id != rejected.id
    assert installation.champion() == 3


@pytest.mark.proof
def test_an_emptied_target_is_given_back_although_an_approval_goes_stale_meanwhile(installation: Installation) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    second = installation.asked()
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.click("ana", second, "approve")
    with installation.s.store.transaction() as tx:
        reconcile.defer_look(tx, "default", installation.model)
    for _ in range(3):
        installation.sweep()

    assert installation.reread(second).state is State.STALE
    assert installation.champion() == 1, installation.happened(MoveReverted)


def test_a_deleted_holder_under_revert_is_told(installation: Installation) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()

    installation.mlflow.delete_model_version(installation.model, "1")
    installation.sweep()

    assert installation.champion() is None
    assert "is held by nobody" in installation.slack.messages(CHANNEL)[-1].all_text


@pytest.mark.proof
def test_a_fight_with_another_program_stops_after_three_rounds_and_calls_people(installation: Installation) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    installation.register()
    for _ in range(6):
        installation.ask(2, "champion")
        installation.sweep()

    (waiting,) = installation.requests(State.PENDING)
    assert len(installation.requests(State.REJECTED)) == 3
    assert "3 times within a day" in installation.card(waiting).all_text
    installation.reject(waiting, "Stop it.")
    assert installation.champion() == 1


@pytest.mark.proof
def test_who_empties_a_target_again_and_again_is_given_back_three_times(installation: Installation) -> None:
    installation.use_policy(observed="revert")
    installation.promoted()
    for _ in range(5):
        installation.mlflow.delete_registered_model_alias(installation.model, "champion")
        installation.sweep()
        installation.sweep()
        if installation.champion() is None:
            break

    assert installation.champion() is None
    assert installation.happened(MoveReverted) == ["MoveReverted"] * 3
    assert "is held by nobody" in installation.slack.messages(CHANNEL)[-1].all_text


@pytest.mark.proof
def test_a_version_that_was_moved_there_and_back_by_hand_asks_as_before(installation: Installation) -> None:
    installation.promoted()
    second = installation.asked()

    installation.move(2)
    installation.move(1)

    assert installation.reread(second).state is State.WITHDRAWN
    (again,) = installation.requests(State.PENDING)
    assert (again.kind, again.version.version, again.follows) == (Kind.PROMOTION, 2, second.id)
    assert installation.happened(MoveObserved) == ["MoveObserved", "MoveObserved"]


@pytest.mark.proof
def test_a_version_that_asked_only_when_it_was_there_by_hand_asks_once_it_has_left(installation: Installation) -> None:
    installation.promoted()
    second = installation.register()
    installation.ask(second, "candidate")
    installation.move(second)
    moved = installation.request(second)

    installation.move(1)

    asked = installation.request(second)
    assert (moved.kind, installation.reread(moved).state) == (Kind.OBSERVED, State.WITHDRAWN)
    assert (asked.kind, asked.state) == (Kind.PROMOTION, State.PENDING)


@pytest.mark.proof
def test_a_version_that_leaves_a_stage_by_hand_leaves_an_entry_and_the_others_alone(installation: Installation) -> None:
    installation.use_policy(target="{stage: Production}", ask_on="[{alias: candidate}]", observed="ask")
    first = installation.register()
    installation.ask(first)
    installation.sweep()
    installation.approve(installation.request(first, "stage:Production"))
    second = installation.register()
    installation.stage(second, "Production")
    installation.sweep()
    installation.approve(installation.request(second, "stage:Production"))

    installation.use_policy(target="{stage: Production}", ask_on="[{alias: candidate}]", observed="revert")
    installation.stage(second, "Archived")
    installation.sweep()
    installation.settle_all()

    stages = {
        n: installation.mlflow.get_model_version(installation.model, str(n)).current_stage for n in (first, second)
    }
    assert stages == {first: "Production", second: "Archived"}
    assert installation.happened(HolderLeft) == ["HolderLeft"]


@pytest.mark.parametrize("how", ["moved", pytest.param("emptied", marks=pytest.mark.proof)])
@pytest.mark.parametrize("answer", ["none yet", pytest.param("expired", marks=pytest.mark.proof)])
def test_what_is_to_be_adopted_goes_back_and_the_audit_holds(
    answer: str, how: str, open_installation: Callable[..., Installation]
) -> None:
    """Its request has approved nothing, so it is not what the version has its place by."""
    installation = open_installation(observed="revert")
    for _ in range(3):
        installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    adopt(installation.s)
    installation.settle()
    if answer == "expired":
        installation.clock.ahead += timedelta(days=4)
        installation.sweep("expire_requests")

    if how == "moved":
        installation.move(2)
    else:
        installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()
    installation.sweep()

    assert installation.champion() == 1
    audit(installation.s.store.engine, read_policy=read_policy)
