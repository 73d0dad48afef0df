"""The life of a transition request: laws first, as flat guards; the deed last. What its events make of it is in `evolution`.

    COLLECTING -> PENDING -> APPROVED -> APPLIED
                         |           `-> STALE        the world changed before applying
                         `-> REJECTED, EXPIRED, WITHDRAWN, SUPERSEDED

COLLECTING ends these four ways as well; REJECTED then only by a rule that puts back what was moved without asking.
Once decided, always decided: undo and rollback are new, linked requests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.events import (
    ApprovalHeld,
    ApprovalStale,
    AskJoined,
    Event,
    EvidenceFrozen,
    FastTrackCompared,
    FastTrackJudged,
    FreezeEnded,
    ReminderDue,
    RequestApproved,
    RequestEscalated,
    RequestExpired,
    RequestOpened,
    RequestRejected,
    RequestSuperseded,
    RequestWithdrawn,
    TargetMoved,
    TargetPutBack,
    VoteCast,
)
from bot.domain.evidence import lineage
from bot.domain.model import (
    Ask,
    AskKind,
    DecidedBy,
    Evidence,
    Judgement,
    Kind,
    State,
    Target,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import Rule, UnknownRequester
from bot.domain.request.agreement import compare
from bot.domain.request.evolution import BY_RULE, evolve
from bot.domain.request.quorum import groups_with_a_say, requester_is_unknown, tally, under
from bot.errors import Refused

FAR_AHEAD = timedelta(days=365)


class AlreadyDecided(Refused):
    """Whoever is late is told who decided; the story adds the names."""

    def __init__(self, request: TransitionRequest) -> None:
        super().__init__(f"request {request.short_id} is already {request.state}")
        self.request = request


class OwnRequest(Refused):
    """Separation of duties: whoever asked or trained does not decide."""


@dataclass(frozen=True)
class NewRequest:
    """What somebody asks for, before it has an id."""

    version: VersionId
    target: Target
    ask: Ask
    kind: Kind = Kind.PROMOTION
    requester: str | None = None
    comment: str = ""
    previous: VersionId | None = None
    follows: str | None = None
    away_from: VersionId | None = None
    failed_before: str = ""
    asked_since: datetime | None = None


@dataclass(frozen=True)
class Authors:
    """Who trained the version and who made its commit: ids of people, None where the policy maps the claimed name to nobody."""

    trained: str | None = None
    committed: str | None = None


def open_request(new: NewRequest, request_id: str, rule: Rule, rule_hash: str, at: datetime) -> RequestOpened:
    return RequestOpened(
        at=at,
        request_id=request_id,
        kind=new.kind,
        version=new.version,
        target=new.target,
        ask=new.ask,
        requester=new.requester,
        comment=new.comment,
        rule_hash=rule_hash,
        previous=new.previous,
        expires_at=at + rule.expire_after if rule.expire_after else None,
        follows=new.follows,
        away_from=new.away_from,
        failed_before=new.failed_before,
        asked_since=new.asked_since,
    )


def freeze_evidence(
    request: TransitionRequest,
    evidence: Evidence,
    authors: Authors,
    rule_hash: str,
    at: datetime,
    *,
    people_decide: str = "",
) -> list[Event]:
    if request.state is not State.COLLECTING:
        return []
    return [EvidenceFrozen(at, request.id, evidence, authors.trained, rule_hash, authors.committed, people_decide)]


def decide_by_thresholds(
    request: TransitionRequest, judgement: Judgement, rule: Rule, rule_hash: str, at: datetime
) -> list[Event]:
    """The fast track's word is recorded in every mode; it decides only where the rule has switched it on."""
    if request.state is not State.PENDING or request.kind is not Kind.PROMOTION:
        return []
    judged = FastTrackJudged(at, request.id, judgement, rule.label, rule_hash)
    if not judgement.decides:
        return [judged]
    return [judged, RequestApproved(at, request.id, (), rule_hash, DecidedBy.FAST_TRACK)]


def approve_by_rule(request: TransitionRequest, rule_hash: str, at: datetime) -> list[Event]:
    """The way back to a version that people have approved for this target before is open without asking them again."""
    if request.state is not State.PENDING or request.kind is not Kind.ROLLBACK:
        return []
    if request.failed_before or request.people_decide:
        return []
    return [RequestApproved(at, request.id, (), rule_hash, DecidedBy.RULE)]


