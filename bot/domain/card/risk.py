"""How risky an approval is: one line, in the weight that it deserves. The other warnings follow on the card."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.domain.card.card import Lead, Weight
from bot.domain.card.context import CardContext
from bot.domain.card.fast_track_sentences import why_not
from bot.domain.card.metric_sentences import beyond_text, figures_text, least_text, within_text
from bot.domain.card.metrics_table import (
    beside_of,
    direction_of,
    is_too_little,
    loss_of,
    meant_by,
    misses,
    thresholds_of,
)
from bot.domain.card.needs import may_be_approved
from bot.domain.card.outcomes import freeze_text, what_approve_does
from bot.domain.card.reasons import comment_of
from bot.domain.evidence import lineage
from bot.domain.evidence.directions import metric_name
from bot.domain.grounds import No, Objection
from bot.domain.model import Champion, Evidence, FastTrackMode, Kind, LineageCheck, Metric, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.policy.rules import Threshold
from bot.domain.request.fast_track_metrics import no_champion
from bot.domain.text import target_label, version_name
from bot.language import N_, _, capitalised, from_record, ngettext, sentences

HIGHER_FIRST = (Weight.HIGH, Weight.MEDIUM, Weight.LOW)
OBJECTED = {
    No.REJECTED: N_("{version} was rejected for {target} by {person} on {when}"),
    No.ROLLED_BACK: N_("{version} was rolled back for {target} by {person} on {when}"),
    No.CALLED_OFF: N_("{version} was called off for {target} by {person} on {when}"),
    No.REVIEWED: N_("{version} got {target} by a broken glass, which {person} reviewed and rejected on {when}"),
}


def risk_of(request: TransitionRequest, context: CardContext) -> Lead | None:
    """What matters most about a vote; None before the evidence is collected. Of a rollback that is why it is asked for."""
    if request.evidence is None:
        return None
    if not may_be_approved(request, context):
        return Lead(warnings(request, context)[0].rstrip("."), Weight.HIGH)
    found, first = _heaviest(request, context), _first(request)
    if first and found:
        found = Lead(sentences(_("{said}.", said=first), found.text), _at_least_medium(found))
    elif first:
        found = Lead(first, Weight.MEDIUM)
    freeze = freeze_text(context)
    if found and freeze:
        return Lead(sentences(_("{said}.", said=found.text.rstrip(".")), freeze), _at_least_medium(found))
    return found


def _first(request: TransitionRequest) -> str:
    """What comes before any risk: that it has happened already, or why it is to be taken back."""
    if request.kind is Kind.OBSERVED:
        return _("In use as {target} now, without an approval", target=target_label(request))
    if request.kind is Kind.ROLLBACK and comment_of(request):
        return _("Reason: {reason}", reason=comment_of(request).rstrip("."))
    return ""


def _at_least_medium(lead: Lead | None) -> Weight:
    return Weight.HIGH if lead and lead.weight is Weight.HIGH else Weight.MEDIUM


def _heaviest(request: TransitionRequest, context: CardContext) -> Lead | None:
    """The heaviest warning, and what the metrics say if that is a risk. The figures of a rollback do not lead."""
    warned, measured = warnings(request, context), metrics_risk(request, context)
    if request.kind is Kind.ROLLBACK and comment_of(request):
        return Lead(warned[0], Weight.HIGH) if warned else None
    if not warned:
        return measured
    if not _leads_too(measured, request):
        return Lead(warned[0], Weight.HIGH)
    first, then = (measured.text, warned[0]) if measured.weight is Weight.HIGH else (warned[0], measured.text)
    return Lead(sentences(_("{said}.", said=first.rstrip(".")), then), Weight.HIGH)


def other_risks(request: TransitionRequest, context: CardContext) -> list[str]:
    """What `risk_of` leaves out: further warnings, and what the metrics say where they do not lead too and do not mislead."""
    warned = warnings(request, context)
    is_rollback = request.kind is Kind.ROLLBACK and bool(comment_of(request))
    if request.evidence is None or not (warned or is_rollback):
        return warned
    if not may_be_approved(request, context):
        return warned[1:]
    measured = metrics_risk(request, context)
    if is_rollback:
        return [*warned[1:], *([_("{said}.", said=measured.text)] if request.evidence.champion else [])]
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
    blocked = lineage.in_the_way(request, context.rule) if context.rule and (ever or request.state.is_open) else ()
    if blocked:
        yield _blocked(blocked)
    if context.unread:
        why = in_one_line(context.unread).rstrip(".")
        yield _("Its evidence cannot be read now, so an approval could not be applied: {why}.", why=why)
    outside = request.evidence.outside if request.evidence else ()
    if outside:
        files = in_one_line("; ".join(outside))
        yield _("Careful, the gate denies this version: it runs files that are not its own. {files}.", files=files)
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


def _blocked(checks: Sequence[LineageCheck]) -> str:
    """Of one check also why, and what to do about it; of several their titles."""
    if len(checks) > 1:
        said = ", ".join(map(lineage.title_text, checks))
        return _("These checks did not pass, so it cannot be approved: {checks}.", checks=said)
    (check,) = checks
    why = from_record(in_one_line(lineage.said_of(check)).rstrip("."))
    check_title = _(lineage.TITLES[check.code])
    return _("The {check} check did not pass, so it cannot be approved: {why}.", check=check_title, why=why)


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
        return Lead(_nothing_to_compare(evidence), Weight.MEDIUM)
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
    against = [check for check in judgement.checks if not check.passed] if judgement else []
    if judgement and judgement.mode is FastTrackMode.ON and against:
        return Lead(_("Not auto-approved: {why}", why=why_not(against[0])), Weight.MEDIUM)
    if request.kind is Kind.ROLLBACK:  # not all are asked of it
        return Lead(seen.text, Weight.LOW)
    return Lead(_("All thresholds met: {metric}", metric=seen.text), Weight.LOW)


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
            missing = _("{metric} was not logged", metric=metric_name(threshold.metric))
            yield _Seen(missing, Weight.HIGH, is_compared=False)


def _against(metric: Metric, threshold: Threshold, request: TransitionRequest, evidence: Evidence) -> _Seen:
    beside = beside_of(metric, evidence)
    loss = loss_of(metric, beside, threshold.greater_is_better)
    text = figures_text(metric, beside, threshold.greater_is_better, request)
    is_short = loss is not None and is_too_little(metric, beside, threshold)
    too_little = _("{metric}, the rule asks for {least}", metric=text, least=least_text(metric, beside, threshold))
    checks = request.judgement.checks if request.judgement else ()
    judged = [check for check in checks if check.metric == metric.name]
    failed = [check for check in judged if not check.passed]
    if misses(metric, threshold) or (threshold.compares and loss is not None and loss > 0):
        return _Seen(beyond_text(text, metric, threshold), Weight.HIGH, loss or 0.0)
    if failed and is_short:
        return _Seen(too_little, Weight.MEDIUM, loss or 0.0)
    if (
        evidence.champion is None
        and threshold.compares
        and [check.sentence for check in failed] in ([], [no_champion(metric.name)])
    ):
        alone = _("No approved version to compare with: {metric}", metric=within_text(text, threshold))
        return _Seen(alone, Weight.MEDIUM, is_compared=False)
    if failed:
        why = why_not(failed[0])
        is_on = request.judgement is not None and request.judgement.mode is FastTrackMode.ON
        said = (
            _("Not auto-approved: {why}", why=why)
            if is_on
            else (why if why.startswith(metric.name) else capitalised(why))
        )
        return _Seen(said, Weight.MEDIUM, is_compared=False)  # what misses its threshold was said above
    if (
        threshold.compares and evidence.champion is not None
    ):  # the fast track judges no rollback, and nothing when it is off
        if loss is None:
            return _not_comparable(metric.name, metric, evidence.champion)
        if not judged and is_short:
            return _Seen(too_little, Weight.MEDIUM, loss)
    return _Seen(text, Weight.LOW, loss or 0.0)


def _comparable(request: TransitionRequest, evidence: Evidence) -> Iterator[_Seen]:
    """Of the metrics of known direction: what cannot be compared counts too, or a worse one would be hidden by leaving it out."""
    for metric in evidence.metrics:
        upwards, beside = direction_of(metric, None), beside_of(metric, evidence)
        if upwards is None:
            continue
        loss = loss_of(metric, beside, upwards)
        if not math.isfinite(metric.value):
            yield _Seen(figures_text(metric, beside, upwards, request), Weight.HIGH, is_compared=False)
        elif loss is not None:
            yield _Seen(figures_text(metric, beside, upwards, request), Weight.MEDIUM if loss > 0 else Weight.LOW, loss)
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
    return any(holder == theirs and loss_of(metric, holder, upwards=True) is not None for metric, holder in beside)


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


def _nothing_to_compare(evidence: Evidence) -> str:
    if evidence.champion is None:
        return _("No approved version to compare with")
    held = f"v{evidence.champion.version.version}"
    return _("No metric can be compared with {version}", version=held)


def approval_text(request: TransitionRequest, context: CardContext) -> str:
    """For whoever is about to approve: the risk, then what the approval does."""
    risk = risk_of(request, context)
    happens = what_approve_does(request)
    if risk is None:
        return sentences(happens, freeze_text(context))
    return sentences(_("{said}.", said=risk.text.rstrip(".")), _("If you approve: {what}", what=happens))
