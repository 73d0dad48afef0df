"""A pooled connection is not asked before each use whether it is still there, and one that the server has ended is never handed out."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from bot.database import connect
from bot.database.connect import create_engine


@pytest.fixture
def pool_of_one(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url, pool_size=1)
    yield engine
    engine.dispose()


def backend_of(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text("select pg_backend_pid()")).scalar_one())


def end(backend: int, url: str) -> None:
    """Waits until it is gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(%s, 60000)", (backend,))


def pings(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    asked: list[object] = []
    ping = engine.dialect.do_ping
    monkeypatch.setattr(engine.dialect, "do_ping", lambda connection: asked.append(connection) or ping(connection))
    return asked


def test_a_connection_that_the_server_has_ended_is_replaced(pool_of_one: sa.Engine, database_url: str) -> None:
    before = backend_of(pool_of_one)
    end(before, database_url)

    assert backend_of(pool_of_one) != before


def test_a_connection_that_was_just_used_is_not_asked(pool_of_one: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "QUIET", 3600.0)
    asked = pings(pool_of_one, monkeypatch)

    assert backend_of(pool_of_one) == backend_of(pool_of_one)
    assert asked == []


def test_a_connection_that_was_idle_for_a_while_is_asked(
    pool_of_one: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "QUIET", 0.0)
    asked = pings(pool_of_one, monkeypatch)

    assert backend_of(pool_of_one) == backend_of(pool_of_one)
    assert len(asked) == 1
