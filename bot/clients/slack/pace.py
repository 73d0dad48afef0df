"""Keeps replies to the pace that Slack asks for. What is too fast all the same is answered with 429, which `slack_calls` tells."""

from __future__ import annotations

import threading
from collections.abc import Callable

Seconds = Callable[[], float]
Wait = Callable[[float], None]


class Pace:
    """About one message a second for a channel: https://docs.slack.dev/apis/web-api/rate-limits. Thread-safe."""

    def __init__(self, clock: Seconds, wait: Wait) -> None:
        self.seconds = 1.0
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._free_at: dict[str, float] = {}

    def note(self, channel: str) -> None:
        """A message that waits for nobody has just been posted there."""
        with self._lock:
            self._free_at[channel] = self._clock() + self.seconds

    def keep(self, channel: str) -> None:
        """Waits until it is this message's turn."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._free_at.get(channel, now))
            self._free_at[channel] = turn + self.seconds
        if turn > now:
            self._wait(turn - now)
