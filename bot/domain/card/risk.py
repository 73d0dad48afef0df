"""How risky an approval is: one line, in the weight that it deserves. The other warnings follow on the card."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.domain.card.card import Lead, Weight
from bot.domain.card.context import CardContext
from bot.domain.card.metrics_table import beside_of, direction_of, meant_by, roles_of, thresholds_of
from bot.domain.card.outcomes import freeze_text, what_approve_does
from bot.domain.evidence import lineage
from bot.domain.evidence.directions import metric_name
from bot.domain.grounds import No, Objection
from bot.domain.model import Champion, Evidence, FastTrackMode, Kind, Metric, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.policy.rules import Threshold
from bot.domain.text import version_name
from bot.language import N_, _, from_record, ngettext, sentences

HIGHER_FIRST = (Weight.HIGH, Weight.MEDIUM, Weight.LOW)
LEFT_TO_PEOPLE = (", so a person decides", ": a person decides")
OBJECTED = {
    No.REJECTED: N_("{version} was rejected for {target} by {person} on {when}"),
    No.ROLLED_BACK: N_("{version} was rolled back for {target} by {person} on {when}"),
    No.CALLED_OFF: N_("{version} was called off for {target} by {person} on {when}"),
}


def risk_of(request: TransitionRequest, context: CardContext) -> Lead | None:
    """The heaviest warning, and what the metrics say if that is a risk; None before the evidence is collected."""
    if request.evidence is None:
        return None
    warned, measured = warnings(request, context), metrics_risk(request, context)
    if not warned:
        return measured
    if not _leads_too(measured, request):
        return Lead(warned[0], Weight.HIGH)
    first, then = (measured.text, warned[0]) if measured.weight is Weight.HIGH else (warned[0], measured.text)
    return Lead(sentences(_("{said}.", said=first.rstrip(".")), then), Weight.HIGH)


def other_risks(request: TransitionRequest, context: CardContext) -> list[str]:
    """What `risk_of` leaves out: further warnings, and what the metrics say where they do not lead too."""
    warned = warnings(request, context)
    if request.evidence is None or not warned:
        return warned
    measured = metrics_risk(request, context)
    return [*warned[1:], *([] if _leads_too(measured, request) else [_("{said}.", said=measured.text)])]


def _leads_too(measured: Lead, request: TransitionRequest) -> bool:
    """Metrics that are worse than the holder's, or miss a threshold, lead beside a warning; that there is no holder does not."""
    has_holder = request.evidence is not None and request.evidence.champion is not None
    return measured.weight is Weight.HIGH or (measured.weight is Weight.MEDIUM and has_holder)


def warnings(request: TransitionRequest, context: CardContext, *, ever: bool = False) -> list[str]:
    """Sentences about what speaks against an approval whatever the metrics say, the heaviest first.

    `ever`: also about the lineage of a request that has ended, for the record of its vote.
    """
    return list(_warnings(request, context, ever=ever))


def _warnings(request: TransitionRequest, context: CardContext, *, ever: bool) -> Iterator[str]:
    outside = request.evidence.outside if request.evidence else ()
    if outside:
        files = in_one_line("; ".join(outside))
        yield _("Careful, the gate denies this version: it runs files that are not its own. {files}.", files=files)
    blocked = lineage.in_the_way(request, context.rule) if context.rule and (ever or request.state.is_open) else ()
    if blocked:
        yield _("Careful, it cannot be approved without: {checks}.", checks=", ".join(map(lineage.title_text, blocked)))
    if context.unread:
        yield _(
            "Careful, the evidence cannot be read any more, so an approval cannot be applied: {why}.",
            why=in_one_line(context.unread).rstrip("."),
        )
    if context.stranger:
        yield _(
            "Careful: {address} asked for this, and neither the policy nor Slack knows that address.",
            address=in_one_line(context.stranger),
        )
    if request.failed_before:
        failed = from_record(in_one_line(request.failed_before).rstrip("."))
        yield _("Careful: {version} was {failed}.", version=version_name(request.version), failed=failed)
    for objection in request.objections:
        yield _objection(objection, context)
    if request.evidence and request.evidence.artifacts is None and request.evidence.artifacts_unread:
        why = in_one_line(request.evidence.artifacts_unread).rstrip(".")
        yield _("Careful, the model's files were not read: {why}.", why=why)


def _objection(objection: Objection, context: CardContext) -> str:
    said = _(
        OBJECTED[objection.how],
        version=objection.version,
        target=objection.target,
        person=context.name(objection.person),
        when=objection.at,
    )
    reason = in_one_line(objection.reason).removesuffix(".")
    if not reason:
        return _("Careful, the same content: {objection}.", objection=said)
    return _("Careful, the same content: {objection}: {reason}.", objection=said, reason=reason)


