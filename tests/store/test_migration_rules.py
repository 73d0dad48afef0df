"""Migrations only add: a process of the release before goes on reading and writing while they run, and after them.

What may be taken away or made stricter is named here, with the reason. CONTRIBUTING.md has the rules in words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

import bot.store.migrations.versions as versions
from bot.database.connect import alembic_config
from bot.database.schema import _known

FILES = sorted(Path(versions.__path__[0]).glob("[0-9]*.py"))
RELEASED = "0005"  # the newest of release 0.1.0; those before it made its tables
TAKES_AWAY = {"drop_table", "drop_column", "rename_table", "alter_column", "drop_constraint", "drop_index"}
STRICTER = {
    "create_unique_constraint",
    "create_check_constraint",
    "create_foreign_key",
    "create_primary_key",
    "create_exclude_constraint",
}
IN_SQL = re.compile(
    r"\b(drop\s+(table|column|index|constraint)|rename\s+(to|column)|set\s+not\s+null|truncate)\b", re.IGNORECASE
)
# What is allowed all the same: revision, call, first argument.
EXCEPTIONS = {
    (
        "0013",
        "drop_index",
        "decisions_by_request",
    ): "an index that the same migration makes again, over another expression",
    (
        "0021",
        "drop_index",
        "waiting_posts_by_place",
    ): "an index that the same migration makes again, with the round in it",
    ("0037", "drop_table", "renames"): "no release has used the table; the ledger has had all that was in it",
}


def faults(source: str) -> Iterator[tuple[str, str]]:
    """Each call that the rules forbid, with the name of what it changes."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    own = {_text(call, 0) for call in calls if _name(call) == "create_table"}
    for call in calls:
        name, first = _name(call), _text(call, 0)
        if name in TAKES_AWAY or (name in STRICTER and _text(call, 1) not in own):
            yield name, first
        if name == "create_index" and _said(call, "unique") and _text(call, 1) not in own:
            yield "create_index unique", first
        if name == "add_column" and first not in own:
            yield from _demands(call)
    for text in (
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ):
        yield from (("sql", found[0]) for found in IN_SQL.finditer(text))


def _demands(add: ast.Call) -> Iterator[tuple[str, str]]:
    """A new column that an old process, which does not know it, could not write a row without."""
    column = add.args[1]
    assert isinstance(column, ast.Call)
    nullable = next((word.value for word in column.keywords if word.arg == "nullable"), None)
    is_optional = nullable is None or (isinstance(nullable, ast.Constant) and nullable.value is True)
    if not is_optional and not _said(column, "server_default"):
        yield "add_column", f"{_text(add, 0)}.{_text(column, 0)}"


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _text(call: ast.Call, place: int) -> str:
    found = call.args[place] if len(call.args) > place else None
    return str(found.value) if isinstance(found, ast.Constant) else ""


def _said(call: ast.Call, word: str) -> bool:
    return any(one.arg == word for one in call.keywords)


@pytest.mark.parametrize("file", [file for file in FILES if file.name[:4] > RELEASED], ids=lambda file: file.stem)
def test_a_migration_takes_nothing_from_the_release_before(file: Path) -> None:
    found = {(file.name[:4], name, what) for name, what in faults(file.read_text())}

    assert found - EXCEPTIONS.keys() == set()


def test_every_exception_is_still_there() -> None:
    there = {(file.name[:4], name, what) for file in FILES for name, what in faults(file.read_text())}

    assert EXCEPTIONS.keys() <= there


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('op.drop_column("requests", "body")', ("drop_column", "requests")),
        ('op.rename_table("requests", "asked")', ("rename_table", "requests")),
        ('op.alter_column("requests", "ticket_id", nullable=False)', ("alter_column", "requests")),
        ('op.add_column("requests", sa.Column("team", sa.Text, nullable=False))', ("add_column", "requests.team")),
        ('op.create_index("one", "requests", ["id"], unique=True)', ("create_index unique", "one")),
        ('op.create_unique_constraint("one", "requests", ["id"])', ("create_unique_constraint", "one")),
        ('op.execute("alter table requests rename column body to text")', ("sql", "rename column")),
        ('op.execute("ALTER TABLE requests ALTER body SET NOT NULL")', ("sql", "SET NOT NULL")),
    ],
)
def test_what_the_old_release_could_not_live_with_is_found(source: str, fault: tuple[str, str]) -> None:
    assert list(faults(source)) == [fault]


@pytest.mark.parametrize(
    "source",
    [
        'op.create_table("teams", sa.Column("id", sa.Text)); op.create_index("one", "teams", ["id"], unique=True)',
        'op.add_column("requests", sa.Column("team", sa.Text))',
        'op.add_column("requests", sa.Column("team", sa.Text, nullable=False, server_default=""))',
        'op.create_index("requests_by_team", "requests", ["team"])',
    ],
)
def test_what_only_adds_is_allowed(source: str) -> None:
    assert list(faults(source)) == []


def test_the_name_of_each_migration_begins_with_its_revision() -> None:
    """`bot.database.schema` reads the revisions from the names."""
    script = ScriptDirectory.from_config(alembic_config())

    assert _known() == [one.revision for one in script.walk_revisions()]
