"""Writes figures into a page of the documentation, between markers; a line whose figure was not measured again stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.bars import BARS, Figure
from tests.bench.machine import description

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HEAD = ("| row | what | bar | figure | | size | load | when |", "|---|---|---|---|---|---|---|---|")


@dataclass(frozen=True)
class Ran:
    """The figures of one row. `load` is the load average over a minute when it began."""

    figures: Sequence[Figure]
    command: str
    load: float


def write(page: Path, ran: Ran, now: datetime | None = None) -> None:
    """Raises ValueError when the page has no markers."""
    text = page.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page} has no line {BEGIN} and {END}, between which the figures would go")
    before, _, rest = text.partition(BEGIN)
    kept, _, after = rest.partition(END)
    lines = {_what(line): line for line in kept.splitlines() if line.startswith("| ") and not line.startswith("| row ")}
    today = (now or datetime.now(UTC)).date().isoformat()
    lines |= {one.bar.what: _line(one, ran, f"{today}, {description()}") for one in ran.figures}
    known = [bar.what for bar in BARS.values()]
    rows = [lines[what] for what in known if what in lines]
    page.write_text(f"{before}{BEGIN}\n" + "\n".join((*HEAD, *rows)) + f"\n{END}{after}")


def _line(one: Figure, ran: Ran, when: str) -> str:
    cells = (one.bar.row, one.bar.what, one.bar.text, one.text, one.verdict, one.scale, f"{ran.load:.1f}", when)
    return f"| {' | '.join(cells)} |"


def _what(line: str) -> str:
    return line.split(" | ")[1]
