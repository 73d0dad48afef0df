"""docs/decisions: every record is in the index, has a date and a status, and keeps its number."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tests.docs.pages import DOCS

FOLDER = DOCS / "decisions"
INDEX = (FOLDER / "README.md").read_text()
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
ROW = re.compile(r"^\| \[(\d{4})\]\(([^)]+)\) \| .+ \| (\S+) \| (\w+) \|$", re.MULTILINE)


def test_the_index_lists_every_record_once_in_order() -> None:
    assert [file for _, file, _, _ in ROW.findall(INDEX)] == [record.name for record in RECORDS]


def test_no_two_records_share_a_number() -> None:
    numbers = [record.name[:4] for record in RECORDS]

    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_says_its_number_date_and_status_as_the_index_does(record: Path) -> None:
    text = record.read_text()
    ((number, _, day, status),) = [row for row in ROW.findall(INDEX) if row[1] == record.name]

    assert text.startswith(f"# {number}: ")
    assert f"- Date: {date.fromisoformat(day)}\n- Status: {status}\n" in text


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_says_what_was_rejected(record: Path) -> None:
    headings = re.findall(r"^## (.+)$", record.read_text(), re.MULTILINE)

    assert {"Context", "Decision", "Rejected", "Consequences"} <= set(headings)
