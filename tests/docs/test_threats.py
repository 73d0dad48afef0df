"""Each row of docs/threats.md has a threat, a defence, and tests that exist by name."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, ROOT

ROWS = [line for line in (DOCS / "threats.md").read_text().splitlines() if line.startswith("| ")][1:]
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_each_threat_has_a_defence_and_tests_that_exist(row: str) -> None:
    _, threat, defence, tests, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", row))

    missing = [
        f"{path}::{name}"
        for path, name in TEST.findall(tests)
        if not (ROOT / path).exists() or (name and f"def {name}(" not in (ROOT / path).read_text())
    ]

    assert threat
    assert defence
    assert TEST.search(tests)
    assert missing == []
