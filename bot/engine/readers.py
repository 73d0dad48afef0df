"""How many jobs of a worker may read files at once. Reading may take minutes, and looks and ways back must find a free thread meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import Temporary

READERS = 6  # of a worker's ten jobs


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