def check_may_vote(request: TransitionRequest, vote: Vote, rule: Rule) -> None:
    """Raises Refused with the sentence that the person sees. Also asked before a form for a reason is opened."""
    if request.state is State.COLLECTING:
        raise Refused("the evidence is still being collected. Try again in a moment")
    if request.state is not State.PENDING:
        raise AlreadyDecided(request)
    if request.expires_at is not None and vote.at >= request.expires_at:
        raise Refused("the time to decide is over. Whoever still wants it asks again")
    if vote.person in request.parties:
        raise OwnRequest("you asked for this transition or trained the version, so someone else must decide it")
    wanted = groups_with_a_say(request, rule)
    if not set(wanted) & set(vote.groups):
        raise Refused(f"only members of {', '.join(wanted)} may decide this. Ask one of them")
    counted = under(request, vote.rule_hash).votes
    if any(vote.person in earlier.standing_in_for for earlier in counted):
        raise Refused("somebody has voted in your place while you were away; that vote stands")
    if set(vote.standing_in_for) & request.parties:
        raise Refused(
            "whom you stand in for asked for this or trained the version, and has no say to lend. Press again"
        )
    if set(vote.standing_in_for) & {person for one in counted for person in (one.person, *one.standing_in_for)}:
        raise Refused("whom you stand in for has had a vote on this by now. Press again to vote for yourself alone")
    refuses_unknown = rule.approve.unknown_requester is UnknownRequester.REFUSE
    if vote.verdict is Verdict.APPROVE and refuses_unknown and requester_is_unknown(request):
        raise Refused(
            "nobody knows who asked for this or who trained it, and the policy refuses to approve that. "
            "Ask again with `countersign request-transition` and map the author in the policy's people"
        )
    if vote.verdict is Verdict.APPROVE:
        lineage.check_may_approve(request, rule)


def cast_vote(request: TransitionRequest, vote: Vote, rule: Rule, rule_hash: str) -> list[Event]:
    vote = replace(vote, rule_hash=rule_hash)
    check_may_vote(request, vote, rule)
    if any(earlier.person == vote.person for earlier in under(request, rule_hash).votes):
        raise Refused("you have voted on this already; your vote stands")
    if wants_reason(request, vote.verdict, rule) and not vote.reason.strip():
        raise Refused(f"the policy wants a reason to {vote.verdict}. Say in a sentence why")

    cast = VoteCast(vote.at, request.id, vote)
    if vote.verdict is Verdict.REJECT:
        rejected = RequestRejected(vote.at, request.id, vote.person, vote.reason, rule_hash)
        return [cast, rejected, *_compared(request, rule, vote.at, approved=False)]
    now = tally(under(evolve(request, cast), rule_hash), rule)
    if not now.is_complete:
        return [cast]
    approvers = tuple(person for person, _ in now.met)
    approved = RequestApproved(vote.at, request.id, approvers, rule_hash)
    return [cast, approved, *_compared(request, rule, vote.at, approved=True)]


def wants_reason(request: TransitionRequest, verdict: Verdict, rule: Rule) -> bool:
    """Whoever approves a version that was rolled back once says why, whatever the rule: that is no accident then."""
    if verdict is Verdict.REJECT:
        return rule.approve.wants_reason_to_reject()
    return rule.approve.wants_reason_to_approve() or request.failed_before != ""


def _compared(request: TransitionRequest, rule: Rule, at: datetime, *, approved: bool) -> list[Event]:
    """What people decided beside what the fast track would have: how a team learns whether to trust it."""
    if request.judgement is None:
        return []
    would_pass = request.judgement.passes
    had_no_champion = request.evidence is None or request.evidence.champion is None
    if had_no_champion and not would_pass:  # held for want of a champion: no verdict on the version
        return []
    return [FastTrackCompared(at, request.id, rule.label, would_pass, approved, compare(would_pass, approved))]


def join(request: TransitionRequest, person: str, ask: Ask, comment: str, at: datetime) -> list[Event]:
    """Somebody asks in words for what is asked already: it is their request too, so they may not decide on it."""
    if not request.state.is_open or person in (request.requester, *request.joined):
        return []
    return [AskJoined(at, request.id, person, ask, comment)]


def reject_by_rule(request: TransitionRequest, reason: str, rule_hash: str, at: datetime) -> list[Event]:
    """The rule itself puts back what was moved without an approval; it overrules nobody who has decided already."""
    if not request.state.is_open or request.kind is not Kind.OBSERVED:
        return []
    return [RequestRejected(at, request.id, BY_RULE, reason, rule_hash)]


