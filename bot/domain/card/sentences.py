"""The sentences about a request: its status, the meaning of a vote, the decision. `request_card` arranges them.

The fast track's are in `fast_track_sentences`, those about what to do after an outcome in `next_steps`.
"""

from __future__ import annotations

from bot.domain.card.context import UNKNOWN as UNKNOWN
from bot.domain.card.context import CardContext as CardContext
from bot.domain.card.fast_track_sentences import checks_text
from bot.domain.card.needs import button_labels as button_labels
from bot.domain.card.needs import needs_text, unknown_party
from bot.domain.card.titles import FAST_TRACK_TITLES, TITLES
from bot.domain.card.titles import title_of as title_of
from bot.domain.model import DecidedBy, Kind, State, TargetKind, TransitionRequest, Verdict, Vote
from bot.domain.registry.comparisons import compared_with
from bot.domain.request.counting import worth_of, worth_text
from bot.domain.request.quorum import ANYONE
from bot.domain.text import format_utc, target_label

RENEWED = "A new card has the new comparison and a new vote; votes on this one do not count."
TRIED_AGAIN = "Countersign keeps trying; `countersign jobs list` shows the attempts."
WAS_APPROVED = (State.APPROVED, State.APPLIED, State.STALE)
DECISIONS = {Kind.PROMOTION: "Approved", Kind.OBSERVED: "Ratified", Kind.ROLLBACK: "Rollback approved"}
VOTED = {
    (Verdict.APPROVE, Kind.PROMOTION): "approved",
    (Verdict.APPROVE, Kind.OBSERVED): "ratified",
    (Verdict.APPROVE, Kind.ROLLBACK): "approved",
}
MEANINGS = {
    (Verdict.APPROVE, Kind.PROMOTION): "the version may go to the target",
    (Verdict.REJECT, Kind.PROMOTION): "the version may not go to the target",
    (Verdict.APPROVE, Kind.OBSERVED): "the version may stay where it was put",
    (Verdict.REJECT, Kind.OBSERVED): "the target goes back to who held it before",
    (Verdict.APPROVE, Kind.ROLLBACK): "the target may go back to the version",
    (Verdict.REJECT, Kind.ROLLBACK): "the target does not go back to the version",
}


def decision_text(request: TransitionRequest, context: CardContext) -> str:
    """The decision as a lasting record: name, time, meaning and reason of each vote, or what decided without votes."""
    lines = [_decision(request)]
    lines += [vote_line(vote, request, context) for vote in request.votes]
    if request.state in WAS_APPROVED:
        lines += _without_votes(request, context)
    elif request.state is State.CALLED_OFF:
        lines.append(called_off(request, context))
    elif not any(vote.verdict is Verdict.REJECT for vote in request.votes):
        lines.append(f"{request.outcome}.")
    if request.kind is Kind.ROLLBACK:
        lines.append(f"Asked by {context.name(request.requester)}. Reason: {request.comment}")
    return "\n".join(lines)


def _decision(request: TransitionRequest) -> str:
    what = DECISIONS[request.kind] if request.state in WAS_APPROVED else title_of(request)
    if request.kind is Kind.OBSERVED and request.state is State.REJECTED:
        what = TITLES[request.state]  # whether it has been put back already is not part of the decision
    if request.state in WAS_APPROVED and request.decided_by is DecidedBy.FAST_TRACK:
        what = FAST_TRACK_TITLES[State.APPLIED]
    away = f", away from {request.away_from}" if request.away_from else ""
    return f"{what}: {request.version} for {request.target}{away}."


def _without_votes(request: TransitionRequest, context: CardContext) -> list[str]:
    when = f" on {format_utc(request.decided_at)}" if request.decided_at else ""
    if request.decided_by is DecidedBy.FAST_TRACK:
        rule = f"rule {context.rule.label}" if context.rule else "a rule that is no longer in the policy"
        figures = checks_text(request.judgement.checks) if request.judgement else ""
        return [f"Decided{when} by {rule}, its hash {request.rule_hash}.", *([f"{figures}."] if figures else [])]
    if request.decided_by is DecidedBy.RULE:
        return [f"Decided{when} by the rule itself: approved for this target before, so no new vote was needed."]
    return []


