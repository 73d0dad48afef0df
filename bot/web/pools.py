"""Threads in pools, one pool for a group of routes: a slow route cannot take the threads that another one needs.

Within a pool clients take turns, so one client with many requests delays itself and not the others.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

import structlog

log = structlog.get_logger()


class Task(Protocol):
    """A connection with a whole request."""

    def service(self) -> None: ...
    def cancel(self) -> None: ...


class Waiting:
    """Tasks that wait for a thread, by client. At most `most`; not safe to share between threads without a lock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_client: OrderedDict[str, deque[Task]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, client: str, task: Task) -> Task | None:
        """Returns the task that has to go when all places are taken: the newest of the client with the most tasks."""
        self._by_client.setdefault(client, deque()).append(task)
        self._count += 1
        if self._count <= self._most:
            return None
        greediest = max(self._by_client, key=lambda one: len(self._by_client[one]))
        return self._remove(greediest, newest=True)

    def take(self) -> Task:
        """The oldest task of the client whose turn it is."""
        client = next(iter(self._by_client))
        task = self._remove(client, newest=False)
        if client in self._by_client:
            self._by_client.move_to_end(client)
        return task

    def _remove(self, client: str, *, newest: bool) -> Task:
        tasks = self._by_client[client]
        task = tasks.pop() if newest else tasks.popleft()
        if not tasks:
            del self._by_client[client]
        self._count -= 1
        return task


class Threads:
    """The threads of one pool. They are daemons: the process may end while one waits for a vendor."""

    def __init__(self, name: str, count: int, most_waiting: int) -> None:
        self._waiting = Waiting(most_waiting)
        self._changed = threading.Condition()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"web-{name}-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def add(self, client: str, task: Task) -> Task | None:
        """Returns the task that has no place, if any."""
        with self._changed:
            refused = self._waiting.add(client, task)
            self._changed.notify()
        return refused

    def stop(self, deadline: float) -> None:
        """Ends idle threads, cancels what waits, and gives the others until `deadline` (of time.monotonic)."""
        with self._changed:
            self._stopping = True
            while self._waiting:
                self._waiting.take().cancel()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (task := self._next()) is not None:
            _serve(task)

    def _next(self) -> Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            return None if self._stopping else self._waiting.take()


def _serve(task: Task) -> None:
    serve: Callable[[], None] = task.service
    try:
        serve()
    except Exception:  # a thread that dies here would be missing for good
        log.exception("request_failed")
        task.cancel()
