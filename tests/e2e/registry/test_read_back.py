"""After its own move the bot reads the registry again: what somebody else did in that moment is never recorded as ours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bot.domain.model import State
from bot.ports import ModelRegistry
from handlers.effects import effects_of
from tests.fixtures.installation import Installation


@dataclass(frozen=True)
class Contested:
    """The registry, in which somebody gives the alias to another version, or takes it away, right after each of our moves."""

    registry: ModelRegistry
    installation: Installation
    instead: int | None

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        self.registry.set_alias(model, alias, version)
        if self.instead is None:
            self.installation.mlflow.delete_registered_model_alias(model, alias)
        else:
            self.installation.mlflow.set_registered_model_alias(model, alias, str(self.instead))


@pytest.mark.parametrize(
    ("instead", "ends_as"),
    [(1, State.APPROVED), (None, State.STALE)],
    ids=["another version, and the move is tried again", "no version, and people are asked again"],
)
def test_what_somebody_does_right_after_our_move_keeps_it_from_being_recorded_as_applied(
    installation: Installation, instead: int | None, ends_as: State
) -> None:
    installation.promoted()
    request = installation.asked()
    installation.click("ana", request, "approve")
    contested = replace(installation.s, registry=Contested(installation.s.registry, installation, instead))

    installation.s.store.jobs.drain(effects_of(contested))

    assert installation.reread(request).state is ends_as
    assert installation.champion() == instead
