"""`python -m tests.chaos`: jobs a second before and after each fault, ours beside bare procrastinate, as medians of interleaved batches.

Each rate is divided by that of a twin of the engine that no fault meets, measured in the same moment: other load on the machine then
falls out, and so does what a growing database costs. Batches that warm up come first, because a new database is faster, and each database
is vacuumed before the batches of a side. With each ratio goes the interval that 90 of 100 repetitions would fall into (bootstrap). More
batches run until it lies on one side of the bar. Exit code 1 when ours is below the bar, or may be. The same seed makes the same order of
faults.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bot.database import embedded
from tests.chaos.contestants import Arena, arena

BAR = 0.95
IN_FLIGHT = 60  # jobs that wait or run when the fault comes
RECOVERY_PATIENCE: Mapping[str, float] = {"ours": 60.0, "bare": 30.0}  # seconds from the fault's end, for them
MORE_ROUNDS = 4  # times as many again at the most, while the interval has the bar in it
RESAMPLES = 2_000
KILLS = 6
CONNECTIONS_AT_MOST = 1_000


def restart(world: Arena) -> None:
    embedded.stop(world.home)
    embedded.start(world.home)


def backend_kill(world: Arena) -> None:
    end = (
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    for one in world.harmed:
        with psycopg.connect(one.url) as connection:
            connection.execute(end.encode())


def pool_exhaustion(world: Arena) -> None:
    """Others take every connection that is left, and the workers lose theirs, for five seconds."""
    with ExitStack() as stack:
        taken = _take_all_connections(world, stack)
        mine = [one.info.backend_pid for one in taken]
        others = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> all(%s)"
        taken[0].execute(others, (mine,))
        _take_all_connections(world, stack)
        time.sleep(5)


def _take_all_connections(world: Arena, stack: ExitStack) -> list[psycopg.Connection]:
    taken: list[psycopg.Connection] = []
    while len(taken) < CONNECTIONS_AT_MOST:
        try:
            taken.append(stack.enter_context(psycopg.connect(world.ours.url, autocommit=True)))
        except psycopg.OperationalError:
            return taken
    raise RuntimeError(f"PostgreSQL takes more than {CONNECTIONS_AT_MOST} connections, so they cannot be used up")


def crash(world: Arena) -> None:
    for one in world.harmed:
        one.worker.kill()


def repeated_kills(world: Arena) -> None:
    for _ in range(KILLS):
        crash(world)
        time.sleep(2)


FAULTS: Mapping[str, Callable[[Arena], None]] = {
    deed.__name__: deed for deed in (restart, backend_kill, pool_exhaustion, crash, repeated_kills)
}


@dataclass
class Rates:
    """For each harmed engine its rates, divided by that of its twin in the same round."""

    of: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "bare": []})
    plain: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "bare": []})

    def add(self, more: Rates) -> None:
        for engine in self.of:
            self.of[engine] += more.of[engine]


@dataclass(frozen=True)
class Ratio:
    """Of medians, after / before, with the interval of 90 %."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    fault: str
    ratios: dict[str, Ratio]
    recovered: dict[str, float | None]
    rate: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seed", type=int, default=None, help="Default: a new one, which is printed.")
    parser.add_argument("--rounds", type=int, default=12, help="of batches before, and after, each fault. Default: 12.")
    parser.add_argument("--warm-up", type=int, default=20, help="batches before the first fault. Default: 20.")
    parser.add_argument("--jobs", type=int, default=200, help="in a batch. Default: 200.")
    parser.add_argument("--faults", nargs="*", default=list(FAULTS), choices=list(FAULTS), metavar="FAULT")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, as Ctrl-C does
    seed = random.randrange(10**6) if given.seed is None else given.seed
    say(f"seed {seed}: python -m tests.chaos --seed {seed} --rounds {given.rounds} --jobs {given.jobs}")
    chance = random.Random(seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="countersign-chaos-") as home, arena(Path(home)) as world:
        measure(world, given.warm_up, given.jobs, chance)
        outcomes = run(world, chance.sample(given.faults, len(given.faults)), given.rounds, given.jobs, chance)
    say(
        f"bar: ours, after / before >= {BAR:g} for each fault, and every job run; took {time.monotonic() - began:.0f} s"
    )
    return 0 if all(verdict(one) == "ok" for one in outcomes) else 1


