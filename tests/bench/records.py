"""Row records: the commands that read a long history, each as its own process, against the same command on an empty store."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bot.database.connect import create_engine
from bot.engine.jobs import Jobs
from bot.store.transaction import Store
from config.policy import read_policy
from tests.bench.bars import Figure, figure
from tests.bench.machine import cost_of
from tests.bench.made_up_week import ENTRIES_OF_ONE, fill, put_policy
from tests.bench.processes import stage
from tests.fixtures.clock import SystemClock

ROUNDS = 3
COMMANDS = {
    "list": ("requests", "list", "--limit", "5"),
    "replay": ("policy", "replay", "--since", "90d"),
    "history": ("history", "bike-7"),
    "report": ("fast-track", "report", "--since", "90d"),
}


def records(count: int = 12_500) -> Iterator[Figure]:
    """Wall time, which is what a person waits, and memory at the peak."""
    with stage(has_policy=False) as on:
        store = Store(create_engine(on.url), Jobs(on.url), SystemClock(), {}, read_policy)
        rule_hash = put_policy(store)
        store.engine.dispose()

        def run(name: str) -> tuple[float, float]:
            wall, _, memory = cost_of([sys.executable, "-m", "bot", *COMMANDS[name]], on.environ)
            return wall, memory

        empty = {name: min(run(name)[1] for _ in range(2)) for name in ("list", "replay")}
        fill(on.url, rule_hash, count)
        costs = {name: [run(name) for _ in range(ROUNDS)] for name in COMMANDS}
    scale = f"{count:,} ended requests, {count * ENTRIES_OF_ONE:,} entries"
    yield figure("records list", [wall for wall, _ in costs["list"]], scale)
    yield figure("records list memory", [memory / empty["list"] for _, memory in costs["list"]], scale)
    yield figure("records replay memory", [memory / empty["replay"] for _, memory in costs["replay"]], scale)
    yield figure("records history", [wall for wall, _ in costs["history"]], scale)
    yield figure("records report", [wall for wall, _ in costs["report"]], scale)
