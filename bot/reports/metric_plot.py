"""Draws the history of a metric as a PNG. `bot.domain.card.metric_history` chooses what it shows.

Matplotlib takes half a second and much memory, so it is imported only when a plot is drawn. `pyplot` is not
used, because it keeps every figure in memory.
"""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from bot.domain.card.metric_history import MetricHistory, demanded
from bot.domain.card.metrics_table import figure
from bot.language import _

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

WIDTH, HEIGHT = 6.0, 4.0  # inches; Slack shows 600 x 400 points
PIXELS_PER_INCH = 200  # twice a message's width, for high-resolution screens
EDGE = 0.08  # inches
SMALL, USUAL, LARGE = 12, 13, 14  # still legible at half the size

# Okabe and Ito's colours, which colour-blind readers can distinguish; each also has its own shape, named in the legend.
# https://jfly.uni-koeln.de/color/
LINE, CANDIDATE, HOLDER, LIMIT, FAINT = "#0072B2", "#D55E00", "#007A5A", "#333333", "#7A7A7A"
TEXT, GRID = "#1D1C1D", "#E3E3E3"

TITLE_SHOWN = 46
NAME_SHOWN = 26
TICKS_SHOWN = 10
FAR_AWAY = 3.0  # a threshold further away than 3 times the figures' range would flatten them into a line


def draw(history: MetricHistory) -> bytes:
    """A PNG of 1200 x 800 pixels, far below 200 kB."""
    logging.getLogger("matplotlib").setLevel(
        logging.ERROR
    )  # without a writable home matplotlib has no cache, but still draws
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(WIDTH, HEIGHT), dpi=PIXELS_PER_INCH, facecolor="white")
    sheet.set_layout_engine("constrained", w_pad=EDGE, h_pad=EDGE)
    FigureCanvasAgg(sheet)
    axes = sheet.add_subplot()
    places = {point.version: place for place, point in enumerate(history.points)}
    title = _draw_axes(axes, history)
    _draw_versions(axes, history, places)
    _draw_line(axes, history, places)
    _draw_marks(axes, history, places)
    _draw_limit(axes, history)
    _draw_apart(axes, history, places)
    _draw_legend(sheet)
    _fit_names(sheet, title, axes.yaxis.label)
    png = io.BytesIO()
    sheet.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _draw_axes(axes: Axes, history: MetricHistory) -> Text:
    """Returns the title."""
    said = _shown(_("{metric} of {model}", metric=history.metric, model=history.model), TITLE_SHOWN)
    title = axes.set_title(said, fontsize=LARGE, color=TEXT, loc="left", fontweight="bold", parse_math=False)
    axes.set_ylabel(_shown(history.metric), fontsize=USUAL, color=TEXT, parse_math=False)
    axes.set_xlabel(_("version"), fontsize=USUAL, color=TEXT)
    axes.set_ylim(*_range_shown(history))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return title


