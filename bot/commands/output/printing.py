"""Printing: sentences, tables and records for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from textwrap import indent

import click

from bot.commands.context import NOTHING_FOUND
from bot.commands.output import terminal
from bot.commands.output.colours import heading
from bot.commands.output.tables import Row, Table, as_lines, fitted, record
from bot.commands.output.text import printable_lines, readable


def say(text: str, *, err: bool = False) -> None:
    """Sentences, which may name things from outside: control characters are replaced, and a terminal gets whole words."""
    click.echo(readable(text, terminal.columns(err=err)), err=err)


def print_rows(
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    as_json: bool,
    empty: str,
    below: Sequence[str] = (),
    cuts: bool = False,
    is_narrowed: bool = False,
) -> None:
    """A table that fits the terminal, one line a row in a pipe, or JSON with all keys of the rows.

    Times are `datetime`, so that both say their zone. `below` and `cuts` are those of a `Table`. With no rows
    it prints `empty`; and where the caller had narrowed the search, it raises Exit with the code for nothing found, as grep does.
    """
    if as_json:
        print_json(rows)
    elif not rows:
        say(empty, err=is_narrowed)
    else:
        print_table(Table(rows, columns, below, cuts))
    if is_narrowed and not rows:
        raise click.exceptions.Exit(NOTHING_FOUND)


def print_table(table: Table) -> None:
    width = terminal.width()
    _print(fitted(table, width) if width else as_lines(table))


def print_record(fields: Mapping[str, object]) -> None:
    """Names and values, one below the other."""
    _print(record(list(fields.items()), terminal.width()))


def print_exactly(text: str) -> None:
    """What a program will read, unchanged and without a line break of its own; on a terminal, where a person reads, as `say` does."""
    click.echo(printable_lines(text) if terminal.width() else text, nl=False)


def say_heading(text: str) -> None:
    """Above a part of what is printed, after an empty line."""
    click.echo()
    click.echo(heading(text))


def print_json(value: object, *, in_one_line: bool = False) -> None:
    """ASCII, so that no letter steers a terminal; times as ISO 8601 in UTC."""
    click.echo(json.dumps(value, indent=None if in_one_line else 2, default=_plain))


def print_json_with(fields: Mapping[str, object], name: str, rows: Iterable[Row]) -> None:
    """As `print_json` of an object with these fields and at its end, under that name, the rows, which are never held all at once."""
    click.echo(json.dumps(fields, indent=2, default=_plain).removesuffix("\n}") + f',\n  "{name}": [', nl=False)
    between = ""
    for row in rows:
        click.echo(between + "\n" + indent(json.dumps(row, indent=2, default=_plain), "    "), nl=False)
        between = ","
    click.echo("\n  ]\n}" if between else "]\n}")


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
