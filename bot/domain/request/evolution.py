"""Applies events to a request: `initial` makes one, and `evolve` is the only function that changes its state."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.broken_glass import BrokenGlass, GlassReview
from bot.domain.conversation_events import CONVERSATION_EVENTS, conversed
from bot.domain.deadlines import Deadlines
from bot.domain.events import (
    GLASS_EVENTS,
    ApprovalCalledOff,
    ApprovalHeld,
    ApprovalStale,
    AskJoined,
    AttestationSigned,
    CardPosted,
    DecisionReopened,
    EvidenceFrozen,
    EvidenceUnreadable,
    FastTrackJudged,
    FreezeEnded,
    GlassBroken,
    GlassHeld,
    GlassPassed,
    GlassReviewDue,
    GlassReviewed,
    OriginRead,
    PlotUploaded,
    ReminderDue,
    RequestApproved,
    RequestEscalated,
    RequestEvent,
    RequestExpired,
    RequestOpened,
    RequestRejected,
    RequestSuperseded,
    RequestWithdrawn,
    SealHindered,
    StandInsVoided,
    TargetMoved,
    TargetPutBack,
    TicketClosed,
    TicketOpened,
    VersionSealed,
    VoteCast,
    VoteRefused,
    VotesRebound,
)
from bot.domain.model import DECISION, AskKind, DecidedBy, Kind, RefusedVote, State, TransitionRequest, Verdict, Vote
from bot.domain.seals.events import seal_from
from bot.domain.seals.places import Sealing

BY_RULE = "policy"  # used instead of a person's id where the rule itself decided


def evolve(request: TransitionRequest, event: RequestEvent) -> TransitionRequest:
    """The request after the event; every change of state in the product happens here."""
    if isinstance(event, EvidenceFrozen):
        return replace(
            request,
            state=State.PENDING,
            evidence=event.evidence,
            author=event.author,
            commit_author=event.commit_author,
            rule_hash=event.rule_hash,
            pending_since=event.at,
            people_decide=event.people_decide,
            found=event.found,
            barred=_with(request.barred, event.barred),
            objections=event.objections,
            unreadable=(),
        )
    if isinstance(event, EvidenceUnreadable):
        return replace(request, unreadable=(*request.unreadable, event.reason))
    if isinstance(event, OriginRead):
        return replace(request, origin=event.origin)
    if isinstance(event, FastTrackJudged):
        return replace(request, judgement=event.judgement)
    if isinstance(event, AskJoined):
        return _joined(request, event)
    if isinstance(event, CONVERSATION_EVENTS):
        return conversed(request, event)
    if isinstance(event, VoteCast):
        return replace(request, votes=(*request.votes, event.vote))
    if isinstance(event, VoteRefused):
        return _without_vote(request, event)
    if isinstance(event, DecisionReopened):
        undecided = replace(request, state=State.PENDING, decided_at=None, decided_by=None, outcome="")
        return replace(undecided, attested_at=None, frozen_by="", frozen_until=None)
    if isinstance(event, RequestApproved):
        return replace(
            request, state=State.APPROVED, decided_at=event.at, rule_hash=event.rule_hash, decided_by=event.by
        )
    if isinstance(event, RequestRejected):
        return replace(
            request,
            state=State.REJECTED,
            decided_at=event.at,
            outcome=event.reason,
            rule_hash=event.rule_hash,
            decided_by=DecidedBy.RULE if event.person == BY_RULE else DecidedBy.PEOPLE,
        )
    if isinstance(event, ApprovalCalledOff):
        ended = replace(request, state=State.CALLED_OFF, outcome=event.reason, ended_by=event.person)
        return replace(ended, ended_at=event.at, attested_at=None, frozen_by="", frozen_until=None)
    if isinstance(event, VotesRebound):
        return _rebound(request, event)
    if isinstance(event, StandInsVoided):
        return replace(request, votes=tuple(_without_group(vote, event.group) for vote in request.votes))
    if isinstance(event, RequestExpired | RequestWithdrawn | RequestSuperseded | ApprovalStale):
        decided_at = request.decided_at or event.at
        if isinstance(event, RequestSuperseded):
            request = replace(request, superseded_by=event.by, renewed=event.renewed)
        if isinstance(event, ApprovalStale):
            request = replace(request, stale_cause=event.cause)
        ending = ENDINGS[type(event)]
        return replace(
            request, state=ending, decided_at=decided_at, outcome=event.reason, frozen_by="", frozen_until=None
        )
    if isinstance(event, TargetMoved):
        return replace(
            request,
            state=State.APPLIED,
            settled_at=event.at,
            settled_by_us=event.moved,
            settled_holder=event.version,
            previous=event.previous,
            copies=event.copies,
            frozen_by="",
            frozen_until=None,
            unreadable=(),
        )
    if isinstance(event, TargetPutBack):
        return replace(request, settled_at=event.at, settled_by_us=event.moved, settled_holder=event.to)
    if isinstance(event, ReminderDue):
        return replace(request, reminders=event.number, reminded_at=event.at)
    if isinstance(event, RequestEscalated):
        return replace(request, escalated_at=event.at)
    if isinstance(event, ApprovalHeld):
        return replace(request, frozen_by=event.freeze, frozen_until=event.until)
    if isinstance(event, FreezeEnded):
        return replace(request, frozen_by="", frozen_until=None)
    if isinstance(event, PlotUploaded):
        return replace(request, plot=event.plot)
    if isinstance(event, AttestationSigned):
        return replace(request, attested_at=event.at) if event.about == DECISION else request
    if isinstance(event, CardPosted):
        before = (request.card,) if request.card else ()
        return replace(request, card=event.card, earlier_cards=(*request.earlier_cards, *before))
    if isinstance(event, TicketOpened):
        return replace(request, ticket=event.ticket, named=event.named)
    if isinstance(event, TicketClosed):
        return replace(request, ticket_status=event.status)
    if isinstance(event, VersionSealed):
        return replace(request, sealing=Sealing(seal_from(event)))
    if isinstance(event, SealHindered):
        return replace(request, sealing=replace(request.sealing, hindered=event.reason))
    if isinstance(event, GLASS_EVENTS):
        return replace(request, glass=_glass_after(request.glass, event))
    return request


def _glass_after(glass: BrokenGlass | None, event: RequestEvent) -> BrokenGlass | None:
    if isinstance(event, GlassBroken):
        deed = event.deed
        return BrokenGlass(
            person=deed.person,
            reason=deed.reason,
            at=deed.at,
            group=event.group,
            reviewers=event.reviewers,
            review_by=event.review_by,
            rule_hash=deed.rule_hash,
            also=deed.also,
            team=deed.team,
            account=deed.account,
            signed_request=deed.signed_request,
            signed_by=deed.signed_by,
            despite=event.despite,
        )
    if glass is None:
        return None
    if isinstance(event, GlassHeld):
        return replace(glass, held_by=event.reason)
    if isinstance(event, GlassPassed):
        return replace(glass, passed=event.what)
    if isinstance(event, GlassReviewDue):
        return replace(glass, reminders=event.number, reminded_at=event.at)
    if isinstance(event, GlassReviewed):
        said = event.said
        return replace(glass, review=GlassReview(said.person, said.at, said.verdict is Verdict.APPROVE, said.reason))
    return glass


def _without_vote(request: TransitionRequest, event: VoteRefused) -> TransitionRequest:
    refused = RefusedVote(event.person, event.cast_at, event.reason)
    left = tuple(vote for vote in request.votes if (vote.person, vote.at) != (event.person, event.cast_at))
    return replace(request, votes=left, refused_votes=(*request.refused_votes, refused))


def _joined(request: TransitionRequest, event: AskJoined) -> TransitionRequest:
    """Once approved, votes that were cast still count, so people who join later are kept apart from the parties."""
    ask = request.ask if request.kind is Kind.OBSERVED else event.ask
    if request.state is State.APPROVED:
        wants_it_still = request.ask.is_automatic and event.ask.kind in (AskKind.COMMAND, AskKind.API, AskKind.FORM)
        latecomers = _with(request.latecomers, (event.person, *event.also))
        return replace(request, ask=ask if wants_it_still else request.ask, latecomers=latecomers)
    return replace(
        request,
        requester=request.requester or event.person,
        comment=request.comment or event.comment,
        ask=ask,
        joined=_with(request.joined, (event.person,)),
        vouched_by=_voucher(request, event),
        barred=_with(request.barred, event.also),
    )


def _voucher(request: TransitionRequest, event: AskJoined) -> str:
    """For the requester, as long as no one has asked in words: then the ask no longer ends with what is in the registry."""
    if request.requester is None:
        return event.vouched_by
    return request.vouched_by if event.vouched_by else ""


def _rebound(request: TransitionRequest, event: VotesRebound) -> TransitionRequest:
    def name_of(rule_hash: str) -> str:
        return event.after if rule_hash == event.before else rule_hash

    votes = tuple(replace(vote, rule_hash=name_of(vote.rule_hash)) for vote in request.votes)
    return replace(request, votes=votes, rule_hash=name_of(request.rule_hash))


def _without_group(vote: Vote, group: str) -> Vote:
    """A vote that counted for no other group is removed, and the person may vote again."""
    left = tuple(name for name in vote.groups if name != group)
    return vote if left == vote.groups else replace(vote, groups=left, rule_hash=vote.rule_hash if left else "")


def _with(people: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*people, *more)))


ENDINGS: dict[type[RequestEvent], State] = {
    RequestExpired: State.EXPIRED,
    RequestWithdrawn: State.WITHDRAWN,
    RequestSuperseded: State.SUPERSEDED,
    ApprovalStale: State.STALE,
}


def initial(event: RequestOpened) -> TransitionRequest:
    kept = event.deadlines or Deadlines()
    return TransitionRequest(
        id=event.request_id,
        kind=event.kind,
        state=State.COLLECTING,
        version=event.version,
        target=event.target,
        ask=event.ask,
        requester=event.requester,
        author=None,
        comment=event.comment,
        opened_at=event.at,
        expires_at=event.expires_at,
        rule_hash=event.rule_hash,
        previous=event.previous,
        follows=event.follows,
        away_from=event.away_from,
        failed_before=event.failed_before,
        asked_since=event.asked_since,
        joined=event.joined,
        barred=event.barred,
        adopted=event.adopted,
        vouched_by=event.vouched_by,
        waiting_since=kept.since,
        reminders=kept.reminders,
        reminded_at=kept.reminded_at,
        escalated_at=kept.escalated_at,
    )
