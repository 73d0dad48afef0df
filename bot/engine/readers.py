"""How many jobs of a worker may read files, or wait for a turn to post, at once: looks and ways back must find a free thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import Temporary

READERS = 6  # of a worker's ten jobs
SLEEPERS = 3  # the others go back to their lanes


class Readers:
    """Counts in its own process; every worker has its own."""

    def __init__(self, limit: int = READERS) -> None:
        self._free = threading.BoundedSemaphore(limit)

    @contextmanager
    def take(self, *, is_way_back: bool = False) -> Iterator[None]:
        """Raises Temporary while too many others read. A way back does not wait for them."""
        if is_way_back:
            yield
            return
        if not self._free.acquire(blocking=False):
            raise Temporary("other jobs are reading files. This one will be tried again.")
        try:
            yield
        finally:
            self._free.release()


class Sleepers:
    """Who waits in their thread for a moment, because going back to the lane would take longer. Counts in its own process."""

    def __init__(self, limit: int = SLEEPERS) -> None:
        self._free = threading.BoundedSemaphore(limit)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Whether there is one left to sleep in."""
        is_free = self._free.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                self._free.release()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)
