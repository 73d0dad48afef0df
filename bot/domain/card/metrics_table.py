"""The card's table of metrics: the candidate's beside the holder's, the fast track's thresholds, and missing metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.domain.card.card import Table
from bot.domain.card.context import CardContext
from bot.domain.evidence.directions import greater_is_better
from bot.domain.model import Check, Evidence, Kind, Metric, TransitionRequest
from bot.domain.policy.rules import Threshold
from bot.domain.request.fast_track import demand_text
from bot.language import N_, _

SHOWN_METRICS = 20
SHOWN_WITHOUT_THRESHOLDS = 3
NOTHING = "-"
MISSING = N_("missing")
OTHER_FIGURES = N_("other data")  # the holder has the metric, but from a data set with another fingerprint


SOURCES = {"run": N_("run"), "logged model": N_("logged model")}


@dataclass(frozen=True)
class Row:
    """One metric as text cells; `NOTHING` for a missing value."""

    metric: str
    candidate: str
    holder: str = NOTHING
    difference: str = NOTHING
    threshold: str = NOTHING
    source: str = NOTHING
    is_known: bool = False  # whether more is better, or less


def metric_tables(request: TransitionRequest, context: CardContext) -> list[Table]:
    """One table of all metrics, or none when it would be empty. The fast track's metrics come first."""
    return _tables(_("Metrics"), _rows(request, context)[:SHOWN_METRICS], request)


def deciding_tables(request: TransitionRequest, context: CardContext) -> list[Table]:
    """The metrics that the rule's thresholds name; without any, the first few whose direction is known, so that a vote has some ground."""
    rows = _rows(request, context)
    named = [row for row in rows if row.threshold != NOTHING][:SHOWN_METRICS]
    known = [row for row in rows if row.is_known] or rows
    return _tables("", named or known[:SHOWN_WITHOUT_THRESHOLDS], request)


def _tables(title: str, rows: Sequence[Row], request: TransitionRequest) -> list[Table]:
    evidence = request.evidence
    if evidence is None or not rows:
        return []
    role, holds = roles_of(request)
    ours = f"v{request.version.version}"
    held = f"v{evidence.champion.version.version}" if evidence.champion else ""
    holder = _("{version} ({role})", version=held, role=holds) if held else ""
    columns = [
        (_("Metric"), [row.metric for row in rows]),
        (_("{version} ({role})", version=ours, role=role), [row.candidate for row in rows]),
        (holder, [row.holder for row in rows]),
        (_("Difference"), [row.difference for row in rows]),
        (_("Threshold"), [row.threshold for row in rows]),
    ]
    if all(row.holder == NOTHING for row in rows):
        columns.append((_("Read from"), [row.source for row in rows]))
    filled = [(heading, cells) for heading, cells in columns if any(cell != NOTHING for cell in cells)]
    cells = zip(*(cells for _heading, cells in filled), strict=True)
    return [Table(title, tuple(heading for heading, _cells in filled), tuple(cells))]


def left_out(request: TransitionRequest, context: CardContext) -> int:
    """The number of metrics that do not fit into the table."""
    return max(0, len(_rows(request, context)) - SHOWN_METRICS)


