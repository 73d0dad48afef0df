"""Writes in the registry that the bot has not been told of yet, in a file that survives a kill. Several server processes share it.

Hardly a request waits for the disk: a commit is in the operating system's hands when it returns, which a killed process cannot take
back, and the reporting thread brings it to the disk (`settle`). A power cut can lose the notes of the last seconds, and of about the
last minute while the bot is away.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger("countersign_guard")
MOST = 100_000  # writes that are kept while the bot is away, some 40 MB
UNFINISHED = 60.0  # seconds after which a write whose process has ended counts as one that may have happened
BUSY = 5.0  # seconds to wait for another process
SETTLED_EVERY = 5.0  # seconds
TABLE = """
create table if not exists writes (
    id text primary key, at real not null, finished integer not null default 0, body text not null
)"""


@dataclass(frozen=True)
class Waiting:
    """A write to report; `is_certain` is False when the server ended before MLflow had answered."""

    id: str
    body: Mapping[str, Any]
    is_certain: bool


class Outbox:
    """A row is written before MLflow's own change and finished after it; only what the bot has taken is deleted."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._own = threading.local()
        self._settled = 0.0

    def begin(self, body: Mapping[str, Any]) -> str:
        """The id of the write. Raises sqlite3.Error and OSError."""
        write = uuid.uuid4().hex
        with self._database() as database:
            database.execute(
                "insert into writes (id, at, body) values (?, ?, ?)", (write, time.time(), json.dumps(body))
            )
        return write

    def finish(self, write: str, also: Mapping[str, Any]) -> None:
        """MLflow has done it; `also` is what only its answer says."""
        with self._database() as database:
            database.execute("update writes set finished = 1 where id = ?", (write,))
            if also:
                self._add(write, also, database)

    def _add(self, write: str, also: Mapping[str, Any], database: sqlite3.Connection) -> None:
        row = database.execute("select body from writes where id = ?", (write,)).fetchone()
        if row is not None:
            body = json.dumps({**json.loads(row[0]), **also})
            database.execute("update writes set body = ? where id = ?", (body, write))

    def drop(self, writes: Sequence[str]) -> None:
        """MLflow has refused it, or the bot has taken it."""
        with self._database() as database:
            database.executemany("delete from writes where id = ?", [(one,) for one in writes])

    def waiting(self, most: int) -> list[Waiting]:
        """Oldest first."""
        query = "select id, body, finished from writes where finished = 1 or at not between :first and :last order by rowid limit :most"
        rows = self._database().execute(query, {**_under_way(), "most": most}).fetchall()
        return [Waiting(write, json.loads(body), bool(finished)) for write, body, finished in rows]

    def backlog(self) -> tuple[int, float]:
        """How many writes wait, and since when the oldest does, in seconds since 1970; 0 when none does."""
        query = (
            "select count(*), coalesce(min(at), 0) from writes where finished = 1 or at not between :first and :last"
        )
        count, since = self._database().execute(query, _under_way()).fetchone()
        return int(count), float(since)

    def shorten(self) -> int:
        """Deletes the oldest of too many, which the bot then never hears of; returns how many."""
        count = self._database().execute("select count(*) from writes").fetchone()[0]
        if count <= MOST:
            return 0
        with self._database() as database:
            return database.execute(
                "delete from writes where id in (select id from writes order by rowid limit ?)", (count - MOST,)
            ).rowcount

    def settle(self) -> None:
        """Brings what is committed to the disk, from time to time. For a thread that no request waits for."""
        if time.monotonic() - self._settled >= SETTLED_EVERY:
            self._database().execute("pragma wal_checkpoint(passive)").fetchall()
            self._database().execute(
                "pragma user_version = 1"
            )  # the first write after that waits for the disk: this one
            self._settled = time.monotonic()

    def close(self) -> None:
        """The connection of this thread."""
        database = getattr(self._own, "database", None)
        if database is not None:
            database.close()
            del self._own.database

    def _database(self) -> sqlite3.Connection:
        """One for each thread. A process that was forked has threads of its own."""
        database = getattr(self._own, "database", None)
        if database is None:
            database = sqlite3.connect(self._file, timeout=BUSY)
            database.execute("pragma journal_mode = wal")
            database.execute("pragma synchronous = normal")  # a commit waits for no disk
            database.execute("pragma wal_autocheckpoint = 0")  # nor does each thousandth: `settle` does
            database.execute(TABLE)
            self._own.database = database
        found: sqlite3.Connection = database
        return found


def _under_way() -> dict[str, float]:
    """Between which moments a write began that may not have ended yet. One from later on began before the clock was set back."""
    return {"first": time.time() - UNFINISHED, "last": time.time() + UNFINISHED}
