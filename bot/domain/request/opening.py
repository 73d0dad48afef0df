"""How a request begins: what somebody asks for before it has an id, and the fresh request in place of a stale one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.deadlines import Deadlines
from bot.domain.events import RequestOpened
from bot.domain.model import Ask, AskKind, Kind, State, Target, TransitionRequest, VersionId
from bot.domain.policy.rules import Rule


@dataclass(frozen=True)
class NewRequest:
    """What somebody asks for, before it has an id. `joined` and `barred` are ids of people who may not vote on it either.

    `deadlines`: those of the request whose place it takes.
    """

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
    joined: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    adopted: bool = False
    deadlines: Deadlines | None = None
    vouched_by: str = ""


@dataclass(frozen=True)
class Authors:
    """Who trained the version and who made its commit: ids of people, None where the policy does not map the claimed name."""

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
        expires_at=_expires_at(new, rule, at),
        follows=new.follows,
        away_from=new.away_from,
        failed_before=new.failed_before,
        asked_since=new.asked_since,
        joined=new.joined,
        barred=new.barred,
        adopted=new.adopted or new.ask.kind is AskKind.ADOPTED,
        deadlines=new.deadlines,
        vouched_by=new.vouched_by,
    )


def waits_since(request: TransitionRequest) -> datetime | None:
    """When people could vote on it first, also in a request that it has taken the place of; None before that."""
    return request.waiting_since or request.pending_since


def reopened(stale: TransitionRequest) -> NewRequest:
    """A new request for the same version and target, decided on the present evidence, and not by those who had asked or trained."""
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
        joined=(*stale.joined, *stale.latecomers),
        barred=_in_order(stale.parties - {stale.requester, *stale.joined}),
        adopted=stale.is_adopted,
        vouched_by=stale.vouched_by,
    )


def continued(ended: TransitionRequest, at: datetime) -> NewRequest:
    """As `reopened`, for a request that ended undecided because the registry changed: its vote goes on with the time that was left."""
    until, said = ended.decided_at or at, ended.conversation
    closed = at - until
    unused = said.left_of_stop(until) if said.unanswered else timedelta()  # an open question ends with the request

    def later(moment: datetime | None) -> datetime | None:
        """The time in which questions stopped the clock is not counted either."""
        return moment + closed + said.stopped_for(moment, until) if moment else None

    kept = Deadlines(
        since=later(waits_since(ended)),
        expires_at=ended.expires_at + closed - unused if ended.expires_at else None,
        reminders=ended.reminders,
        reminded_at=later(ended.reminded_at),
        escalated_at=ended.escalated_at,
    )
    return replace(reopened(ended), deadlines=kept)


def asked_again(ended: TransitionRequest, ask: Ask, at: datetime) -> NewRequest:
    """A new request for the same version and target, because its alias or tag still asks and what blocked it is gone."""
    again = continued(ended, at)
    return NewRequest(
        version=again.version,
        target=again.target,
        ask=ask,
        kind=again.kind,
        requester=again.requester,
        comment=again.comment,
        follows=ended.id,
        asked_since=again.asked_since,
        joined=again.joined,
        barred=again.barred,
        deadlines=again.deadlines,
        vouched_by=again.vouched_by,
    )


def remembered(earlier: TransitionRequest, kind: Kind) -> frozenset[str]:
    """Who asked for it or trained it in an earlier request, and may not decide on a new one of that kind either.

    Rollbacks are an exception: to restore what others approved and what was applied is not the same as to ask for it first.
    """
    was_another_wish = kind is Kind.ROLLBACK and earlier.state is State.APPLIED and earlier.kind is not Kind.ROLLBACK
    return frozenset() if was_another_wish else earlier.parties | set(earlier.latecomers)


def _expires_at(new: NewRequest, rule: Rule, at: datetime) -> datetime | None:
    """A rule that gives less time now counts at once."""
    if rule.expire_after is None:
        return None
    kept = new.deadlines.expires_at if new.deadlines else None
    return min(kept, at + rule.expire_after) if kept else at + rule.expire_after


def _in_order(people: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(people))
