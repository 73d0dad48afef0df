"""What people do in the registry while the bot reads an approved version's files ends the approval, and moves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from bot.domain.model import Evidence, State
from bot.ports import ModelRegistry
from handlers.effects import effects_of
from tests.fixtures.installation import Installation


@dataclass(frozen=True)
class Slow:
    """The registry, in which something happens right after the files were read."""

    registry: ModelRegistry
    happen: Callable[[], None]
    moves: list[int] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def at(self, workspace: str) -> Slow:
        self.registry.at(workspace)
        return self

    def read_evidence(self, *asked: object, **more: object) -> Evidence:
        read: Callable[..., Evidence] = self.registry.read_evidence
        found = read(*asked, **more)
        self.happen()
        return found

    def set_alias(self, model: str, alias: str, version: int) -> None:
        self.moves.append(version)
        self.registry.set_alias(model, alias, version)


def delete(installation: Installation) -> None:
    installation.mlflow.delete_model_version(installation.model, "2")


def delete_and_create_the_model(installation: Installation) -> None:
    """So the numbers are used again, which MLflow's own store never does for a deleted version alone."""
    installation.mlflow.delete_registered_model(installation.model)
    for _ in range(2):
        installation.register()


def move_the_alias(installation: Installation) -> None:
    installation.mlflow.set_registered_model_alias(installation.model, "champion", str(installation.register()))


def delete_the_holder(installation: Installation) -> None:
    installation.mlflow.delete_model_version(installation.model, "1")


def rename(installation: Installation) -> None:
    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-renamed")


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (delete, "was deleted"),
        pytest.param(delete_and_create_the_model, "was deleted, or deleted and created again", marks=pytest.mark.proof),
        (move_the_alias, "champion"),
        pytest.param(delete_the_holder, "champion", marks=pytest.mark.proof),
        pytest.param(rename, "was deleted", marks=pytest.mark.proof),
    ],
    ids=["version deleted", "model created again", "alias moved", "holder deleted", "model renamed"],
)
def test_what_happens_meanwhile_ends_the_approval_and_moves_nothing(
    installation: Installation, happens: Callable[[Installation], None], why: str
) -> None:
    installation.promoted()
    request = installation.asked()
    installation.click("ana", request, "approve")
    done: list[bool] = []

    def once() -> None:
        if not done:
            done.append(True)
            happens(installation)

    slow = Slow(installation.s.registry, once)
    installation.s.store.jobs.drain(effects_of(replace(installation.s, registry=slow)))  # type: ignore[arg-type]

    ended = installation.reread(request)
    assert done == [True]
    assert (ended.state, slow.moves) == (State.STALE, [])
    assert why in ended.outcome
    assert installation.unfinished() == []
