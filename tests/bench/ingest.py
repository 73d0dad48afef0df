"""Rows a, a' and i: taking a webhook, through the web server of the product, against the least that it could cost there.

Floor and product are each a process with a separate PostgreSQL, both up at once; they take turns of a second, both ways round, and the
paired ratios count. The floor (`floor_web`) verifies the same signature and commits one insert of the same row.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from bot.sandbox.serving import serving
from tests.bench.bars import Figure, figure
from tests.bench.floor_web import make_table
from tests.bench.load import Seen, all_of, as_fast_as_possible, at_a_pace
from tests.bench.machine import processor_time_of
from tests.bench.pace import workers_of
from tests.bench.processes import Running, Stage, floor_web, stage, web

ROUNDS, SLICE = 10, 1.0
CONTESTED = 1_000
SLOW_SECONDS, A_SECOND, VENDORS_TAKE = 20.0, 50.0, 30.0


@dataclass(frozen=True)
class Side:
    """One or two processes on one database."""

    on: Stage
    processes: tuple[Running, ...]

    def slice_of(self, seconds: float, processes: int = 1) -> tuple[Seen, float]:
        """What was seen, and the processor time of a request: the web process's and its PostgreSQL's."""
        used = self.processes[:processes]
        pids = [one.pid for one in used] + [self.on.postmaster]
        before = processor_time_of(*pids)
        seen = as_fast_as_possible([one.port for one in used], seconds)
        return seen, (processor_time_of(*pids) - before) / max(1, len(seen.accepted))


def ingest() -> Iterator[Figure]:
    with ExitStack() as stack:
        ours, floor = _sides(stack, 1)
        costs, rates, latencies, refused = [], [], [], 0
        accepted: list[str] = []
        for number in range(-1, ROUNDS):  # the first round warms up
            first, second = (ours, floor) if number % 2 else (floor, ours)
            results = {id(side): side.slice_of(SLICE) for side in (first, second)}
            (seen, cost), (least, least_cost) = results[id(ours)], results[id(floor)]
            refused += len(seen.others)
            accepted += seen.accepted
            if number >= 0:
                costs.append(cost / least_cost)
                rates.append(seen.rate / least.rate)
                latencies.append(seen.p99 / least.p99)
        stored = ours.on.count("select count(*) from deliveries")
    yield figure("ingest cpu", costs)
    yield figure("ingest rate", rates)
    yield figure("ingest p99", latencies)
    yield figure("ingest refused", refused, f"of {len(accepted):,}")
    yield figure("ingest lost", max(0, len(accepted) - stored), f"of {len(accepted):,}")


def ingest_while_vendors_are_slow() -> Iterator[Figure]:
    """The worker runs too, and hangs in the vendors' calls."""
    with serving(_Slow()) as vendors, stage(vendors) as on, web(on) as door, workers_of(on.environ, 1, on.home):
        seen = at_a_pace([door.port], SLOW_SECONDS, A_SECOND)
        stored = on.count("select count(*) from deliveries")
    scale = f"{len(seen.seconds):,} webhooks"
    yield figure("slow p99", seen.p99 * 1000, scale)
    yield figure("slow longest", max(seen.seconds) * 1000, scale)
    yield figure("slow lost", len(seen.others) + len(seen.accepted) - stored, scale)


def replicas() -> Iterator[Figure]:
    with ExitStack() as stack:
        ours, floor = _sides(stack, 2)
        scalings: dict[int, list[float]] = {id(ours): [], id(floor): []}
        for number in range(-1, 2 * ROUNDS // 3):
            for side in (ours, floor) if number % 2 else (floor, ours):
                one, two = (side.slice_of(SLICE, processes)[0].rate for processes in (1, 2))
                if number >= 0:
                    scalings[id(side)].append(two / one)
        before = ours.on.count("select count(*) from deliveries")
        deliveries = [uuid.uuid4().hex for _ in range(CONTESTED)]
        seen = all_of([one.port for one in ours.processes], deliveries, len(ours.processes))
        stored = ours.on.count("select count(*) from deliveries") - before
    pairs = zip(scalings[id(ours)], scalings[id(floor)], strict=True)
    yield figure("replicas", [mine / least for mine, least in pairs])
    yield figure("replicas doubled", abs(CONTESTED - stored) + len(seen.others))


def _sides(stack: ExitStack, processes: int) -> tuple[Side, Side]:
    mine, least = stack.enter_context(stage()), stack.enter_context(stage())
    make_table(least.url)
    ours = tuple(stack.enter_context(web(mine)) for _ in range(processes))
    floor = tuple(stack.enter_context(floor_web(least.url, least.home)) for _ in range(processes))
    return Side(mine, ours), Side(least, floor)


class _Slow:
    """Every vendor, each of whose answers takes very long."""

    def __call__(self, _environ: object, start_response: object) -> list[bytes]:
        time.sleep(VENDORS_TAKE)
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])  # type: ignore[operator]
        return [b"busy"]
