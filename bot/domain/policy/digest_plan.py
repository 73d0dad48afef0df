"""When the weekly digest is due, who gets it, and who signs it off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.domain.references import TicketField


@dataclass(frozen=True)
class DigestPlan:
    """When the digest of the previous week is due, and its receivers: a channel, a ticket, addresses; at least one of them.

    `cron` has five fields. `ticket` has a project and an issue type; `ticket_fields` are what else its creation fills in.
    `sign_off` is the group whose members sign a digest off; None when no one needs to. A digest that is not signed off
    `sign_off_within` this time after its closing needs attention.
    """

    cron: str
    timezone: str
    channel: str | None = None
    ticket: tuple[str, str] | None = None
    email: tuple[str, ...] = ()
    ticket_fields: tuple[TicketField, ...] = ()
    sign_off: str | None = None
    sign_off_within: timedelta = timedelta(days=7)
