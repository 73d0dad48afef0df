"""The report's sections with counts and pictures: how long decisions took, the fast track, the pipelines."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.digest import chart
from bot.domain.digest.chart import chart_svg, chart_words
from bot.domain.digest.figures import FastTrackFigures, Latency, Pipeline, WeekOfTrend
from bot.domain.digest.overview import shows_a_trend
from bot.domain.digest.sentences import rule_name
from bot.domain.evidence.pipeline_graph import graph_of, in_words
from bot.language import _
from bot.reports.graph_svg import Pen, graph_svg, labels_of
from bot.reports.shape import Cell, Column, Drawing, Look, Section, Table
from bot.reports.values import Writer, duration, legible, number, text

LATENCY = (
    Column(_("Rule"), 3),
    Column(_("Requests decided"), 1, Look.NUMBER),
    Column(_("Median"), 1, Look.NUMBER),
    Column(_("95th percentile"), 1, Look.NUMBER),
)
TREND = (
    Column(_("Week"), 1.4),
    Column(_("Transitions ended"), 1.2, Look.NUMBER),
    Column(_("Requests decided"), 1.2, Look.NUMBER),
    Column(_("Median"), 1, Look.NUMBER),
    Column(_("95th percentile"), 1, Look.NUMBER),
)
FAST_TRACK = (
    Column(_("Rule"), 3),
    Column(_("Passed"), 0.8, Look.NUMBER),
    Column(_("Held"), 0.8, Look.NUMBER),
    Column(_("Undone"), 0.8, Look.NUMBER),
    Column(_("Agreed"), 0.8, Look.NUMBER),
    Column(_("False passes"), 0.9, Look.NUMBER),
    Column(_("False holds"), 0.9, Look.NUMBER),
)
HOW_MEASURED = _(
    "Measured from the opening of a request to the decision by people. What the fast track decided is not in it."
)
FAST_TRACK_WORDS = _(
    "Passed and held: what the thresholds said. Undone: passes that people took back, by Undo or by a rollback. Agreed: people decided the "
    "same. A false pass is a version that the thresholds passed and that people rejected or rolled back, a false hold one that they "
    "held and people approved. What people did not decide, or what had no champion to be compared with, is none of the three."
)


def latency(w: Writer) -> Section:
    by_rule = Table(
        _("Time to decision in this week, by rule"), LATENCY, tuple(_latency(one) for one in w.digest.latency)
    )
    return Section("latency", _("Time to decision"), (HOW_MEASURED,), tables=(by_rule,) if by_rule.rows else ())


def trend(w: Writer, pen: Pen) -> Section:
    weeks = w.digest.trend
    if not weeks:
        return Section("trend", _("Trend"), (chart_words(w.digest),))
    if len(weeks) == 1:
        return Section("trend", _("Trend"), (_("This is the first week on record, so there is no trend yet."),))
    title = _("Week by week, {first} to {last}", first=weeks[0].week, last=weeks[-1].week)
    table = Table(title, TREND, tuple(_week(one) for one in weeks))
    if not shows_a_trend(weeks):
        return Section(
            "trend", _("Trend"), (_("The time to decision has not changed enough for a chart."),), tables=(table,)
        )
    drawing = Drawing(title, chart_svg(w.digest, pen.font), chart_words(w.digest), chart.WIDTH)
    return Section(
        "trend", _("Trend"), drawings=(drawing,), tables=(replace(table, caption=_("The same figures as numbers")),)
    )


def fast_track(w: Writer) -> Section:
    if not w.digest.fast_track:
        return Section("fast-track", _("Fast track"), (_("The fast track judged nothing in this week."),))
    table = Table(
        _("What the fast track said in this week, by rule"),
        FAST_TRACK,
        tuple(_judged(one) for one in w.digest.fast_track),
    )
    return Section("fast-track", _("Fast track"), (FAST_TRACK_WORDS,), tables=(table,))


def pipelines(w: Writer, pen: Pen) -> Section:
    held = w.digest.pipelines
    if not held:
        return Section("pipelines", _("Pipelines"), (_("No version in use has a pipeline to show."),))
    drawings = tuple(_pipeline(one, place, pen) for place, one in enumerate(held, start=1))
    return Section("pipelines", _("Pipelines"), drawings=drawings)


def _latency(one: Latency) -> tuple[Cell, ...]:
    return text(rule_name(one.rule)), number(one.decided), duration(one.median), duration(one.p95)


def _week(one: WeekOfTrend) -> tuple[Cell, ...]:
    return text(one.week), number(one.transitions), number(one.decided), duration(one.median), duration(one.p95)


def _judged(one: FastTrackFigures) -> tuple[Cell, ...]:
    counts = (one.passed, one.held, one.undone, one.agreed, one.false_passes, one.false_holds)
    return text(one.rule), *(number(count) for count in counts)


def _pipeline(one: Pipeline, place: int, pen: Pen) -> Drawing:
    """The picture, else the tree as text, else the reason why there is neither."""
    edges = [(legible(before), legible(after)) for before, after in one.edges]
    graph = graph_of(edges)
    title = legible(f"{one.version} ({one.target})")
    tree = tuple(_stage(line) for line in one.stages)
    missing = (legible(_("No pipeline is known: {why}.", why=one.missing)),) if one.missing else ()
    if graph is None:
        return Drawing(title, lines=tree or missing or (_("No pipeline is known."),))
    words = in_words(edges)
    picture = graph_svg(graph, f"tip-{place}", words, pen)
    return Drawing(title, picture, words, graph.width, labels_of(graph, pen), missing)


def _stage(line: str) -> str:
    """Keeps the indentation, which shows the depth in the tree."""
    name = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(name)) + legible(name)
