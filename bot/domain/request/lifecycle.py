"""The life of a transition request. Each function checks first, with flat guards, and then records; `evolution` applies the events.

    COLLECTING -> PENDING -> APPROVED -> APPLIED
                         |           |-> STALE        the world changed before applying
                         |           `-> CALLED_OFF   a person took the approval back before that
                         `-> REJECTED, EXPIRED, WITHDRAWN, SUPERSEDED

COLLECTING can also end in these four states, in REJECTED only by a rule that puts back what was moved without asking.
A decision is never changed, unless nothing on record supports it (`proofs`): undo and rollback are new, linked requests.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.events import (
    ApprovalCalledOff,
    ApprovalHeld,
    ApprovalStale,
    AskJoined,
    Event,
    EvidenceFrozen,
    EvidenceUnreadable,
    FastTrackCompared,
    FastTrackJudged,
    FreezeEnded,
    OriginRead,
    ReminderDue,
    RequestApproved,
    RequestEscalated,
    RequestExpired,
    RequestRejected,
    RequestSuperseded,
    RequestWithdrawn,
    StandInsVoided,
    TargetMoved,
    TargetPutBack,
    VoteCast,
    VotesRebound,
)
from bot.domain.evidence import lineage
from bot.domain.model import (
    OPEN,
    Ask,
    DecidedBy,
    Evidence,
    Judgement,
    Kind,
    Objection,
    Origin,
    StaleCause,
    State,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import Rule, UnknownRequester
from bot.domain.request.evolution import BY_RULE, evolve
from bot.domain.request.fast_track import compare
from bot.domain.request.opening import Authors as Authors
from bot.domain.request.opening import NewRequest as NewRequest
from bot.domain.request.opening import continued as continued
from bot.domain.request.opening import open_request as open_request
from bot.domain.request.opening import reopened as reopened
from bot.domain.request.quorum import requester_is_unknown, tally, under, wants_passkey
from bot.domain.request.voting import AlreadyDecided as AlreadyDecided
from bot.domain.request.voting import OwnRequest as OwnRequest
from bot.domain.request.voting import check_may_cast as check_may_cast
from bot.domain.request.voting import check_may_vote as check_may_vote
from bot.domain.request.voting import wants_reason as wants_reason
from bot.errors import Refused
from bot.language import _, recorded

FAR_AHEAD = timedelta(days=365)
REASONS_TOLD = 5


def freeze_evidence(
    request: TransitionRequest,
    evidence: Evidence,
    authors: Authors,
    rule_hash: str,
    at: datetime,
    *,
    people_decide: str = "",
    found: tuple[VersionId, ...] | None = None,
    barred: tuple[str, ...] = (),
    objections: tuple[Objection, ...] = (),
) -> list[Event]:
    """`found`: the present holder, lawful or not; `barred` asked for the same content before; `objections` are rejections of it."""
    if request.state is not State.COLLECTING:
        return []
    trained, committed = authors.trained, authors.committed
    frozen = EvidenceFrozen(at, request.id, evidence, trained, rule_hash, committed, people_decide, found)
    return [replace(frozen, barred=barred, objections=objections)]


def cannot_read(request: TransitionRequest, reason: str, at: datetime) -> list[Event]:
    """Records each distinct reason once, and only a few: a broken store may report a new text every minute."""
    waits = request.state in (State.COLLECTING, State.APPROVED)
    if not waits or reason in request.unreadable or len(request.unreadable) >= REASONS_TOLD:
        return []
    return [EvidenceUnreadable(at, request.id, reason)]


def lacks_origin(request: TransitionRequest) -> bool:
    """Whether it was decided on without evidence, and who trained the version was not read since."""
    return request.state is State.REJECTED and request.evidence is None and request.origin is None


def read_origin(request: TransitionRequest, origin: Origin, at: datetime) -> list[Event]:
    return [OriginRead(at, request.id, origin)] if lacks_origin(request) else []


def decide_by_thresholds(
    request: TransitionRequest, judgement: Judgement, rule: Rule, rule_hash: str, at: datetime
) -> list[Event]:
    """The fast track's judgement is recorded in every mode; it decides only where the rule has switched it on."""
    if request.state is not State.PENDING or request.kind is not Kind.PROMOTION:
        return []
    judged = FastTrackJudged(at, request.id, judgement, rule.label, rule_hash)
    if not judgement.decides:
        return [judged]
    return [judged, RequestApproved(at, request.id, (), rule_hash, DecidedBy.FAST_TRACK)]


