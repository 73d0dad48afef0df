"""A figure with its bar, and how time and memory are measured in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MORE_MEMORY = 50.0  # megabytes


@dataclass(frozen=True)
class Figure:
    """`bar` is the most that is good; None for one that is only shown."""

    what: str
    value: float
    unit: str
    bar: float | None = None

    @property
    def is_met(self) -> bool:
        return self.bar is None or self.value <= self.bar


@dataclass(frozen=True)
class Measured:
    seconds: float
    megabytes: float  # more at the peak than before


def measured(act: Callable[[], object]) -> Measured:
    before, began = _memory("VmRSS"), time.perf_counter()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    act()
    return Measured(time.perf_counter() - began, _memory("VmHWM") - before)


def _memory(line: str) -> float:
    status = dict(one.split(":", 1) for one in Path("/proc/self/status").read_text().splitlines())
    return int(status[line].split()[0]) / 1024
