"""Of one request's evidence: its files' list, how far their reading has come, and what the ledger says of its decision and envelopes."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.events import SIGNATURES
from bot.store import tables


def decisions_on(request_id: str) -> sa.Select[Any]:
    """The numbers of the entries that decide this request, in the words of the index that finds them."""
    rows = tables.ledger.c
    return sa.select(rows.seq).where(tables.decides, tables.entry_request == request_id)


class ManifestRows:
    """The lists of files that attestations name by their digest, in `sha256sum` format."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, digest: str, text: str) -> None:
        self._connection.execute(insert(tables.manifests).values(digest=digest, text=text).on_conflict_do_nothing())

    def find(self, digest: str) -> str | None:
        query = sa.select(tables.manifests.c.text).where(tables.manifests.c.digest == digest)
        return self._connection.execute(query).scalar()


class ReadingRows:
    """How far the reading of large files has come, by request, until its evidence is frozen."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, request_id: str, done: int, size: int) -> None:
        """In bytes; replaces what was there."""
        values = {"request_id": request_id, "done": done, "size": size}
        upsert = insert(tables.readings).values(values)
        self._connection.execute(upsert.on_conflict_do_update(index_elements=["request_id"], set_=values))

    def find(self, request_id: str) -> tuple[int, int] | None:
        """How many bytes are read, and of how many."""
        rows = tables.readings.c
        row = self._connection.execute(sa.select(rows.done, rows.size).where(rows.request_id == request_id)).first()
        return (row.done, row.size) if row else None

    def forget(self, request_id: str) -> None:
        self._connection.execute(sa.delete(tables.readings).where(tables.readings.c.request_id == request_id))


class EvidenceRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def decided_at_entry(self, request_id: str) -> int | None:
        """The number of the entry that says what was decided; None while nobody has."""
        decided = self._connection.execute(decisions_on(request_id)).scalars()
        return max(
            decided, default=None
        )  # asked for the highest, the database would rather walk back through the ledger

    def recorded_digest(self, seq: int) -> str:
        """Of the envelope that this entry vouches for; empty when it vouches for none."""
        rows = tables.ledger.c
        signed = [kind.__name__ for kind in SIGNATURES]
        query = sa.select(rows.body).where(rows.seq == seq, rows.kind.in_(signed))
        body = self._connection.execute(query).scalar()
        return str(json.loads(body)["digest"]) if body else ""
