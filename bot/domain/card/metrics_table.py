"""The card's table of metrics: the candidate's beside the holder's, the fast track's thresholds, and missing metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.domain.card.card import Table
from bot.domain.card.context import CardContext
from bot.domain.card.fast_track_sentences import why_not
from bot.domain.evidence.directions import greater_is_better
from bot.domain.model import Check, Evidence, Kind, Metric, State, TransitionRequest
from bot.domain.policy.rules import Threshold
from bot.domain.request.fast_track import demand_text
from bot.language import N_, _

SHOWN_METRICS = 20
SHOWN_WITHOUT_THRESHOLDS = 3
NOTHING = "-"
MISSING = N_("missing")
OTHER_FIGURES = N_("other data")  # the holder has the metric, but from a data set with another fingerprint


SOURCES = {"run": N_("MLflow run"), "logged model": N_("MLflow logged model")}


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
    is_demanded: bool = False  # by the rule's thresholds


def metric_tables(request: TransitionRequest, context: CardContext) -> list[Table]:
    """One table of all metrics, or none when it would be empty. The fast track's metrics come first."""
    return _tables(_("Metrics"), _rows(request, context)[:SHOWN_METRICS], request)


def deciding_tables(request: TransitionRequest, context: CardContext) -> list[Table]:
    """The metrics that the rule's thresholds name; without any, the first few whose direction is known, so that a vote has some ground.

    Once the vote is over, without what was asked of them.
    """
    rows = _rows(request, context)
    named = [row for row in rows if row.is_demanded][:SHOWN_METRICS]
    if not request.state.is_open:
        rows, named = ([replace(row, threshold=NOTHING) for row in some] for some in (rows, named))
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
    if all(row.holder == NOTHING for row in rows) and any(row.source != _(SOURCES["run"]) for row in rows):
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
    """The thresholds of the request's rule; none once the rule has changed since the request. A rollback need not be better."""
    if context.rule is None or context.rule.fast_track is None or context.rule_hash != request.rule_hash:
        return ()
    if request.kind is Kind.ROLLBACK:
        return tuple(map(_bound_of, context.rule.fast_track.metrics))
    return context.rule.fast_track.metrics


def _bound_of(threshold: Threshold) -> Threshold:
    return replace(threshold, min_absolute_change=None, min_relative_change=None)


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
    if request.kind is Kind.ROLLBACK and request.state.is_open:
        return _("before"), _("now")
    if request.state is State.APPLIED:
        return _("approved"), _("before")
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
        threshold=_met(metric, beside, threshold, checks, evidence) if threshold else NOTHING,
        source=_(SOURCES.get(metric.source, metric.source)),
        is_known=upwards is not None,
        is_demanded=threshold is not None,
    )


def direction_of(metric: Metric, threshold: Threshold | None) -> bool | None:
    """Whether more is better: as the rule says, else as the metric's name does; None when neither says it."""
    return threshold.greater_is_better if threshold else greater_is_better(metric.name)


def _missing(threshold: Threshold, checks: tuple[Check, ...]) -> Row:
    where = f", {threshold.dataset}" if threshold.dataset else ""
    demand = _marked(threshold, all(found)) if (found := _found(threshold, checks)) else demand_text(threshold)
    return Row(f"{threshold.metric}{where}", _(MISSING), threshold=demand or NOTHING, is_demanded=True)


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


def _met(
    metric: Metric, beside: Metric | None, threshold: Threshold, checks: tuple[Check, ...], evidence: Evidence
) -> str:
    """What is asked, with the fast track's result if there is one: a mark for each condition where they differ."""
    found, bound = _found(threshold, checks), _bound_of(threshold)
    if evidence.champion is None and threshold.compares and threshold.threshold is not None:
        demand = _marked(bound, not misses(metric, threshold)) if found else demand_text(bound)
        return _("{threshold}; no champion to compare with", threshold=demand)
    if not found:
        return demand_text(threshold) or NOTHING
    if all(found):
        return _marked(threshold, True)
    single = [(one, _is_met(metric, beside, one)) for one in _conditions(threshold)]
    does_not_count = threshold.threshold is not None and not found[0] and single[0][1]  # though it meets the limit
    unknown = "" if does_not_count or found[-1] else _unknown(metric, evidence)
    open_ = [one for one, is_met in single if unknown and one.compares and (is_met or beside is None)]
    marks = _marks([(one, is_met) for one, is_met in single if one not in open_])
    why = ""
    if open_:
        why = _("{threshold}: {why}", threshold=", ".join(map(demand_text, open_)), why=unknown)
    elif does_not_count or all(is_met for _one, is_met in single):
        why = _why(threshold, checks)
    return _("{threshold}; {why}", threshold=marks, why=why) if marks and why else marks or why


