"""How often a failed effect is tried again, and the names of our one task in the engine. What only defers jobs needs no more."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

TASK = "run_effect"
QUEUE = "effects"
LONGEST_WAIT = 15 * 60.0  # seconds; a maintenance page may say `Retry-After: 86400` and be gone in five minutes


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class RetryPolicy:
    """How often and for how long an effect is retried. `base` and `cap` in seconds; `bug_attempts` counts all attempts.

    `spread` draws the share of each wait that is used (jitter), so that jobs that failed together do not retry together.
    """

    base: float = 1.0
    cap: float = 30.0
    horizon: timedelta = timedelta(hours=72)
    bug_attempts: int = 5
    spread: Callable[[float, float], float] = random.uniform
