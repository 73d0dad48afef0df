"""The comments on a request's ticket: the decision, its effect, and what holds it up. Each is a lasting record."""

from __future__ import annotations

from datetime import datetime

from bot.domain.card.break_glass.sentences import glass_paragraphs
from bot.domain.card.fast_track_sentences import checks_text
from bot.domain.card.outcomes import applied, called_off, lapsed, outcome_of, rejected, sealed_text
from bot.domain.card.sentences import WAS_APPROVED, CardContext
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.names import in_one_line
from bot.domain.request.counting import Worth, worth_of
from bot.domain.request.quorum import ANYONE
from bot.domain.text import version_name
from bot.language import N_, Value, _, listed, pgettext, sentences

DECIDED = {
    Kind.PROMOTION: N_("Approved: {version} for {target}"),
    Kind.OBSERVED: N_("Ratified: {version} for {target}"),
    Kind.ROLLBACK: N_("Rollback approved: {version} for {target}"),
}
LET_THROUGH = N_("Approved by the fast track: {version} for {target}")
BROKEN = N_("Promoted by breaking the glass: {version} for {target}")
ENDED = {
    State.REJECTED: N_("Rejected: {version} for {target}"),
    State.EXPIRED: N_("Expired: {version} for {target}"),
    State.WITHDRAWN: N_("Withdrawn: {version} for {target}"),
    State.SUPERSEDED: N_("Superseded: {version} for {target}"),
    State.CALLED_OFF: N_("Approved, and called off: {version} for {target}"),
}
OBSERVED_ENDED = ENDED | {State.CALLED_OFF: N_("Ratified, and called off: {version} for {target}")}
ROLLBACK_ENDED = ENDED | {
    State.REJECTED: N_("Rollback rejected: {version} for {target}"),
    State.CALLED_OFF: N_("Rollback approved, and called off: {version} for {target}"),
}
FAST_TRACK_CALLED_OFF = N_("Approved by the fast track, and called off: {version} for {target}")
RENEWED = N_("Renewed on another card: {version} for {target}")
UNDECIDED = N_("Not decided yet: {version} for {target}")
ENDINGS = {Kind.PROMOTION: ENDED, Kind.OBSERVED: OBSERVED_ENDED, Kind.ROLLBACK: ROLLBACK_ENDED}

