"""The table in docs/operations.md of what is kept for how long has every table of the database, each once."""

from __future__ import annotations

import re
from pathlib import Path

from bot.engine import rows
from bot.store import tables

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
OF_THE_ENGINE = {"procrastinate_jobs", "procrastinate_events", "procrastinate_workers"}
UNUSED = {"procrastinate_periodic_defers"}  # of the engine: our clock defers the jobs that come round


def test_every_table_has_its_line() -> None:
    _, _, section = PAGE.read_text().partition("## What is kept for how long")
    lines = [line.split("|")[2] for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]

    named = [name for cell in lines for name in re.findall(r"`(\w+)`", cell)]

    ours = {*tables.metadata.tables, *rows.metadata.tables} - UNUSED
    assert sorted(named) == sorted(ours | OF_THE_ENGINE)
