"""Rows for finding the requests about the same version or the same content, under all names."""

from __future__ import annotations

import sqlalchemy as sa

from bot.domain.model import Evidence, VersionId
from bot.domain.request.content import Content, content_of
from bot.store import tables


class ContentRows:
    """All answers are ids of requests, the oldest first."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def alike(self, workspace: str, content: Content) -> list[str]:
        """Those whose files have the same digest, or which come from the same source and run."""
        rows, wanted = tables.requests.c, content_columns_of(content)
        known = [rows[name] == value for name, value in wanted.items() if value is not None]
        return self._ids(rows.workspace == workspace, sa.or_(sa.false(), *known))

    def about(self, version: VersionId) -> list[str]:
        """Those for this number of this creation time, also under a former name of the model."""
        rows = tables.requests.c
        same = sa.and_(rows.version == version.version, rows.version_created == version.created)
        return self._ids(rows.workspace == version.workspace, same)

    def _ids(self, *conditions: sa.ColumnElement[bool]) -> list[str]:
        rows = tables.requests.c
        query = sa.select(rows.id).where(*conditions).order_by(rows.opened_at, rows.id)
        return list(self.connection.execute(query).scalars())


def content_columns(evidence: Evidence | None) -> dict[str, str | None]:
    return content_columns_of(content_of(evidence))


def content_columns_of(content: Content) -> dict[str, str | None]:
    """Without a NUL, which PostgreSQL does not take and nothing that differs only in it needs."""
    origin = content.origin.replace("\0", "")
    return {"content_digest": content.digest or None, "content_origin": origin or None}
