"""A metric over the versions of a model: the values that the plot shows, and its alt text. `bot.reports.metric_plot` draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.card.card import Chart
from bot.domain.card.metrics_table import figure, meant_by, roles_of, same_data
from bot.domain.model import Evidence, Metric, TransitionRequest
from bot.domain.policy.rules import Rule, Threshold
from bot.domain.text import model_name, version_name
from bot.language import N_, _, sentences

SHOWN_VERSIONS = 20
LARGEST = 1e100  # larger than any real metric; the difference of two larger values may overflow a float


@dataclass(frozen=True)
class Point:
    """`is_comparable` is False when the value was measured on other data than the candidate's."""

    version: int
    value: float
    is_comparable: bool = True


@dataclass(frozen=True)
class Holder:
    """The version that held the target when the evidence was frozen. `point` is None when it is not among the versions shown."""

    name: str
    role: str
    value: float
    point: Point | None


@dataclass(frozen=True)
class MetricHistory:
    """`points` go from the oldest version to the candidate and are all finite; `role` is the card's word for the candidate."""

    model: str
    metric: str
    points: tuple[Point, ...]
    candidate: Point
    holder: Holder | None
    threshold: Threshold | None
    role: str = N_("candidate")

    @property
    def limit(self) -> float | None:
        return self.threshold.threshold if self.threshold else None


def plotted_metric(evidence: Evidence, rule: Rule) -> tuple[Metric, Threshold | None] | None:
    """The first metric that the rule's fast track checks, else the version's first; None when none is finite."""
    finite = [metric for metric in evidence.metrics if _is_drawable(metric)]
    for threshold in rule.fast_track.metrics if rule.fast_track else ():
        meant = meant_by(threshold, finite)
        if meant:
            return meant[0], threshold
    return (finite[0], None) if finite else None


def history_of(
    request: TransitionRequest, evidence: Evidence, rule: Rule, earlier: Mapping[int, tuple[Metric, ...]]
) -> MetricHistory | None:
    """`earlier` has the metrics of older versions by number. None when there are fewer than two values to draw."""
    found = plotted_metric(evidence, rule)
    if found is None:
        return None
    metric, threshold = found
    candidate = Point(request.version.version, metric.value)
    before = [_point(number, metrics, metric) for number, metrics in sorted(earlier.items())]
    points = (*(point for point in before if point is not None), candidate)
    if len(points) < 2:
        return None
    holder = _holder(request, evidence, metric, points)
    named = model_name(request.version.model, request.version.workspace)
    return MetricHistory(named, metric.name, points, candidate, holder, threshold, roles_of(request)[0])


def in_words(history: MetricHistory) -> str:
    """The plot as text, for readers who cannot see it."""
    named = {
        "metric": history.metric,
        "first": str(history.points[0].version),
        "last": str(history.candidate.version),
        "model": history.model,
    }
    parts = [
        _("{value} ({version}, {role})", value=figure(holder.value), version=holder.name, role=holder.role)
        if (holder := history.holder)
        else "",
        _("{role} {version} {value}", **_candidate(history)),
        demanded(history),
    ]
    figures = ", ".join(_figure(point) for point in history.points)
    return sentences(
        _(
            "{metric} over versions {first} to {last} of {model}: {figures}.",
            **named,
            figures=", ".join(filter(None, parts)),
        ),
        _("All figures: {figures}.", figures=figures),
    )


def _candidate(history: MetricHistory) -> dict[str, str]:
    candidate = history.candidate
    return {"role": history.role, "version": f"v{candidate.version}", "value": figure(candidate.value)}


def _figure(point: Point) -> str:
    said = f"v{point.version} {figure(point.value)}"
    return said if point.is_comparable else _("{figure} (other data)", figure=said)


def chart_of(history: MetricHistory) -> Chart:
    """The metric as a line, with the limit and the holder's value as level ones; without what was measured on other data."""
    points = [point for point in history.points if point.is_comparable]
    labels = tuple(f"v{point.version}" for point in points)
    lines = [(history.metric, tuple(point.value for point in points))]
    if history.limit is not None:
        lines.append((_("limit {limit}", limit=figure(history.limit)), (history.limit,) * len(points)))
    if history.holder is not None:
        lines.append((f"{history.holder.role} {history.holder.name}", (history.holder.value,) * len(points)))
    title = _("{metric} by version", metric=history.metric)
    return Chart(title, labels, tuple(lines), _("version"), history.metric, in_words(history))


def demanded(history: MetricHistory) -> str:
    """The threshold as text; empty when the rule has none for this metric."""
    if history.threshold is None or history.limit is None:
        return ""
    limit = figure(history.limit)
    if history.threshold.greater_is_better:
        return _("limit: at least {limit}", limit=limit)
    return _("limit: at most {limit}", limit=limit)


def _is_drawable(metric: Metric) -> bool:
    return abs(metric.value) < LARGEST  # False for NaN as well


def _point(number: int, metrics: tuple[Metric, ...], like: Metric) -> Point | None:
    """A version's metric of the same name, preferably measured on the same data."""
    named = [metric for metric in metrics if metric.name == like.name and _is_drawable(metric)]
    if not named:
        return None
    best = next((metric for metric in named if same_data(metric, like)), named[0])
    return Point(number, best.value, same_data(best, like))


def _holder(request: TransitionRequest, evidence: Evidence, metric: Metric, points: tuple[Point, ...]) -> Holder | None:
    """The frozen value, as in the table. The holder of a model target is not one of this model's versions."""
    if evidence.champion is None:
        return None
    version = evidence.champion.version
    found = _point(version.version, evidence.champion.metrics, metric)
    if found is None or version == request.version:
        return None
    is_ours = version.model == request.version.model
    point = next((point for point in points if is_ours and point.version == version.version), None)
    name = f"v{version.version}" if is_ours else version_name(version)
    return Holder(name, roles_of(request)[1], point.value if point else found.value, point)
