"""Waits for events on all sockets. What it costs depends on the connections that do something, and not on those that only wait.

waitress's own loop asks every connection on every turn, which with a thousand of them takes longer than the work.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable

from waitress import wasyncore


class Watch:
    """For one thread; only it may close what is watched. While `is_busy`, other threads may change what a connection waits for."""

    def __init__(self, is_busy: Callable[[wasyncore.dispatcher], bool]) -> None:
        self._is_busy = is_busy
        self._selector = selectors.DefaultSelector()
        self._events: dict[int, int] = {}
        self._busy: set[wasyncore.dispatcher] = set()

    def add(self, one: wasyncore.dispatcher) -> None:
        self._busy.add(one)

    def forget(self, one: wasyncore.dispatcher, fileno: int | None) -> None:
        """Call it before the socket is closed."""
        self._busy.discard(one)
        if fileno is not None and self._events.pop(fileno, 0):
            self._selector.unregister(fileno)

    def turn(self, seconds: float) -> None:
        """Handles what happens next, or nothing when nothing happens within `seconds`."""
        for one in list(self._busy):
            self._update(one)
        for key, events in self._selector.select(seconds):
            one = key.data
            if events & selectors.EVENT_READ and one._fileno is not None:
                wasyncore.read(one)
            if events & selectors.EVENT_WRITE and one._fileno is not None:
                wasyncore.write(one)
            if one._fileno is not None:
                self._busy.add(one)

    def close(self) -> None:
        self._selector.close()

    def _update(self, one: wasyncore.dispatcher) -> None:
        if one._fileno is None:
            self._busy.discard(one)
            return
        busy = self._is_busy(one)  # asked first: if its thread ends after this, it is looked at again on the next turn
        wanted = selectors.EVENT_READ * bool(one.readable()) | selectors.EVENT_WRITE * bool(one.writable())
        now = self._events.get(one._fileno, 0)
        if wanted and not now:
            self._selector.register(one._fileno, wanted, one)
        elif wanted and wanted != now:
            self._selector.modify(one._fileno, wanted, one)
        elif now and not wanted:
            self._selector.unregister(one._fileno)
        self._events[one._fileno] = wanted
        if not busy:
            self._busy.discard(one)