def _draw_versions(axes: Axes, history: MetricHistory, places: dict[int, int]) -> None:
    """As many version numbers as are legible, counted from the candidate's, which is always shown."""
    count = len(history.points)
    step = -(-count // TICKS_SHOWN)
    shown = range((count - 1) % step, count, step)
    axes.set_xticks(list(shown), [f"v{history.points[place].version}" for place in shown])
    axes.set_xlim(-0.5, count - 0.5)
    axes.tick_params(labelsize=SMALL, colors=TEXT)
    marked = {places[history.candidate.version]: CANDIDATE}
    if history.holder and history.holder.point:
        marked[places[history.holder.point.version]] = HOLDER
    for place, label in zip(shown, axes.get_xticklabels(), strict=True):
        if place in marked:
            label.set(color=marked[place], fontweight="bold")


def _range_shown(history: MetricHistory) -> tuple[float, float]:
    """The range of the figures and, when it is near enough, of the threshold."""
    shown = _figures(history)
    if history.limit is not None and _is_near(history, history.limit):
        shown.append(history.limit)
    low, high = min(shown), max(shown)
    room = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _figures(history: MetricHistory) -> list[float]:
    return [*(point.value for point in history.points), *([history.holder.value] if history.holder else [])]


def _is_near(history: MetricHistory, limit: float) -> bool:
    low, high = min(_figures(history)), max(_figures(history))
    away = max(low - limit, limit - high, 0.0)
    return away <= FAR_AWAY * (high - low) or away <= 0.1 * abs(limit)


def _draw_line(axes: Axes, history: MetricHistory, places: dict[int, int]) -> None:
    same = [point for point in history.points if point.is_comparable]
    at, values = [places[point.version] for point in same], [point.value for point in same]
    axes.plot(at, values, color=LINE, linewidth=2, marker="o", markersize=6)


def _draw_apart(axes: Axes, history: MetricHistory, places: dict[int, int]) -> None:
    """Figures measured on other data: hollow marks without a line."""
    apart = [point for point in history.points if not point.is_comparable]
    if apart:
        at, values = [places[point.version] for point in apart], [point.value for point in apart]
        said = _("measured on other data")
        (marks,) = axes.plot(at, values, linestyle="none", marker="o", markersize=8, color=FAINT, label=said)
        marks.set_markerfacecolor("white")


def _draw_marks(axes: Axes, history: MetricHistory, places: dict[int, int]) -> None:
    """The candidate and the target's holder, each with its figure in the legend."""
    candidate, holder = history.candidate, history.holder
    at = places[candidate.version]
    said = f"v{candidate.version} {history.role} {figure(candidate.value)}"
    axes.plot([at], [candidate.value], marker="D", markersize=12, color=CANDIDATE, linestyle="none", label=said)
    if holder is None:
        return
    said = f"{_shown(holder.name)} {_shown(holder.role)} {figure(holder.value)}"
    if holder.point is None:  # older than the versions shown, or of another model
        axes.axhline(holder.value, color=HOLDER, linewidth=2, linestyle=":", label=said)
        return
    at = places[holder.point.version]
    fill = HOLDER if holder.point.is_comparable else "white"
    (mark,) = axes.plot([at], [holder.value], marker="s", markersize=12, color=HOLDER, linestyle="none", label=said)
    mark.set_markerfacecolor(fill)


def _draw_limit(axes: Axes, history: MetricHistory) -> None:
    """When the threshold is too far away to draw, the legend says on which side it is."""
    if history.limit is None:
        return
    low, high = axes.get_ylim()
    label = demanded(history)
    if low <= history.limit <= high:
        axes.axhline(history.limit, color=LIMIT, linewidth=2, linestyle=(0, (5, 3)), label=label)
        return
    above, below = _("{limit} (off the chart, above)", limit=label), _("{limit} (off the chart, below)", limit=label)
    label = above if history.limit > high else below
    axes.plot([], [], color=LIMIT, linewidth=2, linestyle=(0, (5, 3)), label=label)


def _draw_legend(sheet: Figure) -> None:
    """Below the plot, where it covers no figure: in two columns, in one where two are too wide, and smaller where one is."""
    room = sheet.bbox.width - 2 * EDGE * PIXELS_PER_INCH
    if _legend_width(sheet, 2) > room and (width := _legend_width(sheet, 1)) > room:
        _legend_width(sheet, 1, SMALL * room / width)


def _legend_width(sheet: Figure, columns: int, size: float = SMALL) -> float:
    """In pixels, of the legend that takes the place of the one before."""
    for earlier in sheet.legends[:]:
        earlier.remove()
    legend = sheet.legend(loc="outside lower left", ncols=columns, fontsize=size, frameon=False, columnspacing=1.2)
    for text in legend.get_texts():
        text.set(color=TEXT, parse_math=False)
    return legend.get_window_extent().width


def _fit_names(sheet: Figure, title: Text, label: Text) -> None:
    """Wide letters make a name that is short enough wider than the sheet."""
    sheet.draw_without_rendering()
    edge = EDGE * PIXELS_PER_INCH
    over, at = title.get_window_extent(), label.get_window_extent()
    middle = (at.y0 + at.y1) / 2
    rooms = (
        (title, over.width, sheet.bbox.x1 - edge - over.x0),
        (label, at.height, 2 * (min(middle, sheet.bbox.y1 - middle) - edge)),
    )
    for text, length, room in rooms:
        if length > room:
            text.set_fontsize(text.get_fontsize() * room / length)


def _shown(text: str, limit: int = NAME_SHOWN) -> str:
    """Replaces characters that the font lacks, because names are untrusted."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    near = text[:limit] if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(letter if letter.isprintable() and font.get_char_index(ord(letter)) else "?" for letter in near)
