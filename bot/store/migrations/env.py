"""Alembic's environment for `bot.database.connect.migrate`: all pending revisions in one transaction, one process at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from bot.engine import rows
from bot.store import tables

ONE_AT_A_TIME = 7_062_001  # the advisory lock's key; any number that never changes


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """False for the job engine's tables, so that a comparison of schemas does not drop them."""
    return kind != "table" or not str(name).startswith("procrastinate_")


connection: sa.Connection = context.config.attributes["connection"]
connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ONE_AT_A_TIME)))
context.configure(connection=connection, target_metadata=[rows.metadata, tables.metadata], include_name=is_ours)
with context.begin_transaction():
    context.run_migrations()