def figure(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def thresholds_of(request: TransitionRequest, context: CardContext) -> tuple[Threshold, ...]:
    """The thresholds of the request's rule; none once the rule has changed since the request."""
    if context.rule is None or context.rule.fast_track is None or context.rule_hash != request.rule_hash:
        return ()
    return context.rule.fast_track.metrics


def meant_by(threshold: Threshold, metrics: Iterable[Metric]) -> list[Metric]:
    """The metrics that a threshold applies to: those of its data set, if it names one."""
    named = [metric for metric in metrics if metric.name == threshold.metric]
    if threshold.dataset is None:
        return named
    return [metric for metric in named if metric.measured_on and metric.measured_on.name == threshold.dataset]


def same_data(one: Metric, other: Metric) -> bool:
    """Whether two metrics are comparable: measured on the same data, as far as the registry knows."""
    digests = [metric.measured_on.digest if metric.measured_on else None for metric in (one, other)]
    return digests[0] == digests[1]


def roles_of(request: TransitionRequest) -> tuple[str, str]:
    """The table's titles for this version and for the version that held the target when the evidence was frozen."""
    if request.kind is Kind.OBSERVED:
        return _("now"), _("before")
    return _("candidate"), request.target.name


def _rows(request: TransitionRequest, context: CardContext) -> list[Row]:
    evidence = request.evidence
    if evidence is None:
        return []
    checks = request.judgement.checks if request.judgement else ()
    rows: list[Row] = []
    demanded: list[Metric] = []
    for threshold in thresholds_of(request, context):
        meant = meant_by(threshold, evidence.metrics)
        demanded += meant
        rows += [_row(metric, evidence, threshold, checks) for metric in meant] or [_missing(threshold, checks)]
    others = [metric for metric in evidence.metrics if metric not in demanded]
    return rows + [_row(metric, evidence, None, ()) for metric in sorted(others, key=lambda metric: metric.name)]


def _row(metric: Metric, evidence: Evidence, threshold: Threshold | None, checks: tuple[Check, ...]) -> Row:
    is_repeated = sum(other.name == metric.name for other in evidence.metrics) > 1
    beside = beside_of(metric, evidence)
    upwards = direction_of(metric, threshold)
    return Row(
        metric=f"{metric.name}, {_where(metric)}" if is_repeated else metric.name,
        candidate=figure(metric.value),
        holder=_holder_cell(metric, beside, evidence),
        difference=_difference(metric, beside, upwards) if beside else NOTHING,
        threshold=_met(threshold, checks, evidence) if threshold else NOTHING,
        source=_(SOURCES.get(metric.source, metric.source)),
        is_known=upwards is not None,
    )


def direction_of(metric: Metric, threshold: Threshold | None) -> bool | None:
    """Whether more is better: as the rule says, else as the metric's name does; None when neither says it."""
    return threshold.greater_is_better if threshold else greater_is_better(metric.name)


def _missing(threshold: Threshold, checks: tuple[Check, ...]) -> Row:
    where = f", {threshold.dataset}" if threshold.dataset else ""
    return Row(f"{threshold.metric}{where}", _(MISSING), threshold=_demand(threshold, checks))


def _where(metric: Metric) -> str:
    return f"{metric.measured_on.name} {metric.measured_on.digest}" if metric.measured_on else metric.source


def beside_of(metric: Metric, evidence: Evidence) -> Metric | None:
    """The holder's metric of the same name, source and data; a logged model may have several with one name."""
    theirs = evidence.champion.metrics if evidence.champion else ()
    same = [m for m in theirs if (m.name, m.source) == (metric.name, metric.source) and same_data(m, metric)]
    return same[0] if same else None


def _holder_cell(metric: Metric, beside: Metric | None, evidence: Evidence) -> str:
    if beside is not None:
        return figure(beside.value)
    theirs = [m for m in (evidence.champion.metrics if evidence.champion else ()) if m.name == metric.name]
    return _(OTHER_FIGURES) if theirs and not any(same_data(m, metric) for m in theirs) else NOTHING


def _difference(metric: Metric, beside: Metric, upwards: bool | None) -> str:
    if metric.value == beside.value or (math.isnan(metric.value) and math.isnan(beside.value)):
        return _("the same")
    difference = metric.value - beside.value
    if upwards is None or not math.isfinite(difference):
        return f"{difference:+.4g}"
    amount = f"{difference:+.4g}"
    return _("{amount}, better", amount=amount) if (difference > 0) is upwards else _("{amount}, worse", amount=amount)


def _met(threshold: Threshold, checks: tuple[Check, ...], evidence: Evidence) -> str:
    """Without a champion, a threshold whose own bound is met is not marked as missed."""
    if evidence.champion is not None or not threshold.compares or threshold.threshold is None:
        return _demand(threshold, checks)
    alone = replace(threshold, min_absolute_change=None, min_relative_change=None)
    about_it = [check for check in checks if check.metric == threshold.metric]
    return _("{threshold}, no champion yet", threshold=_demand(alone, tuple(about_it[:1])))


def _demand(threshold: Threshold, checks: tuple[Check, ...]) -> str:
    """The threshold with a mark for the fast track's result, if there is one."""
    found = [check.passed for check in checks if check.metric == threshold.metric]
    return f"{'✓' if all(found) else '✗'} {demand_text(threshold)}" if found else demand_text(threshold)
