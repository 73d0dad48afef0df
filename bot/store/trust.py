"""Rows for whether the registry is believed, which of its models cannot be read, and who wrote in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.database.json_readers import JsonReader
from bot.domain.ledger.chain import as_plain
from bot.domain.model import VersionId
from bot.domain.registry.writes import RegistryWrite
from bot.store import tables

WRITE = JsonReader(RegistryWrite)
WRITES_KEPT = timedelta(days=90)


@dataclass(frozen=True)
class RegistryRow:
    """`identity` is None until a sweep has learnt it. While `doubted_since` is set, `doubt` says why.

    `backup_of`: our own database was restored from a backup of then, and no admin has accepted what the registry holds now.
    `accepted_backup`: the same, once one has.
    """

    workspace: str
    identity: str | None = None
    doubted_since: datetime | None = None
    doubt: str = ""
    backup_of: datetime | None = None
    accepted_backup: datetime | None = None


@dataclass(frozen=True)
class UnreadableModel:
    """A registered model that cannot be read since then; `told_at` is None until that was announced."""

    name: str
    since: datetime
    told_at: datetime | None


class TrustRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def find(self, workspace: str, *, for_update: bool = False) -> RegistryRow:
        """A registry that no sweep has seen yet is an empty row; `for_update` locks it too."""
        rows = tables.registries
        if for_update:
            self.connection.execute(insert(rows).values(workspace=workspace).on_conflict_do_nothing())
        query = sa.select(rows).where(rows.c.workspace == workspace)
        row = self.connection.execute(query.with_for_update() if for_update else query).first()
        return RegistryRow(*row) if row else RegistryRow(workspace)

    def put(self, row: RegistryRow) -> None:
        values = {
            "identity": row.identity,
            "doubted_since": row.doubted_since,
            "doubt": row.doubt,
            "backup_of": row.backup_of,
            "accepted_backup": row.accepted_backup,
        }
        put = insert(tables.registries).values(workspace=row.workspace, **values)
        self.connection.execute(put.on_conflict_do_update(index_elements=["workspace"], set_=values))

    def all(self) -> list[RegistryRow]:
        query = sa.select(tables.registries).order_by(tables.registries.c.workspace)
        return [RegistryRow(*row) for row in self.connection.execute(query)]

    def doubted(self) -> list[RegistryRow]:
        query = sa.select(tables.registries).where(tables.registries.c.doubted_since.is_not(None))
        return [RegistryRow(*row) for row in self.connection.execute(query)]

    # Models that cannot be read

    def unreadable(self, workspace: str | None = None) -> list[UnreadableModel]:
        """Of all workspaces when none is named."""
        rows = tables.unreadable_models.c
        query = sa.select(rows.name, rows.since, rows.told_at).order_by(rows.name)
        query = query if workspace is None else query.where(rows.workspace == workspace)
        return [UnreadableModel(*row) for row in self.connection.execute(query)]

    def find_unreadable(self, workspace: str, name: str) -> UnreadableModel | None:
        rows = tables.unreadable_models.c
        query = sa.select(rows.name, rows.since, rows.told_at).where(rows.workspace == workspace, rows.name == name)
        row = self.connection.execute(query).first()
        return UnreadableModel(*row) if row else None

    def put_unreadable(self, workspace: str, trouble: UnreadableModel) -> None:
        values = {"since": trouble.since, "told_at": trouble.told_at}
        put = insert(tables.unreadable_models).values(workspace=workspace, name=trouble.name, **values)
        self.connection.execute(put.on_conflict_do_update(index_elements=["workspace", "name"], set_=values))

    def forget_unreadable(self, workspace: str, name: str) -> None:
        rows = tables.unreadable_models
        self.connection.execute(sa.delete(rows).where(rows.c.workspace == workspace, rows.c.name == name))


class WriteRows:
    """What guards report. The events of requests keep the names for good; these rows are for requests that are not open yet."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, write: RegistryWrite, now: datetime) -> bool:
        """False when it was reported before."""
        rows = tables.registry_writes
        values = {
            "id": write.id,
            "received_at": now,
            "workspace": write.workspace,
            "model": write.model,
            "version": write.version,
            "body": json.dumps(as_plain(write)),
        }
        new = insert(rows).values(values).on_conflict_do_nothing().returning(rows.c.id)
        return self._connection.execute(new).first() is not None

    def about(self, version: VersionId) -> list[RegistryWrite]:
        """Newest first."""
        rows = tables.registry_writes
        of_version = (rows.c.workspace, rows.c.model, rows.c.version)
        query = sa.select(rows.c.body).where(
            sa.tuple_(*of_version) == sa.tuple_(version.workspace, version.model, version.version)
        )
        found = [WRITE.validate_json(row.body) for row in self._connection.execute(query)]
        return sorted(found, key=lambda write: write.at, reverse=True)

    def signed_in_as(self, user: str, workspaces: Sequence[str]) -> list[RegistryWrite]:
        """Newest first."""
        rows = tables.registry_writes
        may_be = rows.c.body.contains(json.dumps(user), autoescape=True)
        query = sa.select(rows.c.body).where(rows.c.workspace.in_(workspaces), may_be)
        found = (WRITE.validate_json(row.body) for row in self._connection.execute(query))
        return sorted((write for write in found if write.user == user), key=lambda write: write.at, reverse=True)

    def prune(self, now: datetime) -> int:
        """Returns how many were deleted."""
        rows = tables.registry_writes
        return self._connection.execute(sa.delete(rows).where(rows.c.received_at < now - WRITES_KEPT)).rowcount