def row(one: Outcome) -> str:
    ratios = f"{spread(one.ratios['ours']):>20} {spread(one.ratios['bare']):>18}"
    recovered = f"{seconds(one.recovered['ours']):>16} {seconds(one.recovered['bare']):>8}"
    return f"{one.fault:<16} {ratios} {recovered} {one.rate:>7.0f}  {verdict(one)}"


def verdict(one: Outcome) -> str:
    ours = one.ratios["ours"]
    if one.recovered["ours"] is None or ours.high < BAR:
        return "MISSED"
    return "ok" if ours.low >= BAR else "undecided"


def spread(one: Ratio) -> str:
    return f"{one.median:.2f} [{one.low:.2f} to {one.high:.2f}]"


def run(
    world: Arena,
    faults: list[str],
    rounds: int,
    jobs: int,
    chance: random.Random,
    patience: Mapping[str, float] = RECOVERY_PATIENCE,
) -> list[Outcome]:
    say(f"{'fault':<16} {'ours, after / before':>20} {'bare':>18} {'recovered: ours':>16} {'bare':>8} {'jobs/s':>7}")
    for one in world.all:
        one.batch(min(jobs, 20))  # until they have connected
    outcomes = []
    for name in faults:
        before = measure(world, rounds, jobs, chance)
        recovered = break_and_recover(world, name, patience)
        after = measure(world, rounds, jobs, chance)
        while undecided(ratio(before, after, "ours", chance)) and len(after.of["ours"]) < rounds * (1 + MORE_ROUNDS):
            after.add(measure(world, rounds, jobs, chance))
        ratios = {engine: ratio(before, after, engine, chance) for engine in before.of}
        outcomes.append(Outcome(name, ratios, recovered, statistics.median(before.plain["ours"])))
        say(row(outcomes[-1]))
    return outcomes


def break_and_recover(world: Arena, name: str, patience: Mapping[str, float]) -> dict[str, float | None]:
    """Seconds from the fault's end until what was in flight had run; None when it had not in that time."""
    waiting = {one.engine: one.defer(IN_FLIGHT) for one in world.harmed}
    FAULTS[name](world)
    ended = time.monotonic()
    recovered: dict[str, float | None] = {}
    for one in world.harmed:
        left = patience[one.engine] - (time.monotonic() - ended)
        done = one.wait_for(waiting[one.engine], IN_FLIGHT, left)
        recovered[one.engine] = time.monotonic() - ended if done else None
    return recovered


def measure(world: Arena, rounds: int, jobs: int, chance: random.Random) -> Rates:
    """Each round runs a batch on each engine, in an order of its own."""
    for one in world.all:
        one.vacuum()
    rates = Rates()
    for _ in range(rounds):
        found = {one.worker.name: one.batch(jobs) for one in chance.sample(world.all, len(world.all))}
        for one in world.harmed:
            rates.of[one.engine].append(found[one.worker.name] / found[(one.twin or one).worker.name])
            rates.plain[one.engine].append(found[one.worker.name])
    return rates


def ratio(before: Rates, after: Rates, engine: str, chance: random.Random) -> Ratio:
    def again(rates: list[float]) -> float:
        return statistics.median(chance.choices(rates, k=len(rates)))

    old, new = before.of[engine], after.of[engine]
    drawn = sorted(again(new) / again(old) for _ in range(RESAMPLES))
    low, high = drawn[RESAMPLES // 20], drawn[-RESAMPLES // 20]
    return Ratio(statistics.median(new) / statistics.median(old), low, high)


def undecided(one: Ratio) -> bool:
    return one.low < BAR <= one.high


def seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
