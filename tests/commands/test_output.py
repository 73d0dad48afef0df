"""What holds for the output of all commands: who prints, what a list is called with, and the names of its keys."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import bot.commands
from bot.commands.output import tables
from bot.commands.policy.replay import saved_text

FOLDER = Path(bot.commands.__file__).parent
# The output package; a message of our own around an error; lines that were made for the terminal; and what only repeats our own words.
PRINT_THEMSELVES = {
    "context.py",
    "doctor.py",
    "demo.py",
    "digest.py",
    "init/__init__.py",
    "init/asking.py",
    "processes.py",
    "sandbox.py",
}
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(FOLDER.rglob("*.py")):
        yield str(path.relative_to(FOLDER)), ast.parse(path.read_text())


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_what_a_command_prints_goes_through_the_functions_that_clean_it() -> None:
    raw = {
        where
        for where, tree in modules()
        for name, _ in calls(tree)
        if name in ("click.echo", "click.secho", "print") and not where.startswith("output/")
    }

    assert raw <= PRINT_THEMSELVES


def test_json_is_printed_in_one_place() -> None:
    dumped = {where for where, tree in modules() for name, _ in calls(tree) if name == "json.dumps"}

    # an export is a file of entries, a digest's figures are the frozen bytes, and many rows wait in a temporary file
    assert dumped == {"output/printing.py", "output/many_rows.py", "proofs/audit_export.py", "digest.py"}


def test_the_keys_of_rows_are_in_snake_case_and_make_the_titles() -> None:
    keys = {
        key.value
        for where, tree in modules()
        if where
        not in ("init/__init__.py", "processes.py", "asking/over_http.py")  # name environment variables and headers
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }

    assert [key for key in keys if not SNAKE.fullmatch(key)] == []
    assert tables.title("decided_by") == "decided by"


@pytest.mark.parametrize(
    ("saved", "median", "said"),
    [
        (timedelta(milliseconds=300), timedelta(), "approvals would have waited as long as they did"),
        (
            timedelta(hours=4),
            timedelta(),
            "approvals would have waited 4h less in all, the median one as long as it did",
        ),
        (timedelta(hours=4), timedelta(hours=1), "approvals would have waited 4h less in all, the median one 1h less"),
    ],
)
def test_a_replay_says_no_difference_as_such(saved: timedelta, median: timedelta, said: str) -> None:
    assert saved_text(saved, median) == said
