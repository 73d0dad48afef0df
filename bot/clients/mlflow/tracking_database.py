"""Whether MLflow's tables can be reached, and changed, without its server: asked of the database's own catalog, so nothing is changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from bot.domain.names import shown
from bot.errors import NotTried

TIMEOUT = 5  # seconds
ALIASES = "registered_model_aliases"
MAY_CHANGE = sa.text(
    "select has_table_privilege(oid, 'INSERT') or has_table_privilege(oid, 'UPDATE') from pg_class "
    "where relname = :table and relkind = 'r' limit 1"
)


@dataclass(frozen=True)
class Reach:
    """`shown` is the address without its password. `may_write` is None where only the write itself would tell."""

    shown: str
    opens: bool
    may_write: bool | None = None
    why: str = ""  # it does not open


def reach_of(address: str) -> Reach:
    """Of what MLFLOW_BACKEND_STORE_URI names: a database, or a folder. Raises NotTried."""
    if "://" not in address or urlsplit(address).scheme == "file":
        return _folder(Path(urlsplit(address).path if "://" in address else address), address)
    try:
        url = make_url(address)
    except ArgumentError:
        raise NotTried("it is no address of a database") from None
    shown_url = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite":
        return _folder(Path(url.database or ""), shown_url)
    return _opened(url, shown_url)


def _folder(path: Path, address: str) -> Reach:
    if not path.exists():
        return Reach(address, opens=False, why="there is no such file here")
    return Reach(address, opens=os.access(path, os.R_OK), may_write=os.access(path, os.W_OK), why="it cannot be read")


def _opened(url: URL, address: str) -> Reach:
    is_postgres = url.get_backend_name() == "postgresql"
    if is_postgres:
        url = url.set(drivername="postgresql+psycopg")
    patience = {"connect_timeout": TIMEOUT} if is_postgres or url.get_backend_name() in ("mysql", "mariadb") else {}
    try:
        engine = sa.create_engine(url, connect_args=patience, poolclass=sa.pool.NullPool)
    except (ImportError, NoSuchModuleError):
        raise NotTried(f"the driver for {url.drivername} is not installed here") from None
    try:
        with engine.connect() as connection:
            return Reach(address, opens=True, may_write=may_change(connection) if is_postgres else None)
    except SQLAlchemyError as trouble:
        return Reach(address, opens=False, why=shown(str(getattr(trouble, "orig", trouble)).split("\n", 1)[0]))


def may_change(connection: sa.Connection) -> bool:
    """Whether this role of PostgreSQL may change MLflow's aliases; False also when the database has no such table."""
    return bool(connection.execute(MAY_CHANGE, {"table": ALIASES}).scalar())
