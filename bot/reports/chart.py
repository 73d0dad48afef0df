"""The trend as a PNG for messages, with the same figures and units as `bot.domain.digest.chart`, which also has the alt text.

Matplotlib is imported only when a chart is drawn, as in `bot.reports.metric_plot`.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.digest.chart import (
    BAR,
    BARS,
    ENDED,
    FEWEST,
    GRID,
    INK,
    MEDIAN,
    MEDIAN_LABEL,
    NO_DECISIONS,
    P95,
    P95_LABEL,
    SOFT,
    TITLES,
    Scale,
    count_scale,
    latency_scale,
)
from bot.domain.digest.figures import Digest, WeekOfTrend
from bot.language import _, count_text
from bot.language.catalogues import in_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 6.0, 3.0  # inches; Slack shows 600 x 300 points
PIXELS_PER_INCH = 200  # twice a message's width, for high-resolution screens
EDGE = 0.08  # inches
SMALL, USUAL = 9.5, 10.5  # points; still legible at half the size
NO_DECISION = float("nan")  # a gap in the line


def chart_of(digest: Digest) -> bytes:
    """A PNG of 1200 x 600 pixels, far below 200 kB."""
    with in_language(digest.language):
        return _drawn(digest)


def _drawn(digest: Digest) -> bytes:
    # Without a writable home matplotlib has no cache, but still draws.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(WIDTH, HEIGHT), dpi=PIXELS_PER_INCH, facecolor="white")
    sheet.set_layout_engine("constrained", w_pad=EDGE, h_pad=EDGE)
    FigureCanvasAgg(sheet)
    upper, lower = sheet.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_latency(upper, digest.trend, latency_scale(digest.trend))
    _draw_counts(lower, digest.trend, count_scale(digest.trend))
    png = io.BytesIO()
    sheet.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _draw_latency(axes: Axes, weeks: Sequence[WeekOfTrend], scale: Scale) -> None:
    _frame(axes, _(TITLES[scale.unit]), scale)
    for took, colour, line, mark, said in (
        ([week.median for week in weeks], MEDIAN, "-", "o", _(MEDIAN_LABEL)),
        ([week.p95 for week in weeks], P95, "--", "D", _(P95_LABEL)),
    ):
        values = [_place(one, scale) for one in took]
        axes.plot(range(len(values)), values, color=colour, linestyle=line, marker=mark, markersize=4.5, label=said)
    if all(week.median is None for week in weeks):
        axes.text(
            0.5, 0.5, _(NO_DECISIONS), transform=axes.transAxes, ha="center", va="center", fontsize=USUAL, color=SOFT
        )
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0.2,
        labelcolor=INK,
    )


def _draw_counts(axes: Axes, weeks: Sequence[WeekOfTrend], scale: Scale) -> None:
    _frame(axes, _(ENDED), scale)
    axes.bar(range(len(weeks)), [week.transitions for week in weeks], width=BAR, color=BARS)
    axes.set_xticks(range(len(weeks)), [week.week[5:] for week in weeks], fontsize=SMALL, color=INK)
    axes.set_xlim(-0.5, max(len(weeks), FEWEST) - 0.5)
    if weeks:
        axes.get_xticklabels()[-1].set_fontweight("bold")


def _frame(axes: Axes, title: str, scale: Scale) -> None:
    axes.set_title(title, loc="left", fontsize=USUAL, fontweight="bold", color=INK)
    axes.set_ylim(0, scale.top)
    labels = [f"{count_text(round(tick))} {scale.unit}".strip() for tick in scale.ticks]
    axes.set_yticks(scale.ticks, labels, fontsize=SMALL, color=INK)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _place(took: timedelta | None, scale: Scale) -> float:
    return NO_DECISION if took is None else scale.of(took)