MEANINGS = {
    (Verdict.APPROVE, Kind.PROMOTION): N_("the version may go to the target"),
    (Verdict.REJECT, Kind.PROMOTION): N_("the version may not go to the target"),
    (Verdict.APPROVE, Kind.OBSERVED): N_("the version may stay where it was put"),
    (Verdict.REJECT, Kind.OBSERVED): N_("the target goes back to who held it before"),
    (Verdict.APPROVE, Kind.ROLLBACK): N_("the target may go back to the version"),
    (Verdict.REJECT, Kind.ROLLBACK): N_("the target does not go back to the version"),
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
        lines.append(_("{said}.", said=outcome_of(request)))
    if request.kind is Kind.ROLLBACK:
        asker = context.name(request.requester)
        lines.append(_("Asked by {person}. Reason: {reason}", person=asker, reason=in_one_line(request.comment)))
    return "\n".join(lines)


def _decision(request: TransitionRequest) -> str:
    said = _(_decided(request), **_names(request))
    if request.away_from is None:
        return _("{said}.", said=said)
    return _("{said}, away from {away}.", said=said, away=version_name(request.away_from))


def _decided(request: TransitionRequest) -> str:
    is_fast = request.decided_by is DecidedBy.FAST_TRACK and request.kind is Kind.PROMOTION
    if request.state in WAS_APPROVED:
        return (
            BROKEN if request.decided_by is DecidedBy.BREAK_GLASS else LET_THROUGH if is_fast else DECIDED[request.kind]
        )
    if request.renewed:
        return RENEWED
    if request.state is State.CALLED_OFF and is_fast:
        return FAST_TRACK_CALLED_OFF
    return ENDINGS[request.kind].get(request.state, UNDECIDED)


def _names(request: TransitionRequest) -> dict[str, Value]:
    return {"version": version_name(request.version), "target": str(request.target)}


def _without_votes(request: TransitionRequest, context: CardContext) -> list[str]:
    when = request.decided_at or request.opened_at
    if request.decided_by is DecidedBy.FAST_TRACK:
        figures = checks_text(request.judgement.checks) if request.judgement else ""
        return [_by_fast_track(request, context, when), *([f"{figures}."] if figures else [])]
    if request.decided_by is DecidedBy.BREAK_GLASS:
        return glass_paragraphs(request, context)
    if request.decided_by is DecidedBy.RULE:
        said = _(
            "Decided on {when} by the rule itself: approved for this target before, so no new vote was needed.",
            when=when,
        )
        return [said]
    return []


def _by_fast_track(request: TransitionRequest, context: CardContext, when: datetime) -> str:
    if context.rule is None:
        return _(
            "Decided on {when} by a rule that is no longer in the policy, its hash {hash}.",
            when=when,
            hash=request.rule_hash,
        )
    return _(
        "Decided on {when} by rule {rule}, its hash {hash}.",
        when=when,
        rule=context.rule.label,
        hash=request.rule_hash,
    )


def evidence_text(request: TransitionRequest) -> str:
    """For a ticket that was opened before its evidence could be read: the grounds of the vote, which its description lacks."""
    evidence = request.evidence
    if evidence is None:
        return ""
    metrics = ", ".join(f"{in_one_line(metric.name)} {metric.value:g}" for metric in evidence.metrics) or _("none")
    files = (
        f"sha256 {evidence.artifacts.digest}"
        if evidence.artifacts
        else in_one_line(evidence.artifacts_unread) or _("none read")
    )
    return _(
        "The evidence can be read now, and the vote is open. Metrics: {metrics}. Files: {files}. Source: {source}.",
        metrics=metrics,
        files=files,
        source=in_one_line(evidence.source),
    )


def outcome_text(request: TransitionRequest) -> str:
    """The decision's effect in the registry."""
    if request.state is State.STALE:
        return _("Not applied: {why}.", why=outcome_of(request))
    return rejected(request) if request.state is State.REJECTED else sentences(applied(request), sealed_text(request))


def rolled_back_text(request: TransitionRequest) -> str:
    """For the ticket of the request that this rollback undid."""
    return sentences(outcome_text(request), _("Reason: {reason}", reason=in_one_line(request.comment)))


def vote_line(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """One vote: who, for whom, when, what, for which of the rule's requirements, and why."""
    meaning = MEANINGS[vote.verdict, request.kind]
    if vote.verdict is Verdict.REJECT and request.is_adopted:
        meaning = N_("the version stays where it is, without an approval")
    said = _(
        "{voter} on {when} {voted}: {meaning}.",
        voter=_voter(vote, context),
        when=vote.at,
        voted=_voted(vote, request, context),
        meaning=_(meaning),
    )
    because = _("Reason: {reason}", reason=in_one_line(vote.reason)) if vote.reason else ""
    return sentences(said, lapsed(vote, request, context), because)


def _voter(vote: Vote, context: CardContext) -> str:
    person = context.name(vote.person)
    if not vote.standing_in_for:
        return person
    absent = listed(context.name(one) for one in vote.standing_in_for)
    return _("{person}, standing in for {absent},", person=person, absent=absent)


def _voted(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """With the requirement for which it counts; a rejection decides alone."""
    if vote.verdict is Verdict.REJECT:
        return _("rejected with a passkey") if vote.passkey else pgettext("vote", "rejected")
    voted = pgettext("vote", "ratified") if request.kind is Kind.OBSERVED else pgettext("vote", "approved")
    worth = worth_of(vote, request, context.rule, context.rule_hash)
    counts = _counts_for(vote, worth) if context.rule is not None else ""
    return sentences(voted, counts, _("with a passkey") if vote.passkey else "")


def _counts_for(vote: Vote, worth: Worth) -> str:
    """Empty for a vote that lapsed, and for one without a group."""
    if worth.place == ANYONE:
        return _("as one vote more")
    if worth.is_beyond and vote.groups:
        return _("beyond the votes that are needed of {groups}", groups=listed(vote.groups))
    if worth.is_beyond:
        return _("beyond the votes that are needed")
    if worth.place:
        return _("for {group}", group=worth.place)
    return _("for {group}", group=listed(vote.groups)) if worth.counts and vote.groups else ""
