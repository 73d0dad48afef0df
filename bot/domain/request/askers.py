"""Who asks for a request, under all their addresses: one person, who may not decide on it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.domain.events import AskJoined, Event
from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Policy


def asked_by(request: TransitionRequest) -> tuple[str, ...]:
    """The ids under which people have asked for it, in order."""
    return tuple(dict.fromkeys(filter(None, (request.requester, *request.joined))))


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
