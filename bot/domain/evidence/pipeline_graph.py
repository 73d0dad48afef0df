"""The layout of a pipeline's graph: boxes in columns from sources to outputs, and arrows. The page draws it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.language import _, sentences

COLUMN, ROW = 220, 64  # units of the picture
BOX_WIDTH, BOX_HEIGHT = 168, 40
EDGE = 8
TIP = 6  # the arrow's own length
LETTERS_SHOWN = 22
MOST_NAMES = 60  # a larger picture is illegible; the text tree has all names

Edge = tuple[str, str]


@dataclass(frozen=True)
class Box:
    """`left` and `top` are the box's position; `shown` is the name, cut to fit."""

    name: str
    shown: str
    left: int
    top: int
    is_source: bool

    @property
    def middle(self) -> int:
        return self.top + BOX_HEIGHT // 2


@dataclass(frozen=True)
class Arrow:
    """`path` is an SVG path from one box to the other."""

    path: str


@dataclass(frozen=True)
class Graph:
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    in_words: str


def graph_of(edges: Sequence[Edge]) -> Graph | None:
    """None when there is nothing to draw, or too much."""
    names = list(dict.fromkeys(name for edge in edges for name in edge))
    if not names or len(names) > MOST_NAMES:
        return None
    columns = _columns(names, edges)
    needs_nothing = set(names) - {after for _, after in edges}
    boxes = {box.name: box for box in _boxes(columns, needs_nothing)}
    arrows = tuple(Arrow(_curve(boxes[before], boxes[after])) for before, after in edges if before != after)
    width = 2 * EDGE + (len(columns) - 1) * COLUMN + BOX_WIDTH
    height = 2 * EDGE + max(map(len, columns)) * ROW
    return Graph(tuple(boxes.values()), arrows, width, height, in_words(edges))


def in_words(edges: Sequence[Edge]) -> str:
    """The graph as text, for readers who cannot see it."""
    needs: dict[str, list[str]] = {}
    for before, after in edges:
        needs.setdefault(after, []).append(before)
    return sentences(*(_("{name} needs {before}.", name=name, before=before) for name, before in needs.items()))


def _columns(names: Iterable[str], edges: Sequence[Edge]) -> list[list[str]]:
    depth = _depths(names, edges)
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, place in depth.items():
        columns[place].append(name)
    return columns


def _depths(names: Iterable[str], edges: Sequence[Edge]) -> Mapping[str, int]:
    """The longest path to each name. Stops after as many rounds as there are names, so that a cycle, which DVC forbids, ends."""
    depth = dict.fromkeys(names, 0)
    for _round in range(len(depth)):
        for before, after in edges:
            if before != after:
                depth[after] = min(max(depth[after], depth[before] + 1), len(depth) - 1)
    return {name: _beside(name, depth, edges) for name in depth}


def _beside(name: str, depth: Mapping[str, int], edges: Sequence[Edge]) -> int:
    """The column of a source: directly before the first stage that reads it, so that arrows stay short."""
    needed_by = [depth[after] for before, after in edges if before == name != after]
    needs_something = any(after == name != before for before, after in edges)
    return depth[name] if needs_something or not needed_by else max(min(needed_by) - 1, 0)


def _boxes(columns: Sequence[Sequence[str]], sources: set[str]) -> Iterable[Box]:
    tallest = max(map(len, columns))
    for place, column in enumerate(columns):
        offset = (tallest - len(column)) // 2 * ROW  # whole rows, so that long arrows pass between the boxes
        for row, name in enumerate(column):
            yield Box(name, _shown(name), EDGE + place * COLUMN, EDGE + offset + row * ROW, name in sources)


def _curve(before: Box, after: Box) -> str:
    start, end = before.left + BOX_WIDTH, after.left
    if end - start > COLUMN - BOX_WIDTH:
        return _around(start, before.middle, end, after.middle)
    half = (start + end) // 2
    return f"M{start} {before.middle} C{half} {before.middle} {half} {after.middle} {end - TIP} {after.middle}"


def _around(start: int, from_y: int, end: int, to_y: int) -> str:
    """A path below the row, around the boxes in between."""
    lane, bend = max(from_y, to_y) + ROW // 2, (COLUMN - BOX_WIDTH) // 2
    down = f"M{start} {from_y} C{start + bend} {from_y} {start + bend // 2} {lane} {start + 2 * bend} {lane}"
    return f"{down} L{end - 2 * bend} {lane} C{end - bend // 2} {lane} {end - bend} {to_y} {end - TIP} {to_y}"


def _shown(name: str) -> str:
    """Keeps both ends of a long name: the file's name and the start of its path."""
    if len(name) <= LETTERS_SHOWN:
        return name
    return f"{name[:6]}…{name[-(LETTERS_SHOWN - 7) :]}"
