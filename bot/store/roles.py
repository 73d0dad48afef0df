"""Two database roles: the owner creates the tables, and the bot's role can append to the ledger but not change it.

The ledger's triggers are a second protection: the owner could drop them, the bot's role cannot. DATABASE_OWNER_URL and DATABASE_URL name
the roles; the database's administrator creates them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString, TypeAlias

import psycopg
import sqlalchemy as sa
from psycopg import sql

from bot.database.connect import connect, create_engine
from bot.engine import rows
from bot.errors import RolesNotApart
from bot.store import tables

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

ENGINE_TABLES = "procrastinate_%"
READ_ONLY = frozenset({"alembic_version", "policies"})
APPENDED_TO = frozenset(
    {
        *("ledger", "attestations", "checkpoints", "manifests", "passkey_requests", "pipelines"),
        *("sign_off_requests", "signed_requests", "witnessed"),
    }
)
# What is corrected in one place only, and never deleted.
ADDED_TO: dict[str, LiteralString] = {
    "keys": "select, insert, update (retired_seq, retired_because)",
    "accounts": "select, insert, update (unbound_at)",
    "people": "select, insert, update (name, account)",
    "pending_votes": "select, insert, update (used_at)",
    "ticket_acts": "select, insert, update (answered_at)",
    "switches": "select, insert, update",
}

POWERS = """
select current_user, pg_has_role(current_user, relowner, 'member'), has_any_column_privilege(oid, 'update')
  or has_table_privilege(oid, 'delete') or has_table_privilege(oid, 'truncate') or has_table_privilege(oid, 'trigger')
from pg_class where oid = 'ledger'::regclass
"""
OWNS = "select pg_has_role(%s, relowner, 'member') from pg_class where oid = 'ledger'::regclass"
OURS = (
    "select tablename from pg_tables where schemaname = current_schema() and (tablename = any(%s) or tablename like %s)"
)
THEIR_SEQUENCES = """
select s.relname from pg_class s
  join pg_depend d on d.objid = s.oid and d.deptype in ('a', 'i')
  join pg_class t on t.oid = d.refobjid and t.relnamespace = current_schema()::regnamespace
where s.relkind = 'S' and t.relname = any(%s)
"""


@dataclass(frozen=True)
class Powers:
    """What a connection's role may do to the ledger."""

    role: str
    owns: bool
    changes: bool


def powers_of(connection: sa.Connection) -> Powers:
    return Powers(*connection.execute(sa.text(POWERS)).one())


def keep_apart(owner_url: str, url: str) -> str:
    """Grants the role of `url` exactly what the bot needs and revokes the rest; returns its name. Raises RolesNotApart."""
    with connect(url) as connection:
        role = str(_one(connection, "select current_user"))
    with connect(owner_url) as connection:
        if _one(connection, OWNS, role):
            raise RolesNotApart(
                f'DATABASE_URL connects as "{role}", which owns the ledger or is a member of the role that does, so it could change it. '
                "Give the bot a role of its own (create role countersign login password '...'), or let the tables change hands "
                f'(reassign owned by "{role}" to the owner)'
            )
        _grant(connection, role)
    with create_engine(url, pooled=False).connect() as bot:
        still = powers_of(bot).changes
    if still:
        raise RolesNotApart(
            f'"{role}" may still change the ledger: somebody else granted it that, or granted it to everybody. '
            "Look at `\\dp ledger` in psql and revoke it there"
        )
    return role


def _grant(connection: Connection, role: str) -> None:
    known = sorted({*tables.metadata.tables, *rows.metadata.tables, *READ_ONLY})
    ours = {str(row[0]) for row in connection.execute(OURS, (known, ENGINE_TABLES))}
    _say(connection, "grant usage on schema {schema} to {role}", role)
    _say(connection, "revoke create on schema {schema} from {role}", role)
    for table in sorted(ours):
        _say(connection, "revoke all on {table} from {role}", role, table)
        _say(connection, "grant " + _rights_on(table) + " on {table} to {role}", role, table)
    for row in connection.execute(THEIR_SEQUENCES, (sorted(ours),)).fetchall():
        _say(connection, "grant usage on sequence {table} to {role}", role, str(row[0]))


def _rights_on(table: str) -> LiteralString:
    if table in READ_ONLY:
        return "select"
    if table in APPENDED_TO:
        return "select, insert"
    if table in ADDED_TO:
        return ADDED_TO[table]
    return "select, insert, update, delete"


def _say(connection: Connection, statement: LiteralString, role: str, table: str = "") -> None:
    schema = str(_one(connection, "select current_schema()"))
    names = {"role": sql.Identifier(role), "table": sql.Identifier(table or "-"), "schema": sql.Identifier(schema)}
    connection.execute(sql.SQL(statement).format(**names))


def _one(connection: Connection, question: LiteralString, *values: str) -> object:
    row = connection.execute(question, values).fetchone()
    return row[0] if row else None
