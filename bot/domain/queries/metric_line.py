"""A metric over the versions of a model as a line: the coordinates for a page's SVG, and the same in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.card.metrics_table import figure
from bot.language import _

WIDTH, HEIGHT, EDGE = 640, 160, 28  # of the drawing, in its own units
LARGEST = 1e100  # the difference of two larger values may overflow


@dataclass(frozen=True)
class Dot:
    version: int
    value: float
    x: float
    y: float


@dataclass(frozen=True)
class MetricLine:
    metric: str
    dots: tuple[Dot, ...]

    @property
    def path(self) -> str:
        return " ".join(f"{'M' if place == 0 else 'L'}{dot.x} {dot.y}" for place, dot in enumerate(self.dots))

    @property
    def in_words(self) -> str:
        first, last = self.dots[0], self.dots[-1]
        values = [dot.value for dot in self.dots]
        return _(
            "{metric} from v{first} to v{last}: {begin} to {end}, lowest {lowest}, highest {highest}.",
            metric=self.metric,
            first=str(first.version),
            last=str(last.version),
            begin=figure(first.value),
            end=figure(last.value),
            lowest=figure(min(values)),
            highest=figure(max(values)),
        )


def line_through(metric: str, values: Iterable[tuple[int, float | None]]) -> MetricLine | None:
    """`values` by version, in the order to draw. None when fewer than two of them can be drawn."""
    finite = [
        (number, value)
        for number, value in values
        if value is not None and math.isfinite(value) and abs(value) < LARGEST
    ]
    if len(finite) < 2:
        return None
    low, high = min(value for _, value in finite), max(value for _, value in finite)
    across, up = (WIDTH - 2 * EDGE) / (len(finite) - 1), (HEIGHT - 2 * EDGE) / ((high - low) or 1.0)
    dots = [
        Dot(number, value, round(EDGE + place * across, 1), round(HEIGHT - EDGE - (value - low) * up, 1))
        for place, (number, value) in enumerate(finite)
    ]
    return MetricLine(metric, tuple(dots))
