"""What people choose from: the models of a run, their versions, and the place that the rule speaks of."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bot.domain.card.card import Button
from bot.domain.model import Target, TargetKind, VersionId
from bot.domain.request.shown import read_value
from bot.errors import OutsideError
from tests.sim.world import World

BIKE, PROD, CHURN, OLD = "bike-demand", "prod.bike-demand", "churn", "bike-old"
WORKSPACE = "default"


def a_version(world: World, random: Random, model: str) -> VersionId | None:
    """Newer ones more often."""
    there = versions_of(world, model)
    return there[min(int(random.expovariate(0.7)), len(there) - 1)] if there else None


def versions_of(world: World, model: str) -> list[VersionId]:
    held = world.registry.places().get((model, Target(TargetKind.MODEL, model)), ())
    return list(held)


def aliases_of(world: World, model: str) -> dict[str, int]:
    there = world.registry.models.get(model)
    return dict(there.aliases) if there and not world.registry.is_emptied else {}


def mae_of(world: World, content: str) -> float:
    for model in world.registry.models.values():
        for version in model.versions.values():
            if version.content == content:
                return version.mae
    return 35.0


def target_text(world: World) -> str:
    """The rule's target, for the model that it governs."""
    kind, _, name = world.choices.target.strip("{}").partition(": ")
    return f"{kind}:{PROD if kind == 'model' else name}"


def about(world: World, button: Button) -> str:
    with world.store.transaction() as tx:
        request = tx.requests.get(read_value(button.value)[0])
    return f"{request.short_id} ({request.version} -> {request.target})"


def by_hand(world: World, body: Callable[[], object]) -> bool:
    try:
        body()
    except OutsideError:
        return False
    return True
