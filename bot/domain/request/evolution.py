"""What each event makes of a request: `initial` begins one, and `evolve` is the only place that changes its state."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.events import (
    ApprovalHeld,
    ApprovalStale,
    AskJoined,
    AttestationSigned,
    CardPosted,
    EvidenceFrozen,
    FastTrackJudged,
    FreezeEnded,
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
    TargetMoved,
    TargetPutBack,
    TicketClosed,
    TicketOpened,
    VoteCast,
)
from bot.domain.model import DECISION, DecidedBy, State, TransitionRequest

BY_RULE = "policy"  # stands in the place of a person where the rule itself decided


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
        )
    if isinstance(event, FastTrackJudged):
        return replace(request, judgement=event.judgement)
    if isinstance(event, AskJoined):
        requester, comment = request.requester or event.person, request.comment or event.comment
        return replace(
            request, requester=requester, comment=comment, ask=event.ask, joined=(*request.joined, event.person)
        )
    if isinstance(event, VoteCast):
        return replace(request, votes=(*request.votes, event.vote))
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
    if isinstance(event, RequestExpired | RequestWithdrawn | RequestSuperseded | ApprovalStale):
        decided_at = request.decided_at or event.at
        return replace(request, state=ENDINGS[type(event)], decided_at=decided_at, outcome=event.reason)
    if isinstance(event, TargetMoved):
        return replace(
            request,
            state=State.APPLIED,
            settled_at=event.at,
            settled_by_us=event.moved,
            settled_holder=event.version,
            previous=event.previous,
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
        return replace(request, card=event.card)
    if isinstance(event, TicketOpened):
        return replace(request, ticket=event.ticket)
    if isinstance(event, TicketClosed):
        return replace(request, ticket_status=event.status)
    return request


ENDINGS: dict[type[RequestEvent], State] = {
    RequestExpired: State.EXPIRED,
    RequestWithdrawn: State.WITHDRAWN,
    RequestSuperseded: State.SUPERSEDED,
    ApprovalStale: State.STALE,
}


def initial(event: RequestOpened) -> TransitionRequest:
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
    )
