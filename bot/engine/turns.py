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
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from bot.errors import Temporary

TURN = 1  # the seed of our advisory locks; those that end with a transaction have 0
WAIT = 15  # seconds until a job gives up, to be retried
WAIT_AGAIN = 60  # seconds for a job that has let go: what it has read meanwhile would have to be read again


@dataclass
class Turn:
    """An advisory lock of a session, so that it outlasts transactions and ends with the process, also when that is killed."""

    engine: sa.Engine
    workspace: str
    model: str
    connection: sa.Connection | None = None

    def begin(self, seconds: int) -> None:
        """Raises Temporary when another job keeps the turn longer."""
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        limits = (sa.func.set_config(limit, f"{seconds}s", False) for limit in ("lock_timeout", "statement_timeout"))
        try:
            connection.execute(sa.select(*limits))
            connection.execute(sa.select(sa.func.pg_advisory_lock(self._key)))
        except OperationalError as trouble:
            _end_session(connection)
            raise Temporary(f"another job has its turn with {self.model}. This one will be tried again.") from trouble
        except BaseException:  # Ctrl-C too: else the session would go back to the pool, perhaps with the lock
            _end_session(connection)
            raise
        self.connection = connection

    def end(self) -> None:
        connection, self.connection = self.connection, None
        if connection is None:
            return
        try:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(self._key)))
        except SQLAlchemyError:
            _end_session(connection)  # which gives the lock back as well, so the job's own outcome stands
        else:
            connection.close()

    @property
    def _key(self) -> sa.Function[int]:
        return sa.func.hashtextextended(f"{self.workspace}/{self.model}", TURN)


def _end_session(connection: sa.Connection) -> None:
    """Whatever it holds is free then: a statement that was cut off may still have taken the lock, and no rollback gives it back."""
    connection.invalidate()
    connection.close()


class Turns:
    """`engine` is for turns alone. A job runs in one thread and has one turn at most; `wait` and `wait_again` are in seconds."""

    def __init__(self, engine: sa.Engine, *, wait: int = WAIT, wait_again: int = WAIT_AGAIN) -> None:
        self._engine = engine
        self._wait = wait
        self._wait_again = wait_again
        self._own = threading.local()

    def close(self) -> None:
        """Ends the sessions that no turn is in; the next turn opens another."""
        self._engine.dispose()

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
