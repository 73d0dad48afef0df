"""The life of a transition request: laws first, as flat guards; the deed last. `evolve` is the only place that changes its state.

    COLLECTING -> PENDING -> APPROVED -> APPLIED
                         |           `-> STALE        the world changed before applying
                         `-> REJECTED, EXPIRED, WITHDRAWN, SUPERSEDED

COLLECTING ends these four ways as well; REJECTED then only by a rule that puts back what was moved without asking.
Once decided, always decided: undo and rollback are new, linked requests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.events import (
    ApprovalStale,
    AskJoined,
    CardPosted,
    Event,
    EvidenceFrozen,
    RequestApproved,
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
from bot.domain.model import (
    Ask,
    AskKind,
    Evidence,
    Kind,
    Refused,
    State,
    Target,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy import Rule, UnknownRequester
from bot.domain.quorum import requester_is_unknown, standing, under

BY_RULE = "policy"  # stands in the place of a person where the rule itself decided


class AlreadyDecided(Refused):
    """Whoever is late is told who decided; the story adds the names."""

    def __init__(self, request: TransitionRequest) -> None:
        super().__init__(f"request {request.short_id} is already {request.state}")
        self.request = request


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
    )


def freeze_evidence(
    request: TransitionRequest, evidence: Evidence, author: str | None, rule_hash: str, at: datetime
) -> list[Event]:
    if request.state is not State.COLLECTING:
        return []
    return [EvidenceFrozen(at, request.id, evidence, author, rule_hash)]


def check_may_vote(request: TransitionRequest, vote: Vote, rule: Rule) -> None:
    """Raises Refused with the sentence that the person sees. Also asked before a form for a reason is opened."""
    if request.state is State.COLLECTING:
        raise Refused("the evidence is still being collected. Try again in a moment")
    if request.state is not State.PENDING:
        raise AlreadyDecided(request)
    if request.expires_at is not None and vote.at >= request.expires_at:
        raise Refused("the time to decide is over. Whoever still wants it asks again")
    if vote.person in request.parties:
        raise Refused("you asked for this transition or trained the version, so someone else must decide it")
    wanted = [requirement.group for requirement in rule.approve.all_of]
    if not set(wanted) & set(vote.groups):
        raise Refused(f"only members of {', '.join(wanted)} may decide this. Ask one of them")
    refuses_unknown = rule.approve.unknown_requester is UnknownRequester.REFUSE
    if vote.verdict is Verdict.APPROVE and refuses_unknown and requester_is_unknown(request):
        raise Refused(
            "nobody knows who asked for this or who trained it, and the policy refuses to approve that. "
            "Ask again with `countersign request-transition` and map the author in the policy's people"
        )


def cast_vote(request: TransitionRequest, vote: Vote, rule: Rule, rule_hash: str) -> list[Event]:
    check_may_vote(request, vote, rule)
    if any(earlier.person == vote.person for earlier in under(request, rule_hash).votes):
        raise Refused("you have voted on this already; your vote stands")
    wants_reason = {
        Verdict.APPROVE: rule.approve.wants_reason_to_approve(),
        Verdict.REJECT: rule.approve.wants_reason_to_reject(),
    }[vote.verdict]
    if wants_reason and not vote.reason.strip():
        raise Refused(f"the policy wants a reason to {vote.verdict}. Say in a sentence why")

    cast = VoteCast(vote.at, request.id, replace(vote, rule_hash=rule_hash))
    if vote.verdict is Verdict.REJECT:
        return [cast, RequestRejected(vote.at, request.id, vote.person, vote.reason, rule_hash)]
    now = standing(under(evolve(request, cast), rule_hash), rule)
    if not now.is_complete:
        return [cast]
    approvers = tuple(person for person, _ in now.met)
    return [cast, RequestApproved(vote.at, request.id, approvers, rule_hash)]


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


def apply(request: TransitionRequest, previous: VersionId | None, at: datetime, *, moved: bool) -> list[Event]:
    """The target is where the approval wants it: `moved` there by us, or found there."""
    if request.state is not State.APPROVED:
        return []
    return [TargetMoved(at, request.id, request.version, request.target, previous, moved)]


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
        requester=stale.requester,
        comment=stale.comment,
        follows=stale.id,
    )


def evolve(request: TransitionRequest, event: RequestEvent) -> TransitionRequest:
    """The request after the event; every change of state in the product happens here."""
    if isinstance(event, EvidenceFrozen):
        return replace(
            request,
            state=State.PENDING,
            evidence=event.evidence,
            author=event.author,
            rule_hash=event.rule_hash,
        )
    if isinstance(event, AskJoined):
        requester, comment = request.requester or event.person, request.comment or event.comment
        return replace(
            request, requester=requester, comment=comment, ask=event.ask, joined=(*request.joined, event.person)
        )
    if isinstance(event, VoteCast):
        return replace(request, votes=(*request.votes, event.vote))
    if isinstance(event, RequestApproved):
        return replace(request, state=State.APPROVED, decided_at=event.at, rule_hash=event.rule_hash)
    if isinstance(event, RequestRejected):
        return replace(
            request, state=State.REJECTED, decided_at=event.at, outcome=event.reason, rule_hash=event.rule_hash
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


def born(event: RequestOpened) -> TransitionRequest:
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
    )