def called_off(request: TransitionRequest, context: CardContext) -> str:
    """That an approval was taken back before it was applied, by whom, when and why."""
    by = f" by {context.name(request.ended_by)}" if request.ended_by else ""
    when = f" on {format_utc(request.ended_at)}" if request.ended_at else ""
    return f"Called off{by}{when}: {request.outcome.rstrip('.')}. {_left_alone(request)}"


def _left_alone(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        return f"{request.version} keeps {target_label(request)} without an approval."
    return f"Countersign does not move {target_label(request)}."


def outcome_text(request: TransitionRequest) -> str:
    """The decision's effect in the registry."""
    if request.state is State.STALE:
        return f"Not applied: {request.outcome}."
    return _rejected(request) if request.state is State.REJECTED else _applied(request)


def evidence_text(request: TransitionRequest) -> str:
    """For a ticket that was opened before its evidence could be read: the grounds of the vote, which its description lacks."""
    evidence = request.evidence
    if evidence is None:
        return ""
    metrics = ", ".join(f"{metric.name} {metric.value:g}" for metric in evidence.metrics) or "none"
    files = f"sha256 {evidence.artifacts.digest}" if evidence.artifacts else evidence.artifacts_unread or "none read"
    return f"The evidence can be read now, and the vote is open. Metrics: {metrics}. Files: {files}. Source: {evidence.source}."


def question(request: TransitionRequest) -> str:
    """The question to the approvers, as a record for later readers."""
    away = f", away from {request.away_from}" if request.away_from else ""
    again = " again" if request.kind is Kind.ROLLBACK else ""
    become = "stay" if request.kind is Kind.OBSERVED else "become"
    if request.target.kind is TargetKind.MODEL:
        become = "be copied into"
    return f"May {request.version} {become} {target_label(request)}{again}{away}?"


def what_approve_does(request: TransitionRequest) -> str:
    if request.kind is Kind.ROLLBACK:
        away = f" from {request.away_from}" if request.away_from else ""
        return f"{target_label(request)} goes back{away} to {request.version}."
    if request.kind is Kind.OBSERVED:
        return f"{request.version} stays {target_label(request)}."
    before = compared_with(request)
    if before is None or before.model != request.version.model or before == request.version:
        return f"{request.version} becomes {target_label(request)}."
    return f"{target_label(request)} moves from v{before.version} to v{request.version.version}."


def what_reject_does(request: TransitionRequest) -> str:
    if request.kind is Kind.PROMOTION:
        return f"{request.version} does not become {target_label(request)}."
    if request.kind is Kind.ROLLBACK:
        stays = f" stays with {request.away_from}" if request.away_from else f" does not go back to {request.version}"
        return f"{target_label(request)}{stays}."
    if request.is_adopted:
        return f"{request.version} stays {target_label(request)}, without an approval."
    if request.target.kind is TargetKind.MODEL:
        return f"{request.version} is put back: tagged countersign.denied and denied by the gate, or deleted if the rule deletes copies."
    if request.previous is None:
        return f"{target_label(request)} is removed from {request.version} and is unassigned, as before."
    return f"{target_label(request)} goes back to {request.previous}."


def vote_line(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """One vote: who, for whom, when, what, for which of the rule's requirements, and why."""
    absent = [context.name(person) for person in vote.standing_in_for]
    in_place = f", standing in for {' and '.join(absent)}," if absent else ""
    meaning = MEANINGS[vote.verdict, request.kind]
    if vote.verdict is Verdict.REJECT and request.is_adopted:
        meaning = "the version stays where it is, without an approval"
    how = f"{_requirement(vote, request, context)}{' with a passkey' if vote.passkey else ''}"
    voted = f"{VOTED.get((vote.verdict, request.kind), 'rejected')}{how}: {meaning}"
    because = f" Reason: {vote.reason}" if vote.reason else ""
    who = f"{context.name(vote.person)}{in_place}"
    return f"{who} on {format_utc(vote.at)} {voted}.{_lapsed(vote, request, context)}{because}"


def vote_words(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """One vote on a card or in a message: who, what, for whom and when. Tickets and records have `vote_line`."""
    absent = " and ".join(context.name(person) for person in vote.standing_in_for)
    voted = VOTED.get((vote.verdict, request.kind), "rejected")
    place = _place(vote, request, context)
    details = [place, "with a passkey" if vote.passkey else "", f"standing in for {absent}" if absent else ""]
    how = ", ".join(filter(None, details))
    because = f" Reason: {vote.reason}" if vote.reason else ""
    said = f"{context.name(vote.person)} {voted}{f' ({how})' if how else ''}, {format_utc(vote.at)}."
    return f"{said}{_lapsed(vote, request, context)}{because}"


def _place(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    worth = worth_of(vote, request, context.rule, context.rule_hash)
    if worth.place == ANYONE:
        return f"additional approver, because the {unknown_party(request)} is unknown"
    return _requirement(vote, request, context).strip().removeprefix("for ")


def _requirement(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """For which requirement it counts; a rejection decides alone."""
    if vote.verdict is Verdict.REJECT:
        return ""
    said = worth_text(vote, worth_of(vote, request, context.rule, context.rule_hash))
    return f" {said}" if said and context.rule is not None else ""


def _lapsed(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """Says that a vote lapsed. After the decision, compares with the rule it was made under, because the rule may change again."""
    counted_under = context.rule_hash if request.state is State.PENDING else request.rule_hash
    no_longer = "no longer counts" if request.state is State.PENDING else "did not count any more"
    if vote.ids & request.parties:
        return f" They have asked for it themselves since, so this vote {no_longer}."
    if vote.rule_hash != counted_under:
        return f" The rule has changed since, so this vote {no_longer}."
    return ""


def status_sentence(request: TransitionRequest, context: CardContext) -> str:
    """The status and the next step, in a sentence or two."""
    if request.state is State.PENDING:
        return needs_text(request, context)
    if request.state is State.APPLIED:
        return _no_longer(request, context.rolled_back) if context.rolled_back else _applied(request)
    if request.state is State.REJECTED:
        return _rejected(request)
    if request.state is State.APPROVED:
        return _approved(request)
    if request.state is State.CALLED_OFF:
        return called_off(request, context)
    if request.state is State.COLLECTING and request.unreadable:
        return f"The vote cannot open, because the evidence cannot be read: {request.unreadable[-1]} {TRIED_AGAIN}"
    if request.state is State.COLLECTING:
        return f"The evidence is being collected; the vote opens after that. {context.progress}".rstrip()
    return f"{request.outcome}. {RENEWED}" if request.renewed else f"{request.outcome}."


def _approved(request: TransitionRequest) -> str:
    if request.frozen_until is not None:
        return f"{target_label(request)} moves when the freeze ({request.frozen_by}) ends, on {format_utc(request.frozen_until)}."
    if request.unreadable:
        return f"{target_label(request)} does not move while {request.version} cannot be checked: {request.unreadable[-1]} {TRIED_AGAIN}"
    return f"{target_label(request)} moves as soon as the registry answers."


def _no_longer(request: TransitionRequest, rolled_back: str) -> str:
    when = f" from {format_utc(request.settled_at)}" if request.settled_at else ""
    return f"{request.version} was {target_label(request)}{when} until it was {rolled_back.rstrip('.')}."


def _applied(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        return f"{request.version} stays {target_label(request)}."
    since = f" since {format_utc(request.settled_at)}" if request.settled_at else ""
    again = " again" if request.kind is Kind.ROLLBACK else ""
    before = request.away_from if request.kind is Kind.ROLLBACK else request.previous
    is_now = "has been" if since else "is"
    replaced = f"; it replaced {before}" if before else ""
    return f"{request.version} {is_now} {target_label(request)}{again}{since}{replaced}."


def _rejected(request: TransitionRequest) -> str:
    if request.kind is not Kind.OBSERVED or request.settled_at is None:
        return what_reject_does(request)
    because = f": {request.outcome}" if not request.votes and request.outcome else ""
    holder = str(request.settled_holder) if request.settled_holder else "no version"
    if request.target.kind is TargetKind.MODEL and request.settled_by_us:
        return f"{request.version} was deleted from {target_label(request)}{because}."
    if request.target.kind is TargetKind.MODEL and request.settled_holder == request.version and not request.is_adopted:
        return f"{request.version} stays in {target_label(request)}, tagged countersign.denied, and the gate denies it{because}."
    if request.settled_by_us:
        went = f"went back to {holder}" if request.settled_holder else "is unassigned again"
        return f"{target_label(request)} {went}{because}."
    return f"{target_label(request)} is held by {holder} now; Countersign did not move it."
