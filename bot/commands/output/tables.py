"""A table for a width: as it is, with wrapped cells, or, where that would be too narrow to read, one record below the other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import click

from bot.commands.output.colours import coloured, heading
from bot.commands.output.text import cells, cut, padded, printable, wrapped

GAP = 2  # columns between two cells
LONGEST_WORD = (
    40  # columns; ids, names and times are shorter and stay whole, while an address may go on in the next line
)
TALLEST = 4  # lines of a row; above that records are easier to read

Row = Mapping[str, object]


@dataclass(frozen=True)
class Table:
    """`columns` are keys of the rows. Those in `below` are columns too, where there is room; else they follow below their row.

    The rows are read more than once, one loop at a time, and are never held. `cuts`: what is below takes one line and is cut to it, because
    another command shows the whole of it.
    """

    rows: Iterable[Row]
    columns: Sequence[str]
    below: Sequence[str] = ()
    cuts: bool = False


@dataclass(frozen=True)
class _Lines:
    """The titles, then the rows, as the texts of their cells."""

    rows: Iterable[Row]
    columns: Sequence[str]

    @property
    def titles(self) -> list[str]:
        return [title(key) for key in self.columns]

    def of(self, row: Row) -> list[str]:
        return [printable(row.get(key)) for key in self.columns]

    def __iter__(self) -> Iterator[list[str]]:
        return chain([self.titles], map(self.of, self.rows))


def title(key: str) -> str:
    return key.replace("_", " ")


def as_lines(table: Table) -> Iterator[str]:
    """For a pipe: one line a row however long it is, without colours."""
    lines = _Lines(table.rows, (*table.columns, *table.below))
    widths = _natural(lines)
    for line in lines:
        yield _joined(line, widths)


def fitted(table: Table, width: int) -> Iterator[str]:
    """For a terminal of that many columns, with colours. No cell is cut."""
    lines = _Lines(table.rows, (*table.columns, *table.below))
    if _total(_natural(lines)) <= width:
        yield from _as_table(lines, _natural(lines))
        return
    lines = _Lines(table.rows, table.columns)
    widths = _fitting(lines, width)
    if not widths or any(
        len(wrapped(cell, room)) > TALLEST for line in lines for cell, room in zip(line, widths, strict=True)
    ):
        yield from _stacked(table, width)
    else:
        yield from _as_table(lines, widths, lambda row: _below(table, row, width))


def record(fields: Sequence[tuple[str, object]], width: int | None) -> Iterator[str]:
    """Names and values in two columns, the values wrapped; a value below its name where it would have less than half of the width.

    A width of None is for a pipe: nothing is wrapped, and nothing has a colour.
    """
    said = [(title(name), printable(value)) for name, value in fields]
    room = max((cells(name) for name, _ in said), default=0)
    indent = room + GAP if width is None or width - room - GAP >= width // 2 else GAP
    for name, value in said:
        if width is None:
            yield f"{padded(name, room)}{' ' * GAP}{value}"
            continue
        first, *others = wrapped(value, width - indent)
        if indent == GAP:
            yield heading(name)
            yield f"{' ' * GAP}{coloured(first)}"
        else:
            yield f"{heading(padded(name, room))}{' ' * GAP}{coloured(first)}".rstrip()
        yield from (" " * indent + line for line in others)


def _natural(lines: _Lines) -> list[int]:
    return _widest(lines, cells)


def _widest(lines: _Lines, width_of: Callable[[str], int]) -> list[int]:
    """The most of each column."""
    widths = [0] * len(lines.columns)
    for line in lines:
        widths = [max(width, width_of(cell)) for width, cell in zip(widths, line, strict=True)]
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _joined(line: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * GAP).join(padded(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _fitting(lines: _Lines, width: int) -> list[int]:
    """The columns' widths; the widest give way, and none below its longest word. Empty when they cannot fit."""
    widths, least = _natural(lines), _widest(lines, _longest_word)
    while _total(widths) > width:
        giving = [place for place in range(len(widths)) if widths[place] > least[place]]
        if not giving:
            return []
        widths[max(giving, key=lambda place: widths[place])] -= 1
    return widths


def _as_table(
    lines: _Lines, widths: Sequence[int], below: Callable[[Row], Iterable[str]] = lambda _: ()
) -> Iterator[str]:
    yield from map(heading, _side_by_side(lines.titles, widths))
    for row in lines.rows:
        yield from _side_by_side(lines.of(row), widths)
        yield from below(row)


def _longest_word(cell: str) -> int:
    return min(max(cells(word) for word in cell.split(" ")), LONGEST_WORD)


def _side_by_side(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """The lines of a row. A cell of one line is coloured by its word, such as a state."""
    row = [wrapped(cell, width) for cell, width in zip(line, widths, strict=True)]
    for at in range(max(len(lines) for lines in row)):
        parts = list[str]()
        for lines, width in zip(row, widths, strict=True):
            text = lines[at] if at < len(lines) else ""
            gap = " " * (width - cells(text))
            parts.append((coloured(text) if len(lines) == 1 else text) + gap)
        yield (" " * GAP).join(parts).rstrip()


def _below(table: Table, row: Row, width: int) -> Iterator[str]:
    """What is known of these, in lines that are set off from the row."""
    known = [(key, printable(row[key])) for key in table.below if row.get(key) not in (None, "")]
    text = " · ".join(f"{title(key)}: {said}" for key, said in known)
    room = width - GAP
    lines = [] if not known else [cut(text, room)] if table.cuts else wrapped(text, room)
    yield from (click.style(f"{' ' * GAP}{line}", dim=True) for line in lines)


def _stacked(table: Table, width: int) -> Iterator[str]:
    keys = (*table.columns, *table.below)
    for place, row in enumerate(table.rows):
        if place:
            yield ""
        yield from record([(key, row.get(key)) for key in keys], width)
