"""The records of a week: every entry, checkable, with names beside the ids, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import rfc8785

from bot.domain.events import KeyRetired
from bot.domain.ledger import GENESIS, Entry, body_of, head_of, leaf_of
from bot.reports.records import file_names, write_records_csv, write_records_json

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
ANA, BEN = "a" * 32, "b" * 32
NAMES = {ANA: '=HYPERLINK("https://evil.example";"Ana")', BEN: "Ben Okafor"}
MANY = 5_000
ONE_MB = 1_000_000


def entries(*reasons: str) -> Iterator[Entry]:
    head = GENESIS
    for seq, reason in enumerate(reasons, start=1):
        body = rfc8785.dumps(body_of(KeyRetired(NOON, "k1", reason), seq)).decode()
        leaf = leaf_of(body)
        head = head_of(head, leaf)
        yield Entry(seq, NOON, "KeyRetired", body, leaf, head)


class Sink(io.StringIO):
    """Takes what is written and keeps its length alone."""

    size = 0

    def write(self, text: str) -> int:
        self.size += len(text)
        return len(text)


def test_every_entry_becomes_a_row_whose_leaf_can_be_checked() -> None:
    out = io.StringIO()

    write_records_csv(entries("lost", "=1+1\nnew line"), out, NAMES)

    rows = list(csv.DictReader(io.StringIO(out.getvalue().removeprefix("\ufeff"), newline="")))
    assert [row["seq"] for row in rows] == ["1", "2"]
    assert [row["kind"] for row in rows] == ["KeyRetired", "KeyRetired"]
    assert [hashlib.sha256(b"\0" + row["body"].encode()).hexdigest() for row in rows] == [row["leaf"] for row in rows]


def test_names_stand_beside_the_ids_and_not_in_their_place() -> None:
    table, lines = io.StringIO(), io.StringIO()

    write_records_csv(entries(ANA, BEN, "nobody"), table, NAMES)
    write_records_json(entries(ANA, BEN, "nobody"), lines, NAMES)

    rows = list(csv.DictReader(io.StringIO(table.getvalue().removeprefix("\ufeff"))))
    objects = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [row["names"] for row in rows] == [f"'{NAMES[ANA]} = {ANA}", f"Ben Okafor = {BEN}", ""]
    assert [one["names"] for one in objects] == [{ANA: NAMES[ANA]}, {BEN: "Ben Okafor"}, {}]
    assert all(ANA in one["body"] for one in objects[:1])


def test_whoever_a_change_of_the_policy_names_is_named() -> None:
    out = io.StringIO()

    write_records_csv(entries(f"risk: person:{BEN} was added", f"the hash {BEN}{ANA}"), out, NAMES)

    assert [row["names"] for row in csv.DictReader(io.StringIO(out.getvalue().removeprefix("\ufeff")))] == [
        f"Ben Okafor = {BEN}",
        "",
    ]


def test_no_cell_is_a_formula() -> None:
    out = io.StringIO()

    write_records_csv(entries(*NAMES), out, NAMES)

    cells = [cell for row in csv.reader(io.StringIO(out.getvalue())) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_week_without_entries_has_titles_and_no_rows() -> None:
    table, lines = io.StringIO(), io.StringIO()

    write_records_csv(entries(), table, {})
    write_records_json(entries(), lines, {})

    assert table.getvalue() == "\ufeffseq,at,kind,names,body,leaf,head\n"
    assert lines.getvalue() == ""


def test_the_memory_stays_flat_however_many_entries_there_are() -> None:
    tracemalloc.start()
    sink = Sink()

    write_records_csv(entries(*("x" * 400 for _ in range(MANY))), sink, NAMES)
    write_records_json(entries(*("x" * 400 for _ in range(MANY))), sink, NAMES)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sink.size > MANY * 400 * 2
    assert most < ONE_MB


def test_the_files_are_called_after_their_week() -> None:
    names = file_names("2026-W47")

    assert (names.html, names.json) == ("countersign-2026-W47.html", "countersign-2026-W47.jsonl")
    assert (names.holdings, names.waiting) == ("countersign-2026-W47-holdings.csv", "countersign-2026-W47-waiting.csv")
