"""What people do by hand around a move without asking: deleting who held the target, putting it back, moving it on, renaming the model."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.events import ModelRenamed, MoveObserved
from bot.domain.model import Kind, State
from bot.errors import Temporary
from handlers.registry import reconcile
from handlers.request import adopting
from tests.fixtures.installation import Installation


def with_a_champion(installation: Installation, more: int = 1) -> None:
    """v1 is champion by approval; `more` versions are registered too."""
    installation.approve(installation.asked())
    for _ in range(more):
        installation.register()


def test_a_move_is_asked_about_although_the_former_holder_was_deleted_before_the_evidence_was_frozen(
    installation: Installation,
) -> None:
    with_a_champion(installation)
    installation.ask(2, "champion")
    reconcile.reconcile_model(f"default/{installation.model}", installation.s)

    installation.mlflow.delete_model_version(installation.model, "1")
    installation.settle()

    observed = installation.request(2)
    assert (observed.kind, observed.state) == (Kind.OBSERVED, State.PENDING)
    assert "Moved without an approval" in installation.card(observed).all_text
    assert f"(before: {installation.model} v1)" in installation.details(observed)
    assert installation.unfinished() == []


@pytest.mark.proof
def test_who_puts_it_back_by_hand_keeps_the_approval_that_it_had(installation: Installation) -> None:
    with_a_champion(installation)
    approved = installation.request(1)
    installation.move(2)

    installation.move(1)

    with installation.s.store.transaction() as tx:
        held = tx.registry.placements("default", installation.model)
    assert [(placement.version.version, placement.request_id) for placement in held] == [(1, approved.id)]
    assert adopting.adopt(installation.s) == []
    assert [request.id for request in installation.requests(State.APPLIED)] == [approved.id]


def test_card_and_ticket_do_not_claim_a_put_back_that_somebody_else_made_impossible(installation: Installation) -> None:
    with_a_champion(installation, more=2)
    installation.move(2)
    observed = installation.request(2)
    installation.click("ana", observed, "reject")
    installation.slack.submit_view("ana", {"reason": "Nobody looked at it."})
    installation.ask(3, "champion")

    installation.settle()

    said = installation.card(observed).all_text
    assert f"Rejected: {installation.model} v2" in said
    assert f"champion is held by {installation.model} v3 now; Countersign did not move it" in said
    assert f"champion is held by {installation.model} v3 now; Countersign did not move it" in installation.comments(
        observed
    )
    assert "went back" not in said + installation.comments(observed)
    assert installation.champion() == 3


@pytest.mark.proof
def test_a_rename_is_recognised_although_the_newest_version_was_deleted_and_the_champion_moved_with_it(
    installation: Installation,
) -> None:
    with_a_champion(installation, more=2)
    installation.sweep()
    renamed = f"{installation.model}-renamed"
    installation.mlflow.rename_registered_model(installation.model, renamed)
    installation.mlflow.delete_model_version(renamed, "3")
    installation.mlflow.set_registered_model_alias(renamed, "champion", "2")

    installation.sweep()
    (observed,) = installation.requests(State.PENDING)
    installation.reject(observed, "Nobody looked at it.")

    renames = [entry["after"] for entry in installation.entries(ModelRenamed) if entry["before"] == installation.model]
    assert renames == [renamed]
    assert (str(observed.version), observed.kind) == (f"{renamed} v2", Kind.OBSERVED)
    assert f"(before: {renamed} v1)" in installation.details(observed)
    assert installation.happened(MoveObserved) == ["MoveObserved"]
    assert installation.mlflow.get_registered_model(renamed).aliases["champion"] == "1"


def run_out(installation: Installation) -> None:
    """Nobody answers for longer than the rule waits."""
    installation.clock.ahead += timedelta(days=4)
    installation.sweep("expire_requests")


def refuse(*_: object) -> None:
    raise Temporary("503", 600)


@pytest.mark.parametrize(
    "answer", ["none yet", pytest.param("none", marks=pytest.mark.proof), pytest.param("a no", marks=pytest.mark.proof)]
)
def test_a_move_that_nobody_approved_is_not_lawful_because_the_rule_becomes_stricter(
    answer: str, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor when its put-back waits."""
    installation.promoted()
    installation.register()
    installation.sweep()
    installation.move(2)
    (asked,) = installation.requests(State.PENDING)
    if answer == "none":
        run_out(installation)
    with monkeypatch.context() as patched:
        patched.setattr(installation.s.registry, "set_alias", refuse)
        if answer == "a no":
            installation.reject(asked, "no", settle=installation.settle_once)
        installation.use_policy(observed="revert")
        installation.sweep()
    if answer == "none yet":
        assert [one.id for one in installation.requests(State.PENDING)] == [asked.id]
        run_out(installation)
    assert installation.champion() == 2

    installation.move(1)
    installation.move(2)

    assert installation.champion() == 1
