"""A clock that was set back by seconds, and a rename after it: what was decided before counts under the new name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.e2e.custody.test_vouched_baselines import champion_of, move, parked
from tests.fixtures.installation import Installation


@pytest.fixture
def installation(open_installation: Callable[..., Installation]) -> Installation:
    """v2 was approved and applied, and v1 is baseline."""
    installation = open_installation(observed="revert")
    for _ in range(3):
        installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    return installation


def rename(before: str, after: str, installation: Installation) -> None:
    installation.mlflow.rename_registered_model(before, after)
    installation.sweep()


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
