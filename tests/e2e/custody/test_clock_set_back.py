"""The database's clock was fast and is set back: what is decided later still counts as later, at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.model import State, TransitionRequest
from handlers.policy.kill_switch import person_named
from handlers.registry.restored import begin_again
from handlers.registry.sweeps import accept_registry
from handlers.request.accounts import bind_by_hand
from tests.e2e.custody.test_vouched_baselines import champion_of, move, parked
from tests.fixtures.installation import Installation

FAST = [timedelta(seconds=2), pytest.param(timedelta(days=365), marks=pytest.mark.proof)]


@pytest.fixture
def installation(open_installation: Callable[..., Installation]) -> Installation:
    """v1 is baseline, and v2 to v4 are registered."""
    installation = open_installation(observed="revert")
    bind_by_hand("ana@example.com", "", "", installation.s)
    for _ in range(4):
        installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    return installation


def rename(before: str, after: str, installation: Installation) -> None:
    installation.mlflow.rename_registered_model(before, after)
    installation.sweep()


def asked_of(model: str, number: int, installation: Installation) -> TransitionRequest:
    installation.mlflow.set_registered_model_alias(model, "candidate", str(number))
    installation.sweep()
    (asked,) = [one for one in installation.requests(State.PENDING) if one.version.version == number]
    return asked


@pytest.mark.parametrize("how", ["emptied", "moved"])
@pytest.mark.parametrize("back", [timedelta(seconds=2), pytest.param(timedelta(days=1), marks=pytest.mark.proof)])
def test_before_a_rename(back: timedelta, how: str, installation: Installation) -> None:
    request = installation.promoted(2)
    name = f"{installation.model}-b"
    installation.clock.ahead -= back + (installation.clock.now() - request.opened_at)

    rename(installation.model, name, installation)
    installation.clock.ahead += timedelta(hours=5)
    if how == "emptied":
        installation.mlflow.delete_registered_model_alias(name, "champion")
        installation.sweep()
    else:
        move(installation, 3, name)

    assert champion_of(name, installation) == 2
    assert parked(installation) == []


def test_between_two_renames(installation: Installation) -> None:
    installation.promoted(2)
    names = [f"{installation.model}-{number}" for number in range(2)]

    rename(installation.model, names[0], installation)
    installation.clock.ahead -= timedelta(seconds=90)
    rename(names[0], names[1], installation)
    installation.clock.ahead += timedelta(minutes=3)
    move(installation, 3, names[1])

    assert champion_of(names[1], installation) == 2
    assert parked(installation) == []


@pytest.mark.proof
def test_before_another_model_gets_the_name_of_a_renamed_one(installation: Installation) -> None:
    installation.clock.ahead = timedelta(hours=1)
    installation.promoted(2)
    installation.clock.ahead = timedelta()
    rename(installation.model, f"{installation.model}-old", installation)
    installation.register()
    installation.register()
    installation.sweep()

    installation.approve(asked_of(installation.model, 1, installation))
    move(installation, 2)

    assert installation.champion() == 1


@pytest.mark.parametrize("fast", FAST)
def test_before_a_rollback(fast: timedelta, installation: Installation) -> None:
    installation.promoted(2)
    installation.clock.ahead = fast
    third = installation.promoted(3)
    installation.clock.ahead = timedelta()

    installation.click("ana", third, "roll_back")
    installation.slack.submit_view("ana", {"reason": "predictions drifted"})
    installation.settle()

    assert installation.champion() == 2


@pytest.mark.parametrize("fast", FAST)
def test_before_the_next_promotion(fast: timedelta, installation: Installation) -> None:
    installation.promoted(2)
    installation.clock.ahead = fast
    installation.promoted(3)
    installation.clock.ahead = timedelta()

    installation.promoted(4)
    assert installation.champion() == 4

    move(installation, 3)
    assert installation.champion() == 4
    assert parked(installation) == []


def test_between_the_approval_of_a_promotion_and_its_move(installation: Installation) -> None:
    installation.promoted(2)
    third = installation.asked(3)
    installation.click("ana", third, "approve")
    installation.clock.ahead -= timedelta(days=1)
    installation.settle()

    move(installation, 2)

    assert installation.champion() == 3
    assert parked(installation) == []


def test_after_a_watch_began(open_installation: Callable[..., Installation]) -> None:
    """What was there at the beginning gives way to what is approved after it."""
    installation = open_installation(observed="revert")
    bind_by_hand("ana@example.com", "", "", installation.s)
    installation.clock.ahead += timedelta(days=1)
    for _ in range(2):
        installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    installation.clock.ahead -= timedelta(days=1)
    installation.promoted(2)

    move(installation, 1)

    assert installation.champion() == 2


@pytest.mark.parametrize("then", [pytest.param("moved by hand", marks=pytest.mark.proof), "approved"])
def test_after_a_backup_that_is_restored(then: str, installation: Installation) -> None:
    """What an admin accepts, and what is approved after it, is later than all that the backup has."""
    installation.clock.ahead = timedelta(minutes=2)
    installation.promoted(4)
    made_at = installation.clock.now() + timedelta(minutes=1)
    installation.ask(2, "champion")  # approved after the backup, which is lost
    installation.clock.ahead = timedelta()
    begin_again(made_at, installation.s)
    accept_registry("seen", person_named("ana@example.com", installation.s), installation.s)
    installation.settle()
    installation.sweep()

    if then == "approved":
        installation.approve(asked_of(installation.model, 3, installation))
    move(installation, 1)

    assert installation.champion() == (3 if then == "approved" else 2)
