"""Who asks for a request, under all their addresses: one person, who may not decide on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from bot.domain.events import AskJoined, Event, OwnAskApproved
from bot.domain.model import AskKind, DecidedBy, Kind, TransitionRequest, Verdict
from bot.domain.policy.rules import Policy
from bot.domain.registry.writes import RegistryWrite


def asked_by(request: TransitionRequest) -> tuple[str, ...]:
    """The ids under which people have asked for it, in order."""
    return tuple(dict.fromkeys(filter(None, (request.requester, *request.joined))))


def everyone_who_asked(request: TransitionRequest) -> tuple[str, ...]:
    """Also those who asked when it was approved already."""
    return (*asked_by(request), *request.latecomers)


def is_stranger(email: str, account: str | None, policy: Policy) -> bool:
    """Neither the policy names the address nor does an account belong to it: anyone could have written it."""
    named = policy.person_by_email(email) is not None or any(email in group.people for group in policy.groups)
    return account is None and not named


def known_as(request: TransitionRequest, person: str, also: Iterable[str], at: datetime) -> list[Event]:
    """An asker turns out to have `also` these ids, for the same account: votes that were cast with one of them no longer count.

    Once it is approved, votes that were cast still count, as they do when somebody joins later.
    """
    new = tuple(sorted(set(also) - request.parties))
    if not request.state.is_open or person not in asked_by(request) or not new:
        return []
    return [AskJoined(at, request.id, person, request.ask, "", new)]


def asked_in_words(request: TransitionRequest) -> bool:
    """Whether a person asked in a form, on the command line or through the API, and not only by what is in the registry."""
    return request.requester is not None and not request.vouched_by


def asks_by_the_registry_alone(request: TransitionRequest) -> bool:
    """A request that was also made on the command line or through the API stays; so does one that replaced a stale one of theirs."""
    again_by_itself = request.ask.kind is AskKind.REOPENED and not asked_in_words(request)
    return request.kind is Kind.PROMOTION and (request.ask.is_automatic or again_by_itself)


def approved_by(request: TransitionRequest, ids: Collection[str]) -> bool:
    """Whether people approved it, and one of them has one of these ids."""
    by_people = request.decided_by is DecidedBy.PEOPLE
    return by_people and any(vote.verdict is Verdict.APPROVE and vote.ids & set(ids) for vote in request.votes)


def own_ask_approved(
    request: TransitionRequest, person: str, is_own: bool, write: RegistryWrite, at: datetime
) -> list[Event]:
    """What was carried out stays, and compliance reads of it. Only what was written before the decision had asked for it."""
    decided = request.decided_at
    if not is_own or decided is None or write.at > decided or person in request.parties:
        return []
    return [OwnAskApproved(at, request.id, person, write.vouched_by)]
