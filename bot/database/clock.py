"""One clock for all processes: the database's. Machines whose own clocks differ agree on what is due, over, or an hour old.

Otherwise what one process writes "in two minutes" comes late for another, or at once, and a ticket that may exist already is opened again.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

ASK_EVERY = 60.0  # seconds; in between it counts on
MOST_TAKEN = 1.0  # seconds; an answer that took longer says too little, unless there is no other
TRY_EVERY = 5.0  # seconds, while answers take longer
MOST_DRIFT = 0.5  # seconds between this machine's two clocks: one of them was set, or it slept


def steady() -> float:
    """Seconds by a clock that no one sets; where the system has one, it also counts while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True)
class _Reading:
    """All in seconds: the database's time, and this machine's two clocks at that moment. `steady` is the one that no one sets."""

    database: float
    wall: float
    steady: float

    def now(self) -> float:
        return self.database + steady() - self.steady

    def is_old(self) -> bool:
        since = steady() - self.steady
        return since >= ASK_EVERY or abs(time.time() - self.wall - since) > MOST_DRIFT


class DatabaseClock:
    """Asks when a session is taken from the engine, once a minute. Before the first session it is this machine's clock.

    Safe for threads: a reading is replaced as a whole.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._read: _Reading | None = None
        self._asked = -TRY_EVERY
        sa.event.listen(engine, "checkout", self._ask)

    def now(self) -> datetime:
        read = self._read
        return datetime.fromtimestamp(read.now(), UTC) if read else datetime.now(UTC)

    def _ask(self, connection: DBAPIConnection, _record: ConnectionPoolEntry, _proxy: object) -> None:
        asked = steady()
        if self._read and (not self._read.is_old() or asked - self._asked < TRY_EVERY):
            return
        self._asked = asked
        try:
            cursor = connection.cursor()
            cursor.execute("select extract(epoch from clock_timestamp())::float8")
            row = cursor.fetchone()
            connection.rollback()
        except psycopg.Error:
            with suppress(psycopg.Error):
                connection.rollback()
            return  # whoever takes the session meets the same trouble, and says so
        answered = steady()
        if row and (answered - asked <= MOST_TAKEN or not self._read):
            self._read = _Reading(row[0] + (answered - asked) / 2, time.time(), answered)