def metrics_risk(request: TransitionRequest, context: CardContext) -> Lead:
    """Of all demanded metrics the worst; without thresholds, of all that can be compared."""
    evidence = request.evidence
    thresholds = thresholds_of(request, context)
    if evidence is None or not (evidence.metrics or thresholds):
        return Lead(_("No metrics were logged"), Weight.MEDIUM)
    demanded = _demanded(request, evidence, thresholds)
    found = list(demanded) if thresholds else list(_comparable(request, evidence))
    if not found:
        return Lead(_nothing_to_compare(request, evidence), Weight.MEDIUM)
    worst = min(found, key=lambda seen: (HIGHER_FIRST.index(seen.weight), -seen.loss))
    if thresholds and worst.weight is Weight.LOW:
        return _all_met(request, worst)
    others = [seen for seen in found if seen is not worst and seen.weight is not Weight.LOW]
    return Lead("; ".join((worst.text, *_more(others, on_thresholds=bool(thresholds)))), worst.weight)


def _more(others: Sequence[_Seen], *, on_thresholds: bool) -> Iterator[str]:
    """How many other metrics speak against it, and how."""
    compared = sum(seen.is_compared for seen in others)
    if compared and on_thresholds:
        yield ngettext("{count} more misses its threshold", "{count} more miss their thresholds", compared)
    elif compared:
        yield ngettext("{count} more is worse", "{count} more are worse", compared)
    if len(others) > compared:
        yield ngettext("{count} more cannot be compared", "{count} more cannot be compared", len(others) - compared)


def _all_met(request: TransitionRequest, seen: _Seen) -> Lead:
    """Of the metrics; something else may still have kept the fast track from deciding."""
    judgement = request.judgement
    against = [check.sentence for check in judgement.checks if not check.passed] if judgement else []
    if judgement and judgement.mode is FastTrackMode.ON and against:
        return Lead(_("Not auto-approved: {why}", why=_reason(against[0])), Weight.MEDIUM)
    return Lead(_("All thresholds met: {metric}", metric=seen.text), Weight.LOW)


def _reason(sentence: str) -> str:
    for ending in LEFT_TO_PEOPLE:
        sentence = sentence.removesuffix(ending)
    return from_record(in_one_line(sentence).rstrip("."))


@dataclass(frozen=True)
class _Seen:
    """What one metric says; `loss` is by what share of the holder's it is worse, negative when better. 0 without `is_compared`."""

    text: str
    weight: Weight
    loss: float = 0.0
    is_compared: bool = True


def _demanded(request: TransitionRequest, evidence: Evidence, thresholds: tuple[Threshold, ...]) -> Iterator[_Seen]:
    for threshold in thresholds:
        meant = meant_by(threshold, evidence.metrics)
        for metric in meant:
            yield _against(metric, threshold, request, evidence)
        if not meant:
            said = _("{metric} was not logged", metric=metric_name(threshold.metric))
            yield _Seen(_limited(said, threshold), Weight.HIGH)


def _against(metric: Metric, threshold: Threshold, request: TransitionRequest, evidence: Evidence) -> _Seen:
    beside = beside_of(metric, evidence)
    loss = _loss(metric, beside, threshold.greater_is_better)
    text = _limited(_figures(metric, beside, threshold.greater_is_better, request), threshold)
    too_little = _("{metric}, too little for the rule", metric=text)
    checks = request.judgement.checks if request.judgement else ()
    judged = [check for check in checks if check.metric == metric.name]
    failed = [check.sentence for check in judged if not check.passed]
    if _misses(metric, threshold) or (threshold.compares and loss is not None and loss > 0):
        return _Seen(text, Weight.HIGH, loss or 0.0)
    if failed and loss is not None and _is_too_little(-loss, metric, beside, threshold):
        return _Seen(too_little, Weight.MEDIUM, loss)
    if failed:
        return _Seen(_("Not auto-approved: {why}", why=_reason(failed[0])), Weight.MEDIUM)
    if (
        threshold.compares and evidence.champion is not None
    ):  # the fast track judges no rollback, and nothing when it is off
        if loss is None:
            return _not_comparable(metric.name, metric, evidence.champion)
        if not judged and _is_too_little(-loss, metric, beside, threshold):
            return _Seen(too_little, Weight.MEDIUM, loss)
    return _Seen(text, Weight.LOW, loss or 0.0)


def _comparable(request: TransitionRequest, evidence: Evidence) -> Iterator[_Seen]:
    """Of the metrics of known direction: what cannot be compared counts too, or a worse one would be hidden by leaving it out."""
    for metric in evidence.metrics:
        upwards, beside = direction_of(metric, None), beside_of(metric, evidence)
        if upwards is None:
            continue
        loss = _loss(metric, beside, upwards)
        if not math.isfinite(metric.value):
            yield _Seen(_figures(metric, beside, upwards, request), Weight.HIGH, is_compared=False)
        elif loss is not None:
            yield _Seen(_figures(metric, beside, upwards, request), Weight.MEDIUM if loss > 0 else Weight.LOW, loss)
    yield from _left_out(evidence)


