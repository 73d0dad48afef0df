"""What the ledger says of one request's decision and of its attestations, looked up without reading all of it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot import tables
from bot.domain.events import SIGNATURES, RequestApproved, RequestRejected

DECIDING = (RequestApproved.__name__, RequestRejected.__name__)


class ManifestRows:
    """The lists of files that attestations name by their digest, in `sha256sum` format."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, digest: str, text: str) -> None:
        self._connection.execute(insert(tables.manifests).values(digest=digest, text=text).on_conflict_do_nothing())

    def find(self, digest: str) -> str | None:
        query = sa.select(tables.manifests.c.text).where(tables.manifests.c.digest == digest)
        return self._connection.execute(query).scalar()


class EvidenceRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def decided_at_entry(self, request_id: str) -> int | None:
        """The number of the entry that says what was decided; None while nobody has."""
        rows = tables.ledger.c
        mine = rows.body.contains(f'"request_id":"{request_id}"', autoescape=True)  # canonical JSON says it in one way
        query = sa.select(sa.func.max(rows.seq)).where(rows.kind.in_(DECIDING), mine)
        return self._connection.execute(query).scalar()

    def recorded_digest(self, seq: int) -> str:
        """Of the envelope that this entry vouches for; empty when it vouches for none."""
        rows = tables.ledger.c
        signed = [kind.__name__ for kind in SIGNATURES]
        query = sa.select(rows.body).where(rows.seq == seq, rows.kind.in_(signed))
        body = self._connection.execute(query).scalar()
        return str(json.loads(body)["digest"]) if body else ""
