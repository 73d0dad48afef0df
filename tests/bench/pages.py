"""Writes figures into a page of the documentation, between markers; a line whose figure was not measured again stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.bars import BARS, Figure
from tests.bench.machine import description

HEAD = ("| row | what | bar | figure | | size | load, slowed | when |", "|---|---|---|---|---|---|---|---|")


@dataclass(frozen=True)
class Ran:
    """The figures of one row. `load` is the load average over a minute when it began, `slowdown` what other work cost a computation."""

    figures: Sequence[Figure]
    load: float
    slowdown: float


def write(page: Path, ran: Ran, now: datetime | None = None) -> None:
    """Raises ValueError when the page has no markers."""
    _, kept, _ = _parts(page, "figures")
    lines = {_what(line): line for line in kept.splitlines() if line.startswith("| ") and not line.startswith("| row ")}
    today = (now or datetime.now(UTC)).date().isoformat()
    lines |= {one.bar.what: _line(one, ran, f"{today}, {description()}") for one in ran.figures}
    rows = [lines[bar.what] for bar in BARS.values() if bar.what in lines]
    write_between(page, "figures", [*HEAD, *rows])


def write_between(page: Path, name: str, lines: Sequence[str]) -> None:
    """In the place of what is between the markers of this name. Raises ValueError when the page has none."""
    before, _, after = _parts(page, name)
    page.write_text("\n\n".join((before, "\n".join(lines), after)))


def _parts(page: Path, name: str) -> tuple[str, str, str]:
    """Up to the first marker and with it, what is between, and the rest with the second."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text()
    if begin not in text or end not in text:
        raise ValueError(f"{page} has no line {begin} and {end}, between which the table would go")
    before, _, rest = text.partition(begin)
    kept, _, after = rest.partition(end)
    return before + begin, kept, end + after


def _line(one: Figure, ran: Ran, when: str) -> str:
    cells = (
        one.bar.row,
        one.bar.what,
        one.bar.text,
        one.text,
        one.verdict,
        one.scale,
        f"{ran.load:.1f}, {ran.slowdown:.1f}x",
        when,
    )
    return f"| {' | '.join(cells)} |"


def _what(line: str) -> str:
    return line.split(" | ")[1]
