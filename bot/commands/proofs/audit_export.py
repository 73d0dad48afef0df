"""`countersign audit export`: streams the ledger's entries for other tools."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

import click

from bot.commands.context import services_for, telling_mistakes
from bot.commands.moments import Day
from bot.commands.output.text import printable
from bot.reports.records import safe_cell

if TYPE_CHECKING:
    from bot.domain.ledger.chain import Entry

COLUMNS = ("seq", "at", "kind", "body", "leaf", "head")
ID = re.compile(r"\b[0-9a-f]{32}\b")


@click.command("export")
@click.option("--format", "form", type=click.Choice(("jsonl", "csv")), default="jsonl", show_default=True)
@click.option("--since", type=Day(ends=False), help="Only entries from this day or moment on (UTC).")
@click.option(
    "--until", type=Day(ends=True), help="Only entries up to the end of this day, or before this moment (UTC)."
)
@click.option(
    "--names",
    is_flag=True,
    help="Print people's names for their ids. Such a body is for reading: it no longer fits its leaf.",
)
@click.option(
    "--out",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    help="Write into this file, which is complete or not there. Default: print.",
)
@telling_mistakes
def export(form: str, since: datetime | None, until: datetime | None, names: bool, out: TextIO) -> None:
    """Write the ledger's entries: number, time, kind, body, leaf and head.

    A CSV cell that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    from bot.store.ledger import LedgerRows, unhurried
    from bot.store.people import PeopleRows

    with services_for() as services, unhurried(services.store.engine) as connection:
        known = PeopleRows(connection).all_names() if names else {}
        write = {"jsonl": _write_lines, "csv": _write_csv}[form]
        write(LedgerRows(connection).entries(since=since, until=until), _named(known), out)


def _write_lines(entries: Iterable[Entry], named: Callable[[str], str], out: TextIO) -> None:
    from bot.domain.ledger.proofs import plain_entry

    for entry in entries:
        line = {**plain_entry(entry), "body": named(entry.body)}
        out.write(json.dumps(line, ensure_ascii=out.isatty()) + "\n")  # escapes what could steer a terminal


def _write_csv(entries: Iterable[Entry], named: Callable[[str], str], out: TextIO) -> None:
    from bot.domain.ledger.proofs import plain_entry

    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for entry in entries:
        plain = {**plain_entry(entry), "body": named(entry.body)}
        cells = [safe_cell(str(plain[column])) for column in COLUMNS]
        rows.writerow([printable(cell) for cell in cells] if out.isatty() else cells)


def _named(names: Mapping[str, str]) -> Callable[[str], str]:
    """Names are JSON-escaped, because they are inserted into JSON bodies."""

    def name_of(found: re.Match[str]) -> str:
        name = names.get(found[0])
        return found[0] if name is None else json.dumps(name, ensure_ascii=False)[1:-1]

    return lambda body: ID.sub(name_of, body) if names else body
