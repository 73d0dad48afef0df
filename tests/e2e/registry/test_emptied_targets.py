"""Targets that were taken away without asking, under a rule that puts back whatever was moved."""

from __future__ import annotations

import pytest

from bot.domain.events import MoveObserved, MoveReverted
from handlers.registry import reconcile
from tests.fixtures.installation import CHANNEL, House


@pytest.fixture
def reverting(house: House) -> House:
    """v1 is champion by approval, v2 stands by, and the rule puts back what is moved without one."""
    house.use_policy(observed="revert")
    house.approve(house.asked())
    house.register()
    house.sweep()
    return house


def test_an_alias_that_was_taken_away_goes_back_to_its_last_lawful_holder(reverting: House) -> None:
    house = reverting
    approved = house.request(1)

    house.mlflow.delete_registered_model_alias(house.model, "champion")
    house.sweep()
    house.sweep()

    note = house.slack.messages(CHANNEL)[-1].all_text
    assert house.champion() == 1
    assert f"alias:champion of {house.model} was taken away without asking, and given back to v1" in note
    assert house.happened(MoveObserved, MoveReverted) == ["MoveObserved", "MoveReverted"]
    with house.s.store.transaction() as tx:
        held = tx.registry.placements("default", house.model)
    assert [(placement.version.version, placement.request_id) for placement in held] == [(1, approved.id)]
    assert [message.all_text for message in house.cards()].count(note) == 1


def test_what_somebody_set_meanwhile_is_not_overwritten_but_judged_as_a_move_of_its_own(reverting: House) -> None:
    house = reverting
    house.mlflow.delete_registered_model_alias(house.model, "champion")
    reconcile.look_at(f"default/{house.model}", house.s)

    house.ask(2, "champion")
    house.settle()
    after_the_restoring = house.champion()
    house.sweep()

    assert after_the_restoring == 2
    assert house.happened(MoveObserved, MoveReverted) == ["MoveObserved", "MoveObserved"]
    assert house.champion() == 1
    assert f"champion went back to {house.model} v1" in house.card(house.request(2)).all_text


def test_who_gives_it_back_by_hand_meanwhile_is_no_second_matter(reverting: House) -> None:
    house = reverting
    house.mlflow.delete_registered_model_alias(house.model, "champion")
    reconcile.look_at(f"default/{house.model}", house.s)

    house.ask(1, "champion")
    house.settle()
    house.sweep()

    assert house.champion() == 1
    assert house.happened(MoveObserved) == ["MoveObserved"]
    assert len(house.requests()) == 1
