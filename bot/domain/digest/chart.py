"""The trend of the last weeks as an SVG and as text: how long people took to decide, and how many transitions ended.

The PNG for messages has the same figures and units (`bot.reports.chart`). It contains no untrusted text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape

from bot.domain.digest.figures import Digest, WeekOfTrend
from bot.domain.text import duration_text
from bot.language import N_, _, count_text, ngettext, sentences

WIDTH, HEIGHT = 720, 330
LEFT, RIGHT = 62, 12
LATENCY_TOP, LATENCY_BOTTOM = 34, 174
COUNT_TOP, COUNT_BOTTOM = 222, 298
MOST_STEPS = 4
NO_DECISIONS = N_("People decided nothing in these weeks")
BETWEEN_LINES = 91  # the height between two grid lines, for text on an empty axis
BAR = 0.56  # the part of a week's width that its bar fills
FEWEST = 6  # the axis has room for at least this many weeks, so that the first bars are not too wide
RADIUS = 3.5

# Okabe and Ito's colours, which colour-blind readers can distinguish; the two lines also differ in marks and dashes.
MEDIAN, P95, BARS = "#0072B2", "#B34700", "#5B6B7F"
INK, SOFT, GRID = "#1E1F21", "#505258", "#DDDEE1"

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
STEPS = {"d": (1, 2, 5, 10, 20, 50), "h": (1, 2, 3, 6, 12, 24), "min": (1, 2, 5, 10, 15, 30, 60), "s": (1, 5, 10, 30)}
TITLES = {
    "d": N_("Time to decision (days)"),
    "h": N_("Time to decision (hours)"),
    "min": N_("Time to decision (minutes)"),
    "s": N_("Time to decision (seconds)"),
}
MEDIAN_LABEL, P95_LABEL, ENDED = N_("median"), N_("95th percentile"), N_("Transitions ended")
FINER_BELOW = 3  # fewer of a unit than this are shown in the next smaller one


@dataclass(frozen=True)
class Scale:
    """An axis from 0 to `top`, both counted in `unit`, with a line at every `step`."""

    unit: str
    seconds: int
    step: float
    top: float

    @property
    def ticks(self) -> tuple[float, ...]:
        return tuple(self.step * number for number in range(round(self.top / self.step) + 1))

    def of(self, duration: timedelta) -> float:
        return duration.total_seconds() / self.seconds


def chart_svg(digest: Digest, font: str = "system-ui, sans-serif") -> str:
    """An SVG for a file or a page; the same trend always gives the same text."""
    weeks = digest.trend
    parts = [*_latency(weeks, latency_scale(weeks)), *_counts(weeks, count_scale(weeks)), *_week_names(weeks)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{escape(chart_words(digest))}" font-family="{font}" font-size="12" fill="{INK}">'
        f"{''.join(parts)}</svg>"
    )


def chart_words(digest: Digest) -> str:
    """The picture as text, for readers who cannot see it."""
    weeks = digest.trend
    if not weeks:
        return _("There is no trend to show yet.")
    newest = weeks[-1]
    if len(weeks) == 1:
        ended = ngettext("{count} transition ended.", "{count} transitions ended.", newest.transitions)
        whole = _("Time to decision and transitions of {week}.", week=newest.week)
        return sentences(whole, _decided_words(newest), ended)
    whole = _("Time to decision and transitions by week, {first} to {last}.", first=weeks[0].week, last=newest.week)
    medians = [week.median for week in weeks if week.median is not None]
    span = ""
    if medians:
        span = _(
            "Over these weeks the median lay between {least} and {most}.",
            least=duration_text(min(medians)),
            most=duration_text(max(medians)),
        )
    return sentences(whole, _decided_words(newest), span, _transition_words(weeks))


def latency_scale(weeks: Sequence[WeekOfTrend]) -> Scale:
    longest = max(
        (took for week in weeks for took in (week.median, week.p95) if took is not None), default=timedelta(hours=4)
    )
    seconds, unit = _unit(longest)
    most = max(longest.total_seconds() / seconds, 1)
    step = _step(most, STEPS[unit])
    return Scale(unit, seconds, step, _top(most, step))


def count_scale(weeks: Sequence[WeekOfTrend]) -> Scale:
    most = max((week.transitions for week in weeks), default=0)
    step = _step(max(most, 1), ())
    return Scale("", 1, step, _top(max(most, 1), step))


def _decided_words(week: WeekOfTrend) -> str:
    if week.median is None or week.p95 is None:
        return _("In {week} people decided nothing.", week=week.week)
    return ngettext(
        "In {week} people decided {count} request, with a median of {median} and a 95th percentile of {most}.",
        "In {week} people decided {count} requests, with a median of {median} and a 95th percentile of {most}.",
        week.decided,
        week=week.week,
        median=duration_text(week.median),
        most=duration_text(week.p95),
    )


def _transition_words(weeks: Sequence[WeekOfTrend]) -> str:
    ended = [week.transitions for week in weeks]
    if len(set(ended)) == 1:
        return ngettext("{count} transition ended in each week.", "{count} transitions ended in each week.", ended[0])
    return ngettext(
        "{count} transition ended in {week}; over these weeks it was between {least} and {most} a week.",
        "{count} transitions ended in {week}; over these weeks it was between {least} and {most} a week.",
        ended[-1],
        week=weeks[-1].week,
        least=min(ended),
        most=max(ended),
    )


def _unit(longest: timedelta) -> tuple[int, str]:
    return next(
        ((seconds, unit) for seconds, unit in UNITS if longest.total_seconds() >= FINER_BELOW * seconds), UNITS[-1]
    )


def _step(most: float, usual: Sequence[float]) -> float:
    power = 1
    while True:
        for step in (*usual, *(power * round_one for round_one in (1, 2, 5))):
            if most <= step * MOST_STEPS:
                return step
        power *= 10


def _top(most: float, step: float) -> float:
    return step * -(-most // step)


def _latency(weeks: Sequence[WeekOfTrend], scale: Scale) -> Iterator[str]:
    yield _text(0, 14, _(TITLES[scale.unit]), weight="600")
    yield from _legend()
    yield from _lines_across(scale, LATENCY_TOP, LATENCY_BOTTOM)
    if all(week.median is None for week in weeks):
        yield _text((LEFT + WIDTH - RIGHT) / 2, BETWEEN_LINES, _(NO_DECISIONS), "middle", SOFT)
    yield from _series([week.p95 for week in weeks], scale, P95, ' stroke-dasharray="5 3"', _diamond)
    yield from _series([week.median for week in weeks], scale, MEDIAN, "", _circle)


def _legend() -> Iterator[str]:
    yield f'<path d="M452 10 H476" stroke="{MEDIAN}" stroke-width="2"/>{_circle(464, 10, MEDIAN)}{_text(482, 14, _(MEDIAN_LABEL))}'
    yield f'<path d="M548 10 H572" stroke="{P95}" stroke-width="2" stroke-dasharray="5 3"/>{_diamond(560, 10, P95)}'
    yield _text(578, 14, _(P95_LABEL))


def _counts(weeks: Sequence[WeekOfTrend], scale: Scale) -> Iterator[str]:
    yield _text(0, COUNT_TOP - 20, _(ENDED), weight="600")
    yield from _lines_across(scale, COUNT_TOP, COUNT_BOTTOM)
    width = round(_room(weeks) * BAR, 1)
    for place, week in enumerate(weeks):
        top = _height(week.transitions, scale, COUNT_TOP, COUNT_BOTTOM)
        left = round(_across(place, weeks) - width / 2, 1)
        yield f'<rect x="{left}" y="{top}" width="{width}" height="{round(COUNT_BOTTOM - top, 1)}" fill="{BARS}"/>'


def _week_names(weeks: Sequence[WeekOfTrend]) -> Iterator[str]:
    for place, week in enumerate(weeks):
        here = place == len(weeks) - 1
        yield _text(
            _across(place, weeks), 316, week.week[5:], "middle", INK if here else SOFT, "600" if here else "400"
        )


def _lines_across(scale: Scale, top: int, bottom: int) -> Iterator[str]:
    for tick in scale.ticks:
        at = _height(tick, scale, top, bottom)
        yield f'<path d="M{LEFT} {at} H{WIDTH - RIGHT}" stroke="{GRID}"/>'
        yield _text(LEFT - 8, at + 4, f"{count_text(round(tick))} {scale.unit}".strip(), "end", SOFT)


def _series(
    values: Sequence[timedelta | None], scale: Scale, colour: str, dashes: str, mark: Callable[[float, float, str], str]
) -> Iterator[str]:
    """A week without decisions is a gap in the line."""
    points = [
        None if took is None else (_across(place, values), _height(scale.of(took), scale, LATENCY_TOP, LATENCY_BOTTOM))
        for place, took in enumerate(values)
    ]
    for run in _runs(points):
        line = " ".join(f"{x},{y}" for x, y in run)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
        yield from (mark(x, y, colour) for x, y in run)


def _runs(points: Iterable[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for point in (*points, None):
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []


def _room(weeks: Sequence[object]) -> float:
    return (WIDTH - LEFT - RIGHT) / max(len(weeks), FEWEST)


def _across(place: int, weeks: Sequence[object]) -> float:
    return round(LEFT + _room(weeks) * (place + 0.5), 1)


def _height(value: float, scale: Scale, top: int, bottom: int) -> float:
    return round(bottom - (bottom - top) * value / scale.top, 1)


def _circle(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="{colour}"/>'


def _diamond(x: float, y: float, colour: str) -> str:
    return f'<path d="M{x} {round(y - 5, 1)} l5 5 l-5 5 l-5 -5 z" fill="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = INK, weight: str = "400") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{escape(text)}</text>'
