"""Targets that were taken away without asking, under a rule that puts back every move."""

from __future__ import annotations

import pytest

from bot.domain.events import MoveObserved, MoveReverted
from handlers.registry import reconcile
from tests.fixtures.installation import CHANNEL, Installation


@pytest.fixture
def reverting(installation: Installation) -> Installation:
    """v1 is champion by approval, v2 is registered too, and the rule puts back what is moved without one."""
    installation.use_policy(observed="revert")
    installation.approve(installation.asked())
    installation.register()
    installation.sweep()
    return installation


def test_an_alias_that_was_taken_away_goes_back_to_its_last_lawful_holder(reverting: Installation) -> None:
    installation = reverting
    approved = installation.request(1)

    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()
    installation.sweep()

    note = installation.slack.messages(CHANNEL)[-1].all_text
    assert installation.champion() == 1
    assert f"alias:champion of {installation.model} was taken away without asking, and given back to v1" in note
    assert installation.happened(MoveObserved, MoveReverted) == ["MoveObserved", "MoveReverted"]
    with installation.s.store.transaction() as tx:
        held = tx.registry.placements("default", installation.model)
    assert [(placement.version.version, placement.request_id) for placement in held] == [(1, approved.id)]
    assert [message.all_text for message in installation.cards()].count(note) == 1


@pytest.mark.proof
def test_what_somebody_set_meanwhile_is_not_overwritten_but_judged_as_a_move_of_its_own(
    reverting: Installation,
) -> None:
    installation = reverting
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    reconcile.reconcile_model(f"default/{installation.model}", installation.s)

    installation.ask(2, "champion")
    installation.settle()
    after_the_restoring = installation.champion()
    installation.sweep()

    assert after_the_restoring == 2
    assert installation.happened(MoveObserved, MoveReverted) == ["MoveObserved", "MoveObserved"]
    assert installation.champion() == 1
    assert f"champion went back to {installation.model} v1" in installation.card(installation.request(2)).all_text
    told = [message.all_text for message in installation.slack.messages(CHANNEL)]
    assert any(f"alias:champion of {installation.model} is held by nobody" in text for text in told)


@pytest.mark.proof
def test_who_gives_it_back_by_hand_meanwhile_is_no_second_matter(reverting: Installation) -> None:
    installation = reverting
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    reconcile.reconcile_model(f"default/{installation.model}", installation.s)

    installation.ask(1, "champion")
    installation.settle()
    installation.sweep()

    assert installation.champion() == 1
    assert installation.happened(MoveObserved) == ["MoveObserved"]
    assert len(installation.requests()) == 1