def approve_by_rule(request: TransitionRequest, rule_hash: str, at: datetime) -> list[Event]:
    """Approves a rollback, without new votes, to a version that people have approved for this target before."""
    if request.state is not State.PENDING or request.kind is not Kind.ROLLBACK:
        return []
    if request.failed_before or request.people_decide:
        return []
    return [RequestApproved(at, request.id, (), rule_hash, DecidedBy.RULE)]


def cast_vote(
    request: TransitionRequest, vote: Vote, rule: Rule, rule_hash: str, at: datetime | None = None
) -> list[Event]:
    """`at`: when it is recorded, if not at once: an approval by passkey is pressed first and signed later. Raises Refused."""
    vote, at = replace(vote, rule_hash=rule_hash), at or vote.at
    check_may_cast(request, replace(vote, at=at), rule)
    if vote.passkey is None and wants_passkey(vote, rule):
        raise Refused(_("this approval needs your passkey. Press Approve, and sign on the page that the bot links to"))

    cast = VoteCast(at, request.id, vote)
    if vote.verdict is Verdict.REJECT:
        rejected = RequestRejected(at, request.id, vote.person, vote.reason, rule_hash)
        return [cast, rejected, *_compared(request, rule, at, approved=False)]
    return [cast, *decide_by_votes(evolve(request, cast), rule, rule_hash, at)]


def decide_by_votes(request: TransitionRequest, rule: Rule, rule_hash: str, at: datetime) -> list[Event]:
    """The approval, once enough valid votes are cast; empty before that, and while something blocks it."""
    is_over = request.expires_at is not None and at >= request.expires_at
    refused = rule.approve.unknown_requester is UnknownRequester.REFUSE and requester_is_unknown(request)
    if request.state is not State.PENDING or is_over or refused or lineage.in_the_way(request, rule):
        return []
    now = tally(under(request, rule_hash), rule)
    if not now.is_complete:
        return []
    approvers = tuple(person for person, _ in now.met)
    return [RequestApproved(at, request.id, approvers, rule_hash), *_compared(request, rule, at, approved=True)]


def _compared(request: TransitionRequest, rule: Rule, at: datetime, *, approved: bool) -> list[Event]:
    """Records what people decided and what the fast track would have, so that a team learns whether to trust it."""
    if request.judgement is None:
        return []
    would_pass = request.judgement.passes
    had_no_champion = request.evidence is None or request.evidence.champion is None
    if had_no_champion and not would_pass:  # held for want of a champion: no verdict on the version
        return []
    return [FastTrackCompared(at, request.id, rule.label, would_pass, approved, compare(would_pass, approved))]


def compare_taken_back(failed: TransitionRequest, rule: Rule, at: datetime) -> list[Event]:
    """A version that the fast track approved was rolled back: its pass was a false one, in every figure about the fast track."""
    if failed.decided_by is not DecidedBy.FAST_TRACK:
        return []
    return [FastTrackCompared(at, failed.id, rule.label, True, False, compare(True, False))]


def join(
    request: TransitionRequest,
    person: str,
    ask: Ask,
    comment: str,
    at: datetime,
    *,
    also: tuple[str, ...] = (),
    under_rule: tuple[Rule, str] | None = None,
    vouched_by: str = "",
) -> list[Event]:
    """Somebody asks on the command line or API for what is asked already: it is their request too, so they may not vote on it.

    `also` are the person's other ids. Under the rule (with its hash), votes that are enough now that somebody is known decide at once.
    """
    known = (request.requester, *request.joined, *request.latecomers)
    if request.state not in (*OPEN, State.APPROVED) or person in known:
        return []
    joined = AskJoined(at, request.id, person, ask, comment, also, vouched_by)
    if under_rule is None:
        return [joined]
    return [joined, *decide_by_votes(evolve(request, joined), *under_rule, at)]


def reject_by_rule(request: TransitionRequest, reason: str, rule_hash: str, at: datetime) -> list[Event]:
    """The rule itself puts back what was moved without an approval; it never overrules a decision that was made."""
    if not request.state.is_open or request.kind is not Kind.OBSERVED:
        return []
    return [RequestRejected(at, request.id, BY_RULE, reason, rule_hash)]


def withdraw(request: TransitionRequest, reason: str, at: datetime) -> list[Event]:
    return [RequestWithdrawn(at, request.id, reason)] if request.state.is_open else []


def expire(request: TransitionRequest, at: datetime) -> list[Event]:
    if not request.state.is_open or request.expires_at is None or at < request.expires_at:
        return []
    if not request.unreadable:
        said = recorded("outcome", "nobody decided in time. Ask again when it is still wanted")
    else:
        said = recorded(
            "outcome",
            "its evidence could not be read in time: {reason}. Ask again when it is still wanted",
            reason=request.unreadable[-1].rstrip("."),
        )
    return [RequestExpired(at, request.id, said)]