def _marks(single: Sequence[tuple[Threshold, bool]]) -> str:
    """One mark for all conditions, or one for each where they differ."""
    if all(is_met for _one, is_met in single):
        said = ", ".join(demand_text(one) for one, _is_met in single)
        return f"✓ {said}" if said else ""
    return ", ".join(_marked(one, is_met) for one, is_met in single)


def _unknown(metric: Metric, evidence: Evidence) -> str:
    """Why a comparison with the holder's figure says nothing: as the fast track has it, only the same known data counts."""
    theirs = [one for one in (evidence.champion.metrics if evidence.champion else ()) if one.name == metric.name]
    if not theirs:
        return ""
    if not all(one.measured_on and one.measured_on.digest for one in (metric, *theirs)):
        return _("data set unknown")
    return "" if any(same_data(metric, one) for one in theirs) else _(OTHER_FIGURES)


def _why(threshold: Threshold, checks: tuple[Check, ...]) -> str:
    """In the fast track's words, when it is not the figures themselves that keep it from counting."""
    return why_not(next(check for check in checks if check.metric == threshold.metric and not check.passed))


def _found(threshold: Threshold, checks: tuple[Check, ...]) -> list[bool]:
    return [check.passed for check in checks if check.metric == threshold.metric]


def _marked(threshold: Threshold, is_met: bool) -> str:
    return f"{'✓' if is_met else '✗'} {demand_text(threshold)}"


def _conditions(threshold: Threshold) -> list[Threshold]:
    """The threshold's conditions, each as a threshold of its own."""
    alone = replace(_bound_of(threshold), threshold=None)
    wanted = [
        _bound_of(threshold) if threshold.threshold is not None else None,
        replace(alone, min_absolute_change=threshold.min_absolute_change)
        if threshold.min_absolute_change is not None
        else None,
        replace(alone, min_relative_change=threshold.min_relative_change)
        if threshold.min_relative_change is not None
        else None,
    ]
    return [one for one in wanted if one is not None]


def _is_met(metric: Metric, beside: Metric | None, condition: Threshold) -> bool:
    """Of a threshold with one condition."""
    if not condition.compares:
        return not misses(metric, condition)
    loss = loss_of(metric, beside, condition.greater_is_better)
    return loss is not None and loss <= 0 and not is_too_little(metric, beside, condition)


def misses(metric: Metric, threshold: Threshold) -> bool:
    """Whether it is beyond the rule's limit, or no number."""
    if not math.isfinite(metric.value):
        return True
    if threshold.threshold is None:
        return False
    return metric.value < threshold.threshold if threshold.greater_is_better else metric.value > threshold.threshold


def loss_of(metric: Metric, beside: Metric | None, upwards: bool) -> float | None:
    """By what share of the holder's it is worse. None when the two cannot be compared; of 0 any loss counts as the largest."""
    if beside is None or not (math.isfinite(metric.value) and math.isfinite(beside.value)):
        return None
    loss = beside.value - metric.value if upwards else metric.value - beside.value
    if beside.value == 0:
        return math.copysign(math.inf, loss) if loss else 0.0
    return loss / abs(beside.value)


def is_too_little(metric: Metric, beside: Metric | None, threshold: Threshold) -> bool:
    """Whether the rule asks for a larger improvement than this."""
    loss = loss_of(metric, beside, threshold.greater_is_better)
    amount = abs(metric.value - beside.value) if beside else 0.0
    gain = -loss if loss is not None else 0.0
    return gain < (threshold.min_relative_change or 0.0) or amount < (threshold.min_absolute_change or 0.0)
