"""Events of decisions in tickets: which account of the ticket system is whose. `events` has them all."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.event import Event


@dataclass(frozen=True)
class TicketAccountBound(Event):
    """From now on the ticket system's account is this person's, also when it shows another e-mail address. `how` is a Binding."""

    person: str
    account: str
    how: str
    by: str = ""


@dataclass(frozen=True)
class TicketAccountUnbound(Event):
    """The account belongs to no person now."""

    person: str
    account: str
    by: str = ""
