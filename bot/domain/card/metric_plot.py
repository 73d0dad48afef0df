"""Coordinates for the SVG of a metric's history on a version's page. `metric_history` chooses its values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.card.metric_history import MetricHistory, Point, in_words
from bot.domain.card.metrics_table import figure

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 72, 20, 18, 40
MOST_DIGITS = 12
FAR_AWAY = 3.0  # a threshold further away than 3 times the values' range would flatten them into a line


@dataclass(frozen=True)
class Mark:
    """The position of a value; `kind` is candidate, holder, same or apart (measured on other data)."""

    x: float
    y: float
    kind: str
    version: str
    value: str


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class MetricPlot:
    """`line` joins the values measured on the same data; `limit` is the threshold's position, None when it is too far away."""

    title: str
    marks: tuple[Mark, ...]
    line: str
    limit: float | None
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    in_words: str


def plot_of(history: MetricHistory) -> MetricPlot:
    low, high = _range(history)
    marks = tuple(
        Mark(
            _x(place, len(history.points)),
            _y(point.value, low, high),
            _kind(point, history),
            f"v{point.version}",
            figure(point.value),
        )
        for place, point in enumerate(history.points)
    )
    same = [mark for mark, point in zip(marks, history.points, strict=True) if point.is_comparable]
    limit = history.limit
    return MetricPlot(
        title=f"{history.metric} of {history.model}",
        marks=marks,
        line=" ".join(f"{mark.x},{mark.y}" for mark in same),
        limit=_y(limit, low, high) if limit is not None and low <= limit <= high else None,
        across=_across(marks),
        up=tuple(Tick(_y(value, low, high), _rounded(value, high - low)) for value in _steps(low, high)),
        in_words=in_words(history),
    )


def _kind(point: Point, history: MetricHistory) -> str:
    if point.version == history.candidate.version:
        return "candidate"
    if history.holder and history.holder.point and history.holder.point.version == point.version:
        return "holder"
    return "same" if point.is_comparable else "apart"


def _range(history: MetricHistory) -> tuple[float, float]:
    values = [point.value for point in history.points]
    low, high = min(values), max(values)
    if history.limit is not None and max(low - history.limit, history.limit - high) <= FAR_AWAY * (high - low):
        low, high = min(low, history.limit), max(high, history.limit)
    room = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _x(place: int, count: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * (place + 0.5) / count, 1)


def _y(value: float, low: float, high: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low), 1)


def _steps(low: float, high: float) -> Sequence[float]:
    return [low + (high - low) * part for part in (0.1, 0.5, 0.9)]


def _rounded(value: float, spread: float) -> str:
    """With as many digits as needed to distinguish the steps."""
    digits = 1 - math.floor(math.log10(spread))
    return figure(round(value, digits)) if abs(digits) < MOST_DIGITS else figure(value)


def _across(marks: Sequence[Mark]) -> tuple[Tick, ...]:
    """As many version numbers as are legible, always with the last one."""
    step = -(-len(marks) // 10)
    return tuple(Tick(mark.x, mark.version) for mark in marks[(len(marks) - 1) % step :: step])
