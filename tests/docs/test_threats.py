"""docs/threats.md: each threat has a defence and a test, and each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import bot

ROOT = Path(bot.__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("| \n").split(" | ")]
    for line in (ROOT / "docs" / "threats.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| threat |")
]


def test_every_threat_has_a_defence_and_a_test() -> None:
    assert ROWS
    assert [row for row in ROWS if len(row) != 3 or not all(row) or "`test_" not in row[2]] == []


def test_every_test_that_the_threats_name_exists() -> None:
    written = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    named = {name for row in ROWS for name in re.findall(r"`(test_\w+)`", row[-1])}

    assert named - written == set()
