"""What people do between two steps of the bot, found by the model checker (`make model`)."""

from __future__ import annotations

import pytest

from bot.domain.model import Ask, AskKind, Kind, StaleCause, State, Target
from bot.domain.request import lifecycle
from handlers.registry import reconcile
from handlers.registry.settling import announce
from handlers.request.asking import request_transition
from handlers.request.rollbacks import roll_back
from tests.e2e.registry.test_moves_by_hand import with_a_champion
from tests.fixtures.installation import Installation

pytestmark = pytest.mark.proof


def test_a_version_that_left_and_came_back_between_two_sweeps_is_put_back_again(installation: Installation) -> None:
    with_a_champion(installation)
    installation.use_policy(observed="revert")
    installation.sweep()
    installation.ask(2, "champion")
    reconcile.reconcile_model(f"default/{installation.model}", installation.s)

    installation.ask(1, "champion")
    installation.settle()
    installation.ask(2, "champion")
    installation.sweep()

    by_rule = [one for one in installation.requests(State.REJECTED) if one.kind is Kind.OBSERVED]
    assert len(by_rule) == 2
    assert installation.champion() == 1


def test_no_move_begins_for_an_approval_that_was_ended_while_the_place_was_read(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    approved = installation.reread(request)
    with installation.s.store.transaction() as tx:
        tx.record(
            lifecycle.mark_stale(
                approved, "the target is to go back, by a rollback", StaleCause.OVERTAKEN, installation.s.clock.now()
            )
        )

    begins = announce(approved, None, installation.s)

    assert not begins
    with installation.s.store.transaction() as tx:
        assert tx.registry.open_intents("default", installation.model, request.target) == []


def test_a_target_that_is_emptied_again_before_the_next_sweep_is_given_back_again(installation: Installation) -> None:
    with_a_champion(installation)
    installation.use_policy(observed="revert")
    installation.sweep()
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()
    assert installation.champion() == 1

    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()

    assert installation.champion() == 1


def test_an_approval_that_a_rollback_ends_leaves_no_announcement_behind(installation: Installation) -> None:
    with_a_champion(installation)
    installation.promoted(2)
    holder = installation.promoted(1).version
    request = installation.asked(2)
    installation.click("ana", request, "approve")
    assert announce(installation.reread(request), holder, installation.s)  # and its worker dies

    ask = Ask(AskKind.ROLLBACK)
    roll_back(installation.model, request.target, 2, "It fails.", "ben@example.com", ask, installation.s)

    assert installation.reread(request).state is State.STALE
    with installation.s.store.transaction() as tx:
        assert tx.registry.open_intents("default", installation.model, request.target) == []


def test_a_version_that_people_reject_while_it_is_away_between_two_sweeps_is_asked_about_when_it_is_back(
    installation: Installation,
) -> None:
    with_a_champion(installation)
    installation.ask(2, "champion")
    target, ask = Target.parse("alias:champion"), Ask(AskKind.API)
    again = request_transition(installation.model, 1, target, "cy@example.com", "", ask, installation.s)
    installation.settle()
    installation.reject(again, "It was wrong in March.")

    installation.ask(1, "champion")
    installation.sweep()

    (about,) = [one for one in installation.requests(State.PENDING) if one.kind is Kind.OBSERVED]
    assert about.version == again.version
