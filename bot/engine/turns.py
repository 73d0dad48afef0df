"""Turns with a registered model: one look or one move at a time, in all lanes together. A turn is short; a lane may wait for days.

MLflow has no compare-and-swap. A move compares, writes, reads back and records; a look reads and judges. If two of them overlapped, a look
could take the state from before a move of ours for a foreign one. Slow work (minutes), such as reading files, lets go of the turn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from bot.errors import Temporary

TURN = 1  # the seed of our advisory locks; those that end with a transaction have 0
WAIT = 15  # seconds until a job gives up, to be retried
WAIT_AGAIN = 60  # seconds for a job that has let go: what it has read meanwhile would have to be read again


@dataclass
class Turn:
    """An advisory lock in a separate session, so that it outlasts transactions and ends with the process, also when that is killed."""

    engine: sa.Engine
    workspace: str
    model: str
    connection: sa.Connection | None = None

    def begin(self, seconds: int) -> None:
        """Raises Temporary when another job keeps the turn longer."""
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        key = sa.func.hashtextextended(f"{self.workspace}/{self.model}", TURN)
        try:
            for limit in ("lock_timeout", "statement_timeout"):
                connection.execute(sa.select(sa.func.set_config(limit, f"{seconds}s", False)))
            connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
        except OperationalError as trouble:
            connection.close()
            raise Temporary(f"another job has its turn with {self.model}. This one will be tried again.") from trouble
        self.connection = connection

    def end(self) -> None:
        if self.connection is not None:
            self.connection.close()  # not pooled, so its session ends, and the lock with it
            self.connection = None


class Turns:
    """`engine` must not pool. A job runs in one thread and has one turn at most; `wait` and `wait_again` are in seconds."""

    def __init__(self, engine: sa.Engine, *, wait: int = WAIT, wait_again: int = WAIT_AGAIN) -> None:
        self._engine = engine
        self._wait = wait
        self._wait_again = wait_again
        self._own = threading.local()

    @contextmanager
    def take(self, workspace: str, model: str) -> Iterator[None]:
        """Waits until no other job is looking at the model or moving it; a job whose turn it is goes on. Raises Temporary."""
        mine: Turn | None = getattr(self._own, "turn", None)
        if mine is not None and (mine.workspace, mine.model) == (workspace, model):
            yield
            return
        turn = Turn(self._engine, workspace, model)
        turn.begin(self._wait)
        self._own.turn = turn
        try:
            yield
        finally:
            self._own.turn = mine
            turn.end()

    @contextmanager
    def let_go(self) -> Iterator[None]:
        """For what takes long in the middle of a turn. Afterwards others may have moved the target: the caller looks again."""
        turn: Turn | None = getattr(self._own, "turn", None)
        if turn is not None:
            turn.end()
        yield
        if turn is not None:
            turn.begin(self._wait_again)
