"""What happens by itself: time passes, clocks tick, MLflow loses its database or its files. Each returns whether it was possible."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from random import Random

from handlers.doors.clock import HOUSEKEEPING, tick
from handlers.registry.reconcile import defer_look
from tests.sim.people.picks import (
    BIKE,
    WORKSPACE,
    a_version,
)
from tests.sim.registry import ELSEWHERE, HOME
from tests.sim.world import World

SWEEPS = ("sweep_versions", "sweep_models")


def empty_registry(world: World, random: Random) -> bool:
    """MLflow is restarted on an empty database, which may say that it is another one; a sweep comes by; then things are back."""
    world.registry.is_emptied = not world.registry.is_emptied
    world.registry.shown_identity = random.choice([ELSEWHERE, ELSEWHERE, None, HOME])
    world.tell("MLflow shows nothing" if world.registry.is_emptied else "MLflow shows everything again")
    sweep(world, random)
    return True


def break_evidence(world: World, random: Random) -> bool:
    version = a_version(world, random, BIKE)
    if version is None or len(world.registry.unreadable) > 1:
        return False
    world.tell(f"the files of {version} cannot be read")
    world.registry.unreadable[version] = "503"
    return True


def mend_evidence(world: World, random: Random) -> bool:
    if not world.registry.unreadable:
        return False
    world.registry.unreadable.clear()
    world.tell("all files can be read again")
    return True


def sweep(world: World, random: Random) -> bool:
    """The clock comes round: both of them, because a second clock does no harm."""
    world.clock.pass_by(timedelta(seconds=61))
    world.begin("the clock ticks for both sweeps", lambda: tick_all(world, SWEEPS))
    return True


def hint(world: World, random: Random) -> bool:
    """A webhook says that something may be new about a model."""

    def body() -> None:
        with world.s.store.transaction() as tx:
            defer_look(tx, WORKSPACE, BIKE)

    world.begin(f"a webhook hints at {BIKE}", body)
    return True


def let_time_pass(world: World, random: Random) -> bool:
    hours = random.choice([0.1, 0.5, 2.0, 9.0, 26.0, 80.0])
    world.clock.pass_by(timedelta(hours=hours))
    effects = [effect for effect in HOUSEKEEPING if effect not in ("close_digests", "forget_old", *world.left_out)]
    world.begin(f"{hours:g} hours pass", lambda: tick_all(world, effects))
    return True


def tick_all(world: World, effects: Iterable[str]) -> None:
    for effect in effects:
        tick(effect, HOUSEKEEPING.get(effect, timedelta(seconds=60)), world.s)
