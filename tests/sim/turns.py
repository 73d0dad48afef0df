"""Turns with a registered model, in one process: a worker that must wait hands its turn back instead of blocking the simulation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from bot.engine.turns import WAIT, WAIT_AGAIN, Turns
from bot.errors import Temporary
from tests.sim.clock import SimClock
from tests.sim.fate import Activity, current

Key = tuple[str, str]


class SimTurns(Turns):
    """The same promises as `bot.engine.turns`, by the simulation's clock. An advisory lock would stop the only thread that runs."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._taken: dict[Key, Activity | None] = {}

    def close(self) -> None:
        """It has no sessions."""

    @contextmanager
    def take(self, workspace: str, model: str) -> Iterator[None]:
        key = (workspace, model)
        self._begin(key, WAIT)
        try:
            yield
        finally:
            self._end(key)

    @contextmanager
    def let_go(self) -> Iterator[None]:
        mine = next((key for key, holder in self._taken.items() if holder is current()), None)
        if mine is not None:
            self._end(mine)
        yield
        if mine is not None:
            self._begin(mine, WAIT_AGAIN)

    def _begin(self, key: Key, seconds: int) -> None:
        """Raises Temporary when another job keeps the turn for longer than that."""
        activity, until = current(), self._clock.now() + timedelta(seconds=seconds)
        while key in self._taken:
            if activity is None or self._clock.now() >= until:
                raise Temporary(f"another job has its turn with {key[1]}. This one will be tried again.")
            activity.pause()
        self._taken[key] = activity

    def _end(self, key: Key) -> None:
        """A worker that dies ends its turn as well: the session of its lock is gone. One that could not begin again has none."""
        if self._taken.get(key) is current():
            self._taken.pop(key, None)
