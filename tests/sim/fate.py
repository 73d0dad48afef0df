"""What a seed decides beside people: whose turn it is, which call fails and how, and where a process dies.

Everything that runs handlers is an activity with a thread of its own, but only one of them ever runs: at a boundary it may hand the turn
back, so that two workers and a click interleave in the middle of their work and the same seed interleaves them in the same way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from bot.errors import OutcomeUnknown, Temporary
from tests.fixtures.mortal import Fate, Killed
from tests.sim.clock import SimClock

WRITES = {
    *("set_alias", "delete_alias", "set_stage", "copy_version", "delete_version", "tag_version"),
    *("post", "update", "open_ticket", "comment", "link", "move", "attach"),
}
A_DAY = 86_400.0
CALLS_NOBODY = {"read_webhook", "read_click", "as_received", "read_signed", "as_reply", "read_mention", "check_request"}

_current = threading.local()


class Activity:
    """Handlers at work for somebody. `job` is the row that a worker runs, None for people and doors."""

    def __init__(self, name: str, body: Callable[[], None], job: object | None = None) -> None:
        self.name = name
        self.job = job
        self.is_done = self.is_dead = False
        self.error: Exception | None = None
        self._body = body
        self._is_abandoned = False
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name=name, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Runs until the next boundary at which it hands the turn back, or to its end."""
        self._turn.release()
        self._back.acquire()
        if self.is_done:
            self._thread.join()

    def pause(self) -> None:
        self._back.release()
        self._turn.acquire()
        if self._is_abandoned:
            raise Killed(f"{self.name} is abandoned")

    def abandon(self) -> None:
        self._is_abandoned = True
        self.go_on()

    def _run(self) -> None:
        self._turn.acquire()
        _current.activity = self
        try:
            if not self._is_abandoned:
                self._body()
        except Killed:
            self.is_dead = True
        except Exception as error:  # noqa: BLE001 - the scheduler raises it in the main thread
            self.error = error
        finally:
            self.is_done = True
            self._back.release()


def current() -> Activity | None:
    return getattr(_current, "activity", None)


@dataclass
class SeededFate(Fate):
    """`deaths` and `pauses` are the chances at each boundary; a run has at most `lives` deaths."""

    random: Random
    deaths: float
    pauses: float
    tell: Callable[[str], None]
    lives: int = 3
    is_calm: bool = False

    def pass_by(self, boundary: str) -> None:
        activity = current()
        if activity is None:
            return
        dies, pauses = self.random.random() < self.deaths, self.random.random() < self.pauses
        if dies and self.lives and not self.is_calm:
            self.lives -= 1
            self.tell(f"{activity.name} dies {boundary}")
            raise Killed(boundary)
        if pauses and boundary != "before a commit":  # whoever holds a row's lock must not wait for others
            activity.pause()


@dataclass
class Weather:
    """How well the outside answers. `trouble` is the chance that a call goes wrong in some way."""

    random: Random
    clock: SimClock
    trouble: float
    tell: Callable[[str], None]
    is_calm: bool = False

    def loses_answer(self, name: str) -> bool:
        """Before a call: it may take long, or fail with nothing done; True when it is done and its answer is to be lost."""
        if self.random.random() >= self.trouble or self.is_calm or current() is None:
            return False
        kind = self.random.choice(["down", "down", "slow", "lost", "later"])
        if kind == "lost" and name in WRITES:
            return True
        if kind == "slow":
            seconds = self.random.choice([0.5, 2.0, 9.0])
            self.clock.pass_by(timedelta(seconds=seconds))
            self.tell(f"{name} takes {seconds:g} s")
            return False
        wait = self.random.choice([30.0, 600.0, A_DAY]) if kind == "later" else 0.0
        self.tell(f"{name} fails{f', Retry-After {wait:g}' if wait else ''}")
        raise Temporary(f"{name}: 503", wait)


class Unreliable:
    """Somebody outside whose calls go through the weather."""

    def __init__(self, outside: object, weather: Weather) -> None:
        self._outside, self._weather = outside, weather

    def __getattr__(self, name: str) -> object:
        found = getattr(self._outside, name)
        if not callable(found) or name in CALLS_NOBODY:
            return found

        def call(*arguments: object, **named: object) -> object:
            is_lost = self._weather.loses_answer(name)
            answer = found(*arguments, **named)
            if is_lost:
                self._weather.tell(f"the answer of {name} is lost")
                raise OutcomeUnknown(f"{name}: the answer was lost")
            return answer

        return call
