"""Rows g, starts and h: what a process costs until it is ready, and what it holds then.

Floors: an empty Python, and a Python that imports the same libraries and nothing of ours. All of them have what an installation has.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence

from tests.bench.bars import Figure, figure
from tests.bench.installed import runtime_python
from tests.bench.load import exactly
from tests.bench.machine import cost_of, memory_of, processor_time_of
from tests.bench.processes import Stage, child, stage, wait_until, web

ROUNDS = 5
EVENTS = 10_000
OURS = ("bot", "handlers", "config")
IDLE = 0.1  # seconds of processor time in two seconds
SIGNS = {"worker": "procrastinate_workers", "clock": "clock_ticks"}  # tables that are empty before it is ready
READING = (("list",), ("requests", "list"), ("history", "bike-demand"))
MODULES = (
    "import sys\nimport {module}\n"
    "print(*(n for n, m in sys.modules.items() if getattr(m, '__file__', None) and n.partition('.')[0] not in {ours}))"
)
HOLD = """
import importlib
from contextlib import suppress
for name in {names!r}:
    with suppress(Exception):
        importlib.import_module(name)
"""


def command_starts() -> Iterator[Figure]:
    with stage() as on:
        python = runtime_python(on.home / "installed")
        helps, ratios, reading = [], [], []
        for _ in range(ROUNDS):
            _, least, _ = cost_of([python, "-c", "pass"])
            _, spent, _ = cost_of([python, "-m", "bot", "--help"])
            helps.append(spent)
            ratios.append(spent / max(least, 0.001))
            reading += [_spent_by([python, "-m", "bot", *words], on) for words in READING]
    yield figure("start help", helps)
    yield figure("start help ratio", ratios)
    yield figure("start reading", reading)


def processes(events: int = EVENTS) -> Iterator[Figure]:
    with stage() as on:
        python = runtime_python(on.home / "installed")
        floor = [python, "-c", HOLD.format(names=_libraries(python, "bot.app"))]
        pairs = [(cost_of([python, "-c", "import bot.app"])[1], cost_of(floor)) for _ in range(ROUNDS)]
        least = statistics.median(cost[1] for _, cost in pairs)
        held = statistics.median(cost[2] for _, cost in pairs)
        starts, memories = [], []
        for _ in range(ROUNDS):
            with web(on, python) as door:
                starts.append(door.start_cost / least)
                memories.append(memory_of(door.pid))
        worker, clock = (_memory_of_ready(python, name, on) for name in ("worker", "clock"))
        with web(on, python) as door:
            exactly([door.port], events)
            before = memory_of(door.pid)
            exactly([door.port], events)
            grown = memory_of(door.pid) - before
    yield figure("app imports", [spent / cost[1] for spent, cost in pairs])
    yield figure("web start", starts)
    yield figure("web memory", [memory / held for memory in memories])
    yield figure("web resident", memories)
    yield figure("worker resident", worker)
    yield figure("clock resident", clock)
    yield figure("web growth", grown, f"{events:,} webhooks")


def _libraries(python: str, module: str) -> list[str]:
    """What importing it brings in that is not ours."""
    code = MODULES.format(module=module, ours=OURS)
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def _spent_by(command: Sequence[str], on: Stage) -> float:
    nothing_there = 4
    return cost_of(command, on.environ, (0, nothing_there))[1]


def _memory_of_ready(python: str, name: str, on: Stage) -> float:
    """Once the database shows that it works, and its processor time no longer grows."""
    log = on.home / f"{name}.log"
    with child([python, "-m", "bot", name], on.environ, log) as process:
        wait_until(lambda: on.count(f"select count(*) from {SIGNS[name]}") > 0, process, log)
        spent = -1.0
        while (now := processor_time_of(process.pid)) > spent + IDLE:
            spent = now
            time.sleep(2)
        return memory_of(process.pid)
