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

from bot.domain.events import KeyRetired, RequestApproved
from bot.domain.ledger.chain import GENESIS, Entry, body_of, head_of, leaf_of
from bot.domain.ledger.subjects import NO_SUBJECT, Subject
from bot.reports.records import Record, file_names, write_records_csv, write_records_json

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
ANA, BEN = "a" * 32, "b" * 32
NAMES = {ANA: '=HYPERLINK("https://evil.example";"Ana")', BEN: "Ben Okafor"}
MANY = 5_000
ONE_MB = 1_000_000


def entries(*reasons: str) -> Iterator[Record]:
    head = GENESIS
    for seq, reason in enumerate(reasons, start=1):
        body = rfc8785.dumps(body_of(KeyRetired(NOON, "k1", reason), seq)).decode()
        leaf = leaf_of(body)
        head = head_of(head, leaf)
        yield Entry(seq, NOON, "KeyRetired", body, leaf, head), NO_SUBJECT


def approved(subject: Subject) -> Record:
    """Its body has the request's id alone."""
    body = rfc8785.dumps(body_of(RequestApproved(NOON, "r1", (), "sha256:1"), 1)).decode()
    return Entry(1, NOON, "RequestApproved", body, leaf_of(body), leaf_of(body)), subject


def rows_of(table: io.StringIO) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.getvalue().removeprefix("\ufeff"), newline="")))


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


def test_every_row_says_what_it_is_about() -> None:
    table, lines = io.StringIO(), io.StringIO()
    record = approved(Subject("r1", "bike-demand", 7, "alias:champion"))

    write_records_csv([record, *entries("lost")], table)
    write_records_json([record, *entries("lost")], lines)

    columns = ("request_id", "model", "version", "target")
    rows, objects = rows_of(table), [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [[row[column] for column in columns] for row in rows] == [
        ["r1", "bike-demand", "7", "alias:champion"],
        [""] * 4,
    ]
    assert [[one[column] for column in columns] for one in objects] == [
        ["r1", "bike-demand", 7, "alias:champion"],
        [None] * 4,
    ]
    assert list(objects[0]) == list(rows[0])


def test_a_model_that_is_named_like_a_formula_is_none() -> None:
    table, lines = io.StringIO(), io.StringIO()
    record = approved(Subject("-r1", "=1+1", -7, "@alias:champion"))

    write_records_csv([record], table)
    write_records_json([record], lines)

    (row,) = rows_of(table)
    assert (row["request_id"], row["model"], row["version"], row["target"]) == (
        "'-r1",
        "'=1+1",
        "'-7",
        "'@alias:champion",
    )
    assert json.loads(lines.getvalue())["model"] == "=1+1"


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

    assert table.getvalue() == "\ufeffseq,at,kind,request_id,model,version,target,names,body,leaf,head\n"
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
