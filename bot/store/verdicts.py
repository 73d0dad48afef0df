"""Rows for short-lived verdicts, one per version and target. `handlers.attestation.vsa` makes them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.store import tables


@dataclass(frozen=True)
class VerdictRow:
    """The newest verdict for this version; `target` is a text such as alias:champion."""

    workspace: str
    model: str
    version: int
    target: str
    envelope: str
    expires_at: datetime


class VerdictRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def of(self, workspace: str, model: str, target: str) -> dict[int, VerdictRow]:
        """The verdicts by version number."""
        rows = tables.verdicts
        query = sa.select(rows).where(rows.c.workspace == workspace, rows.c.model == model, rows.c.target == target)
        return {row.version: VerdictRow(*row) for row in self.connection.execute(query)}

    def put(self, verdict: VerdictRow) -> None:
        """Replaces the previous verdict."""
        keys = ("workspace", "model", "version", "target")
        values = asdict(verdict)
        upsert = insert(tables.verdicts).values(values).on_conflict_do_update(index_elements=keys, set_=values)
        self.connection.execute(upsert)

    def lasting(self, until: datetime) -> set[tuple[str, str, int, str]]:
        """Workspace, model, version and target of the verdicts that expire after `until`."""
        rows = tables.verdicts.c
        query = sa.select(rows.workspace, rows.model, rows.version, rows.target).where(rows.expires_at > until)
        return {(row.workspace, row.model, row.version, row.target) for row in self.connection.execute(query)}

    def forget_expired(self, now: datetime) -> None:
        self.connection.execute(sa.delete(tables.verdicts).where(tables.verdicts.c.expires_at <= now))
