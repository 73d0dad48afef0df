"""Which databases find a registered model by its own spelling alone: SQLite and PostgreSQL, unless their column was changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from countersign_guard.spelling import NameSpelling

LOOSE = "update pg_collation set collisdeterministic = false where collname = 'loose'"
MADE = "create table registered_models (workspace varchar(63), name {kind} not null)"


@contextmanager
def database(url: str, *statements: str) -> Iterator[SimpleNamespace]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
        yield SimpleNamespace(engine=engine)
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("kind", "is_exact"),
    [("varchar(256)", True), ("varchar(256) collate nocase", False), ("text COLLATE RTRIM", False)],
)
def test_sqlite_compares_letter_by_letter_unless_the_column_has_a_collation(kind: str, is_exact: bool) -> None:
    with database("sqlite://", MADE.format(kind=kind)) as store:
        assert NameSpelling().is_exact(store) == is_exact


@pytest.mark.parametrize(
    ("statements", "is_exact"),
    [
        ((MADE.format(kind="varchar(256)"),), True),
        ((MADE.format(kind='varchar(256) collate "C"'),), True),
        (("create domain loose as varchar(256)", MADE.format(kind="loose")), False),
        (('create collation loose from "C"', MADE.format(kind="text collate loose"), LOOSE), False),
    ],
    ids=["as MLflow makes it", "another collation", "a domain", "a collation that ignores case"],
)
def test_postgresql_does_too_unless_the_column_is_of_another_kind(
    empty_database_url: str, statements: tuple[str, ...], is_exact: bool
) -> None:
    url = empty_database_url.replace("postgresql://", "postgresql+psycopg://")

    with database(url, *statements) as store:
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
