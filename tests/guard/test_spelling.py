"""Which databases find a registered model by its own spelling alone: SQLite and PostgreSQL, unless their column was changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from countersign_guard.spelling import NameSpelling

MADE = "create table registered_models (workspace varchar(63), name {kind} not null)"


@contextmanager
def database(url: str, *statements: str) -> Iterator[SimpleNamespace]:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    yield SimpleNamespace(engine=engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("kind", "is_exact"),
    [("varchar(256)", True), ("varchar(256) collate nocase", False), ("text COLLATE RTRIM", False)],
)
def test_sqlite_compares_letter_by_letter_unless_the_column_has_a_collation(kind: str, is_exact: bool) -> None:
    with database("sqlite://", MADE.format(kind=kind)) as store:
        assert NameSpelling().is_exact(store) == is_exact


@pytest.mark.parametrize(
    ("before", "kind", "is_exact"),
    [
        ("select 1", "varchar(256)", True),
        ("select 1", 'varchar(256) collate "C"', True),
        ("create domain loose as varchar(256)", "loose", False),
        (
            "create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            "varchar(256) collate loose",
            False,
        ),
    ],
)
def test_postgresql_does_too_unless_the_column_is_of_another_kind(
    empty_database_url: str, before: str, kind: str, is_exact: bool
) -> None:
    url = empty_database_url.replace("postgresql://", "postgresql+psycopg://")

    with database(url, before, MADE.format(kind=kind)) as store:
        assert NameSpelling().is_exact(store) == is_exact


def test_of_another_store_nothing_is_known() -> None:
    mysql = SimpleNamespace(engine=SimpleEngine("mysql"))

    assert not NameSpelling().is_exact(SimpleNamespace())
    assert not NameSpelling().is_exact(mysql)


def test_a_database_without_the_table_is_not_trusted() -> None:
    with database("sqlite://") as store:
        assert not NameSpelling().is_exact(store)


class SimpleEngine:
    def __init__(self, dialect: str) -> None:
        self.dialect = SimpleNamespace(name=dialect)
