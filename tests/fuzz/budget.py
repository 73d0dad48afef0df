"""How long one target is fuzzed: for some seconds, or until it has taken so many inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass

SECONDS = 60  # for each target, unless the caller says otherwise


@dataclass(frozen=True)
class Budget:
    """Of one target; None is no limit."""

    seconds: int | None
    inputs: int | None = None

    def is_spent(self, seconds: float, inputs: int) -> bool:
        is_late = self.seconds is not None and seconds > self.seconds
        return is_late or (self.inputs is not None and inputs >= self.inputs)

    @property
    def words(self) -> tuple[str, str]:
        """For the command line of the process that fuzzes the target; 0 is no limit."""
        return str(self.seconds or 0), str(self.inputs or 0)


def budget_for(targets: int, seconds: int, inputs: int | None) -> Budget:
    """Of each target. A number of inputs is for all of them together, and then time does not count."""
    return Budget(seconds) if inputs is None else Budget(None, math.ceil(inputs / targets))


def read_budget(seconds: str, inputs: str) -> Budget:
    """Of `words`."""
    return Budget(int(seconds) or None, int(inputs) or None)