def withdraw(request: TransitionRequest, reason: str, at: datetime) -> list[Event]:
    return [RequestWithdrawn(at, request.id, reason)] if request.state.is_open else []


def expire(request: TransitionRequest, at: datetime) -> list[Event]:
    if not request.state.is_open or request.expires_at is None or at < request.expires_at:
        return []
    return [RequestExpired(at, request.id, "nobody decided in time. Ask again when it is still wanted")]


def remind(request: TransitionRequest, at: datetime) -> list[Event]:
    return [ReminderDue(at, request.id, request.reminders + 1)] if request.state is State.PENDING else []


def escalate(request: TransitionRequest, rule: Rule, rule_hash: str, at: datetime) -> list[Event]:
    """Waiting is not for ever: from now on a second group may stand in for whoever is missing; votes of its people count at once."""
    if request.state is not State.PENDING or request.escalated_at is not None or rule.escalate is None:
        return []
    escalated = RequestEscalated(at, request.id, rule.escalate.group)
    now = tally(under(evolve(request, escalated), rule_hash), rule)
    if not now.is_complete:
        return [escalated]
    approvers = tuple(person for person, _ in now.met)
    approved = RequestApproved(at, request.id, approvers, rule_hash)
    return [escalated, approved, *_compared(request, rule, at, approved=True)]


def hold(request: TransitionRequest, freeze: str, until: datetime, at: datetime) -> list[Event]:
    """A freeze is on: the approval stands and is applied when it ends."""
    known = (request.frozen_by, request.frozen_until) == (freeze, until)
    # Nobody looks further ahead than that, so the end of a longer freeze seems to move with every look.
    still_far = request.frozen_by == freeze and until - at > FAR_AHEAD
    if request.state is not State.APPROVED or known or still_far:
        return []
    return [ApprovalHeld(at, request.id, freeze, until)]


def thaw(request: TransitionRequest, at: datetime) -> list[Event]:
    if request.state is not State.APPROVED or request.frozen_until is None:
        return []
    return [FreezeEnded(at, request.id, request.frozen_by)]


def supersede(older: TransitionRequest, newer: TransitionRequest, at: datetime) -> list[Event]:
    """A newer version that asks for the same target takes the place of an open request for an older one, never the reverse."""
    same_place = (older.target, older.version.workspace, older.version.model) == (
        newer.target,
        newer.version.workspace,
        newer.version.model,
    )
    if (
        not same_place
        or not older.state.is_open
        or older.kind is not Kind.PROMOTION
        or newer.kind is not Kind.PROMOTION
    ):
        return []
    if older.id == newer.id or older.version.version >= newer.version.version:
        return []
    reason = f"{newer.version} asks for {newer.target} too and is newer"
    return [RequestSuperseded(at, older.id, newer.id, reason)]


def apply(
    request: TransitionRequest,
    previous: VersionId | None,
    at: datetime,
    *,
    moved: bool,
    besides: tuple[VersionId, ...] = (),
) -> list[Event]:
    """The target is where the approval wants it: `moved` there by us, or found there."""
    if request.state is not State.APPROVED:
        return []
    return [TargetMoved(at, request.id, request.version, request.target, previous, moved, besides)]


def put_back(request: TransitionRequest, to: VersionId | None, at: datetime, *, moved: bool) -> list[Event]:
    """The target of a rejected observed transition is with `to` again: `moved` there by us, or found there."""
    if request.state is not State.REJECTED or request.kind is not Kind.OBSERVED or request.settled_at is not None:
        return []
    return [TargetPutBack(at, request.id, request.target, request.version, to, moved)]


def mark_stale(request: TransitionRequest, reason: str, at: datetime) -> list[Event]:
    return [ApprovalStale(at, request.id, reason)] if request.state is State.APPROVED else []


def reopened(stale: TransitionRequest) -> NewRequest:
    """A fresh request for the same wish, to be decided on the world as it is now."""
    return NewRequest(
        version=stale.version,
        target=stale.target,
        ask=Ask(AskKind.REOPENED),
        kind=stale.kind,
        requester=stale.requester,
        comment=stale.comment,
        previous=stale.previous,
        follows=stale.id,
        away_from=stale.away_from,
        asked_since=stale.asked_since or stale.opened_at,
    )
