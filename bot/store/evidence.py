"""Rows for evidence: lists of files, the progress of reading them, and the ledger entries of decisions and envelopes."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.events import SIGNATURES
from bot.domain.model import State
from bot.store import tables


def decisions_on(request_id: str) -> sa.Select[Any]:
    """Selects the entries that decide this request, written so that the index is used."""
    rows = tables.ledger.c
    return sa.select(rows.seq).where(tables.decides, tables.entry_request == request_id)


class ManifestRows:
    """Lists of files in `sha256sum` format, by the digest that attestations name."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, digest: str, text: str) -> None:
        self._connection.execute(insert(tables.manifests).values(digest=digest, text=text).on_conflict_do_nothing())

    def find(self, digest: str) -> str | None:
        query = sa.select(tables.manifests.c.text).where(tables.manifests.c.digest == digest)
        return self._connection.execute(query).scalar()


class PipelineRows:
    """What a worker read from dvc.lock files, as JSON, by the sha256 of the file."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, lock_sha256: str, pipeline: str) -> None:
        values = {"lock_sha256": lock_sha256, "pipeline": pipeline}
        self._connection.execute(insert(tables.pipelines).values(values).on_conflict_do_nothing())

    def find(self, lock_sha256: str) -> str | None:
        query = sa.select(tables.pipelines.c.pipeline).where(tables.pipelines.c.lock_sha256 == lock_sha256)
        return self._connection.execute(query).scalar()


class ReadingRows:
    """The progress of reading files, by request, until its evidence is frozen."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, request_id: str, done: int, size: int) -> None:
        """In bytes; replaces the earlier progress."""
        values = {"request_id": request_id, "done": done, "size": size}
        upsert = insert(tables.readings).values(values)
        self._connection.execute(upsert.on_conflict_do_update(index_elements=["request_id"], set_=values))

    def find(self, request_id: str) -> tuple[int, int] | None:
        """The bytes read, and the total."""
        rows = tables.readings.c
        row = self._connection.execute(sa.select(rows.done, rows.size).where(rows.request_id == request_id)).first()
        return (row.done, row.size) if row else None

    def some(self, request_ids: Collection[str]) -> dict[str, tuple[int, int]]:
        """As `find`, of many requests in one statement, by their ids."""
        rows = tables.readings.c
        query = sa.select(rows.request_id, rows.done, rows.size).where(rows.request_id.in_(request_ids))
        return {row[0]: (row[1], row[2]) for row in self._connection.execute(query)} if request_ids else {}

    def forget(self, request_id: str) -> None:
        self._connection.execute(sa.delete(tables.readings).where(tables.readings.c.request_id == request_id))

    def forget_ended(self) -> int:
        """Of requests that ended while their files were read; returns how many."""
        rows = tables.requests.c
        reads = sa.select(rows.id).where(rows.state == State.COLLECTING)
        ended = sa.delete(tables.readings).where(tables.readings.c.request_id.not_in(reads))
        return self._connection.execute(ended).rowcount


class EvidenceRows:
    """What an entry of the ledger records never changes, so it is read once."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._recorded: dict[int, str] = {}

    def decided_at_entry(self, request_id: str) -> int | None:
        """The number of the entry with the decision; None while undecided."""
        decided = self._connection.execute(decisions_on(request_id)).scalars()
        return max(decided, default=None)  # with max() the database would scan the ledger backwards instead

    def recorded_digest(self, seq: int) -> str:
        """The digest of the envelope that this entry records; empty when it records none."""
        if seq not in self._recorded:
            rows = tables.ledger.c
            signed = [kind.__name__ for kind in SIGNATURES]
            query = sa.select(rows.body).where(rows.seq == seq, rows.kind.in_(signed))
            body = self._connection.execute(query).scalar()
            if not body:
                return ""
            self._recorded[seq] = str(json.loads(body)["digest"])
        return self._recorded[seq]