def _left_out(evidence: Evidence) -> Iterator[_Seen]:
    """The holder's metrics that the candidate has nothing to compare with, each name once."""
    if evidence.champion is None:
        return
    broken = {metric.name for metric in evidence.metrics if not math.isfinite(metric.value)}
    directed = [theirs for theirs in evidence.champion.metrics if direction_of(theirs, None) is not None]
    missing = [theirs.name for theirs in directed if not _is_compared(theirs, evidence)]
    for name in dict.fromkeys(missing):
        if name not in broken:
            ours = next((metric for metric in evidence.metrics if metric.name == name), None)
            yield _not_comparable(name, ours, evidence.champion)


def _is_compared(theirs: Metric, evidence: Evidence) -> bool:
    beside = ((metric, beside_of(metric, evidence)) for metric in evidence.metrics)
    return any(holder == theirs and _loss(metric, holder, upwards=True) is not None for metric, holder in beside)


def _not_comparable(name: str, ours: Metric | None, champion: Champion) -> _Seen:
    theirs = [metric for metric in champion.metrics if metric.name == name]
    held = f"v{champion.version.version}"
    if ours is None:
        why = _("it was not logged")
    elif not theirs:
        why = _("{version} has none", version=held)
    elif all(not math.isfinite(metric.value) for metric in theirs):
        why = _("that of {version} is {value}", version=held, value=str(theirs[0].value))
    else:
        why = _("that of {version} is from other data, or from another place", version=held)
    said = _("{metric} cannot be compared: {why}", metric=metric_name(name), why=why)
    return _Seen(said, Weight.MEDIUM, is_compared=False)


def _nothing_to_compare(request: TransitionRequest, evidence: Evidence) -> str:
    if evidence.champion is None:
        return _("No approved version to compare with")
    held = f"v{evidence.champion.version.version}"
    return _("No metric can be compared with {holder}, {version}", holder=_holder(request), version=held)


def _is_too_little(gain: float, metric: Metric, beside: Metric | None, threshold: Threshold) -> bool:
    """Whether the rule asks for a larger improvement than this share, or amount."""
    amount = abs(metric.value - beside.value) if beside else 0.0
    return gain < (threshold.min_relative_change or 0.0) or amount < (threshold.min_absolute_change or 0.0)


def _misses(metric: Metric, threshold: Threshold) -> bool:
    if not math.isfinite(metric.value):
        return True
    if threshold.threshold is None:
        return False
    return metric.value < threshold.threshold if threshold.greater_is_better else metric.value > threshold.threshold


def _loss(metric: Metric, beside: Metric | None, upwards: bool) -> float | None:
    """None when the two cannot be compared; of 0 there is no share, so any loss counts as the largest."""
    if beside is None or not (math.isfinite(metric.value) and math.isfinite(beside.value)):
        return None
    loss = beside.value - metric.value if upwards else metric.value - beside.value
    if beside.value == 0:
        return math.copysign(math.inf, loss) if loss else 0.0
    return loss / abs(beside.value)


def _figures(metric: Metric, beside: Metric | None, upwards: bool, request: TransitionRequest) -> str:
    figures = f"{metric_name(metric.name)} {metric.value:.4g}"
    if beside is None:
        return figures
    value, change = f"{beside.value:.4g}", _change(metric, beside, upwards)
    return _(
        "{metric} vs {holder} {value}: {change}", metric=figures, holder=_holder(request), value=value, change=change
    )


def _holder(request: TransitionRequest) -> str:
    return _("the version before") if request.kind is Kind.OBSERVED else roles_of(request)[1]


def _change(metric: Metric, beside: Metric, upwards: bool) -> str:
    loss = _loss(metric, beside, upwards)
    if loss is None:
        return _("not comparable")
    if loss == 0:
        return _("the same")
    share = abs(loss) * 100
    amount = f"{abs(metric.value - beside.value):.4g}" if math.isinf(share) else f"{share:.3g} %"
    return _("{amount} worse", amount=amount) if loss > 0 else _("{amount} better", amount=amount)


def _limited(said: str, threshold: Threshold) -> str:
    if threshold.threshold is None:
        return said
    limit = f"{threshold.threshold:.6g}"
    return _("{metric}, limit {limit}", metric=said, limit=limit)


def approval_text(request: TransitionRequest, context: CardContext) -> str:
    """For whoever is about to approve: the risk, then what the approval does."""
    risk = risk_of(request, context)
    happens = what_approve_does(request)
    if risk is None:
        return sentences(happens, freeze_text(context))
    return sentences(
        _("{said}.", said=risk.text.rstrip(".")), _("If you approve: {what}", what=happens), freeze_text(context)
    )
