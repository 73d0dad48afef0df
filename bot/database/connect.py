"""Connects to PostgreSQL, with timeouts, and migrates our tables and the job engine's.

The tables are in `bot.store.tables` and `bot.engine.rows`, the migrations in `bot/store/migrations`.
"""

from __future__ import annotations

import select
import time
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.exc import InvalidatePoolError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

DIALECT = "postgresql+psycopg://"

# libpq's timeouts: a vanished host is noticed within seconds, not after the kernel's quarter of an hour. A URL may override them.
PATIENCE: dict[str, int | str] = {
    "connect_timeout": 5,  # seconds
    "tcp_user_timeout": 10_000,  # milliseconds
    "keepalives_idle": 10,  # seconds
    "application_name": "countersign",
}
# The server's timeouts: one stuck session must not keep rows locked.
LIMITS = {"statement_timeout": "15s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "60s"}

QUIET = 20.0  # seconds; a connection that was used since is not asked whether it is still there
USED_AT = "countersign.used_at"


def patience_for(url: str) -> dict[str, Any]:
    """PATIENCE without the options in the URL, because psycopg would prefer ours."""
    chosen = conninfo_to_dict(url)
    return {name: value for name, value in PATIENCE.items() if name not in chosen}


def connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """One plain connection, without statement timeouts."""
    return psycopg.connect(url, **patience_for(url))


def create_engine(url: str, *, pool_size: int = 10, most_beside: int = 10, pooled: bool = True) -> sa.Engine:
    """An engine on a libpq URI, passed to psycopg unchanged (SQLAlchemy would rewrite a socket's `?host=`). Does not connect.

    The pool keeps up to `pool_size` connections; `most_beside` are opened beside them while all are in use, -1 for any number.
    Without a pool it opens a connection for each use, so it need not be disposed and is safe across a fork.
    """

    def creator() -> psycopg.Connection[tuple[Any, ...]]:
        return _limited(connect(url))

    if not pooled:
        return sa.create_engine(DIALECT, creator=creator, poolclass=sa.NullPool)
    engine = sa.create_engine(DIALECT, creator=creator, pool_size=pool_size, max_overflow=most_beside, pool_timeout=5)
    sa.event.listen(engine, "checkin", _note_when)
    sa.event.listen(engine, "checkout", partial(_refuse_lost, engine.dialect))
    return engine


def _note_when(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[USED_AT] = time.monotonic()


def _refuse_lost(dialect: sa.Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Instead of a ping before each use: a server that has ended the connection has sent something, which can be seen without asking it.

    Only one that was not used for a while is asked, since a host that vanishes sends nothing.
    """
    used_at = record.info.get(USED_AT)
    try:
        if used_at is not None and (time.monotonic() - used_at > QUIET or _has_news(connection)):
            dialect.do_ping(connection)
    except psycopg.Error as lost:
        raise InvalidatePoolError from lost


def _has_news(connection: DBAPIConnection) -> bool:
    poll = select.poll()  # unlike select.select, it takes descriptors above 1023
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def migrate(url: str) -> None:
    """Upgrades the schema to the newest revision. Safe to run twice or in parallel: an advisory lock lets one run at a time."""
    from alembic import command  # here and below: only these need it, and it takes a tenth of a second and 11 MB

    with _unpooled(url).begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _limited(connection: psycopg.Connection[tuple[Any, ...]]) -> psycopg.Connection[tuple[Any, ...]]:
    try:
        for name, value in LIMITS.items():
            connection.execute("select set_config(%s, %s, false)", (name, value))
        connection.commit()
    except BaseException:  # the caller never sees this connection, so no one else would close it
        connection.close()
        raise
    return connection


def _unpooled(url: str) -> sa.Engine:
    return sa.create_engine(DIALECT, creator=lambda: connect(url), poolclass=sa.NullPool)


def alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("bot") / "store" / "migrations").replace("%", "%%"))
    return config