def remind(request: TransitionRequest, at: datetime) -> list[Event]:
    return [ReminderDue(at, request.id, request.reminders + 1)] if request.state is State.PENDING else []


def escalate(request: TransitionRequest, rule: Rule, rule_hash: str, at: datetime) -> list[Event]:
    """Escalates: from now on a second group may vote for the missing approvers; earlier votes of its members count at once."""
    if request.state is not State.PENDING or request.escalated_at is not None or rule.escalate is None:
        return []
    escalated = RequestEscalated(at, request.id, rule.escalate.group)
    return [escalated, *decide_by_votes(evolve(request, escalated), rule, rule_hash, at)]


def hold(request: TransitionRequest, freeze: str, until: datetime, at: datetime) -> list[Event]:
    """A freeze is on: the approval stays valid and is applied when the freeze ends."""
    known = (request.frozen_by, request.frozen_until) == (freeze, until)
    # The end is computed no further ahead than that, so the end of a longer freeze moves with every check.
    still_far = request.frozen_by == freeze and until - at > FAR_AHEAD
    if request.state is not State.APPROVED or known or still_far:
        return []
    return [ApprovalHeld(at, request.id, freeze, until)]


def thaw(request: TransitionRequest, at: datetime) -> list[Event]:
    if request.state is not State.APPROVED or request.frozen_until is None:
        return []
    return [FreezeEnded(at, request.id, request.frozen_by)]


def supersede(older: TransitionRequest, newer: TransitionRequest, at: datetime) -> list[Event]:
    """A newer version that asks for the same target supersedes an open request for an older one, never the reverse."""
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
    if older.glass is not None and not older.glass.held_by:
        return []  # a person has decided it already, and it only waits for its evidence
    reason = recorded(
        "outcome",
        "{version} asks for {target} too and is newer",
        version=str(newer.version),
        target=str(newer.target),
    )
    return [RequestSuperseded(at, older.id, newer.id, reason)]


def renew(request: TransitionRequest, fresh_id: str, why: str, at: datetime) -> list[Event]:
    """Ends a vote whose comparison is outdated: the request `fresh_id` takes its place, with new evidence."""
    is_asked = request.state is State.PENDING and request.kind is Kind.PROMOTION
    return [RequestSuperseded(at, request.id, fresh_id, why, renewed=True)] if is_asked else []


def apply(
    request: TransitionRequest,
    previous: VersionId | None,
    at: datetime,
    *,
    moved: bool,
    besides: tuple[VersionId, ...] = (),
    copies: tuple[VersionId, ...] = (),
) -> list[Event]:
    """The target is where it was approved to be: `moved` there by us, or found there."""
    if request.state is not State.APPROVED:
        return []
    return [TargetMoved(at, request.id, request.version, request.target, previous, moved, besides, copies)]


def put_back(request: TransitionRequest, to: VersionId | None, at: datetime, *, moved: bool) -> list[Event]:
    """The target of a rejected observed transition is with `to` again: `moved` there by us, or found there."""
    if request.state is not State.REJECTED or request.kind is not Kind.OBSERVED or request.settled_at is not None:
        return []
    return [TargetPutBack(at, request.id, request.target, request.version, to, moved)]


def call_off(request: TransitionRequest, person: str, reason: str, at: datetime) -> list[Event]:
    """Ends an approval that is not applied yet. `person` is empty when no one called it off but the ask was taken away."""
    return [ApprovalCalledOff(at, request.id, person, reason)] if request.state is State.APPROVED else []


def rebind(request: TransitionRequest, before: str, after: str, at: datetime) -> list[Event]:
    """Since an upgrade the same rule has the hash `after`: votes and approvals under the former hash still count."""
    bound = {request.rule_hash, *(vote.rule_hash for vote in request.votes)}
    is_live = request.state in (*OPEN, State.APPROVED)
    return [VotesRebound(at, request.id, before, after)] if is_live and before != after and before in bound else []


def void_stand_ins(request: TransitionRequest, group: str, at: datetime) -> list[Event]:
    """The escalation group has other members now, and it is not in the rule's hash: votes stop counting for it."""
    relied = any(group in vote.groups for vote in request.votes)
    return [StandInsVoided(at, request.id, group)] if request.state is State.PENDING and relied else []


def mark_stale(request: TransitionRequest, reason: str, cause: StaleCause, at: datetime) -> list[Event]:
    return [ApprovalStale(at, request.id, reason, cause)] if request.state is State.APPROVED else []
