"""Whether the database's schema is the one of this release, an older one, or one that a newer release made."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files

import sqlalchemy as sa

from bot.database.connect import create_engine
from bot.errors import WrongSchema

MIGRATIONS = files("bot.store.migrations") / "versions"


class Schema(StrEnum):
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    NONE = "none"


def schema_of(url: str) -> Schema:
    known, found = _known(), _revision(url)
    if found is None:
        return Schema.NONE
    if found not in known:
        return Schema.NEWER
    return Schema.CURRENT if found == known[0] else Schema.OLDER


def needs_migrate(url: str) -> bool:
    """While this release's migrations wait. A process that runs on while a newer release migrates goes on: what it uses is still there."""
    return schema_of(url) in (Schema.OLDER, Schema.NONE)


def check_not_newer(url: str) -> None:
    """Before a migration. Raises WrongSchema."""
    if schema_of(url) is Schema.NEWER:
        raise WrongSchema(_why(Schema.NEWER, url))


def check_schema(url: str) -> None:
    """Before a process or a command works with it. Raises WrongSchema, which says what to do."""
    schema = schema_of(url)
    if schema is not Schema.CURRENT:
        raise WrongSchema(_why(schema, url))


def _why(schema: Schema, url: str) -> str:
    found, newest = _revision(url), _known()[0]
    if schema is Schema.NONE:
        return "the database has no tables of Countersign yet. Run `countersign migrate`, then try again"
    if schema is Schema.OLDER:
        return (
            f"the database has the schema of an older release ({found}; this one needs {newest}). Stop the old processes, run "
            "`countersign migrate` of this release, then try again"
        )
    return (
        f"the database was migrated by a newer release (schema {found}; this one knows up to {newest}). Run that release, or one after it. "
        "There is no way down: to return to this one, restore the backup from before"
    )


def _known() -> list[str]:
    """All revisions of this release, the newest first: what the names of its migrations begin with.

    Without alembic, which would cost each command a tenth of a second.
    """
    names = (file.name for file in MIGRATIONS.iterdir() if file.name[:4].isdigit())
    return sorted((name[:4] for name in names), reverse=True)


def _revision(url: str) -> str | None:
    """The database's; None before its first migration."""
    with create_engine(url, pooled=False).connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(sa.text("select version_num from alembic_version")).scalar()
        return found
