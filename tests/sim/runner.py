"""One seed from its first sweep to the last: people act, workers work, now and then an undisturbed sweep, and at last quiet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
import structlog

from bot.store import tables
from handlers.attestation.signing import register_key
from handlers.policy.activation import activate_policy
from tests.sim.laws.after_sweeps import AfterSweeps
from tests.sim.laws.in_the_end import check_all
from tests.sim.laws.watcher import Watcher
from tests.sim.people.actions import act
from tests.sim.people.picks import BIKE, CHURN, PROD
from tests.sim.people.policies import MODEL, STAGE, first_choices
from tests.sim.people.surroundings import SWEEPS, sweep, tick_all
from tests.sim.world import Database, InForce, Plants, World

ACTIONS_IN_A_ROW = (2, 5)
ROUNDS = (3, 5)
PATIENCE = 5  # looks of two and a half minutes each until an undisturbed sweep must have found everything
QUIET_LOOKS = 60
# A card that is due at the end of a freeze takes the clock there, so what the freeze held goes on in the second round.
LAST_ROUNDS = (
    (*SWEEPS, "expire_requests", "tell_waiting", "thaw_approvals"),
    (*SWEEPS, "expire_requests", "thaw_approvals"),
    SWEEPS,
)


@dataclass(frozen=True)
class Outcome:
    """`head` is the ledger's, in hexadecimal digits; `seconds` of this process's CPU time."""

    seed: int
    violations: tuple[str, ...]
    head: str
    entries: int
    turns: int
    story: tuple[str, ...]
    seconds: float


def run(seed: int, database: Database, *, traces: bool = False, planted: Plants | None = None) -> Outcome:
    """`planted` are bugs, by the effects in whose place they come: whoever trusts the laws wants to see them fail."""
    begun = time.process_time()
    world = World(seed, database, traces, planted or {})
    with _silence(), world.running():
        _begin(world)
        checker = AfterSweeps(world)
        random = world.people_random
        for _ in range(random.randint(*ROUNDS)):
            for _ in range(random.randint(*ACTIONS_IN_A_ROW)):
                act(world)
                world.work(random.choice([0, 1, 3, 8, 20]))
            _sweep_undisturbed(world, checker)
        _quieten(world)
        check_all(world)
    head, entries = _head(world)
    told = time.process_time() - begun
    return Outcome(seed, tuple(world.violations), head, entries, world.turns, tuple(world.story), told)


def _begin(world: World) -> None:
    """A registry with a past, the first policy, and the baseline."""
    random, registry = world.stream("beginning"), world.registry
    world.choices = first_choices(random)
    for number in range(random.randint(1, 3)):
        registry.hand_register(random.choice(["bea", "dan"]), BIKE, f"old{number}", 38.0)
    registry.hand_register("dan", CHURN, "churn0", 38.0)
    if random.random() < 0.6:
        registry.hand_alias("dan", BIKE, "champion", 1)
    if world.choices.target == STAGE and random.random() < 0.6:
        registry.hand_stage("dan", BIKE, 1, "Production")
    if world.choices.target == MODEL or random.random() < 0.3:
        for _ in range(random.randint(0, 2)):
            registry.hand_copy("dan", BIKE, 1, PROD, {})
    activated = activate_policy(world.choices.text, "policy.yaml", world.plain)
    assert activated is not None
    begun = len(registry.history)
    world.policies.append(InForce(activated.id, begun, begun, world.clock.now(), activated.policy))
    register_key(world.plain)
    world.fate.is_calm = world.weather.is_calm = True
    registry.saw = Watcher(world).saw
    sweep(world, random)
    world.settle()
    world.baseline_tick = len(registry.history)
    _, world.baseline_seq = _head(world)
    world.fate.is_calm = world.weather.is_calm = False


def _sweep_undisturbed(world: World, checker: AfterSweeps) -> None:
    """Vendors answer, nobody dies; what cannot be read stays unreadable, and what waits for its time goes on waiting."""
    world.fate.is_calm = world.weather.is_calm = True
    world.registry.is_emptied = False
    world.tell("--- vendors answer and the clock comes round")
    for _ in range(PATIENCE):
        sweep(world, world.people_random)
        world.settle()
        missing = checker.what_is_missing()
        if not missing:
            break
        world.clock.pass_by(timedelta(minutes=2.5))
    for law, how in missing:
        world.violate(law, how)
    checker.remember()
    world.looked_at.append(world.clock.now())
    world.fate.is_calm = world.weather.is_calm = False


def _quieten(world: World) -> None:
    """Everything is mended, parked jobs are replayed, and time passes until nothing waits any more."""
    world.fate.is_calm = world.weather.is_calm = True
    world.registry.is_emptied = False
    world.registry.unreadable.clear()
    world.tell("--- everything is mended, and quiet returns")
    for ticks in LAST_ROUNDS:
        replayed = world.workers.replay_parked()
        world.tell(f"the operator replays {', '.join(replayed) or 'nothing'}")
        for _ in range(QUIET_LOOKS):
            world.settle()
            next_due = world.workers.next_due()
            if next_due is None:
                break
            world.clock.pass_by(max(timedelta(0), next_due - world.clock.now()))
        world.clock.pass_by(timedelta(seconds=61))
        world.begin("the clock comes round", lambda ticks=ticks: tick_all(world, ticks))
        world.settle()


def _head(world: World) -> tuple[str, int]:
    rows = tables.ledger.c
    with world.database.engine.connect() as connection:
        last = connection.execute(sa.select(rows.seq, rows.head).order_by(rows.seq.desc()).limit(1)).one()
    return bytes(last.head).hex(), int(last.seq)


@contextmanager
def _silence() -> Iterator[None]:
    """The product's own lines would drown the story."""
    before = structlog.get_config()
    structlog.configure(logger_factory=lambda *_: _Nowhere())
    try:
        yield
    finally:
        structlog.configure(**before)


class _Nowhere:
    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None
