"""The command `daily`: whether, and at what time of day, a person wants the note of the day."""

from __future__ import annotations

import re

from bot.domain.calm.daily import clock_text, read_minute
from bot.domain.card.card import Card
from bot.errors import Refused
from bot.language import N_, _
from bot.services import Services
from handlers.reminders.daily import daily_of, stop_daily, want_daily

HELP = (
    ("/countersign daily on at 09:00", N_("every day one message: what waits for you, and what happened yesterday")),
    ("/countersign daily off", N_("no message of the day any more")),
    ("/countersign daily", N_("whether you get the message of the day, and when")),
)
ON = re.compile(r"on(?:\s+at\s+(?P<at>\S+))?", re.IGNORECASE)
UNREAD = N_('say "/countersign daily on", "/countersign daily on at 09:00" or "/countersign daily off"')
UNREAD_TIME = N_('"{text}" is no time of day. Write hours and minutes, as in "/countersign daily on at 09:00"')


def daily(account_id: str, rest: str, s: Services) -> Card:
    """Raises Refused. What it answers only the person sees."""
    text = rest.strip()
    if not text:
        return _now(account_id, s)
    if text.lower() == "off":
        return _off(account_id, s)
    found = ON.fullmatch(text)
    if found is None:
        raise Refused(_(UNREAD))
    minute = read_minute(found["at"]) if found["at"] else None
    if found["at"] and minute is None:
        raise Refused(_(UNREAD_TIME, text=found["at"][:40]))
    note = want_daily(account_id, minute, s)
    said = _(
        "Recorded: every day at {time} ({zone}) you get one message, if there is anything to say.",
        time=clock_text(note.minute),
        zone=note.timezone,
    )
    return _said(_("Message of the day: on"), said, _('No longer? Say "/countersign daily off".'))


def _now(account_id: str, s: Services) -> Card:
    note = daily_of(account_id, s)
    if note is None:
        advice = _('Say "/countersign daily on at 09:00" to get one.')
        return _said(_("Message of the day: off"), _("You get no message of the day."), advice)
    said = _("You get one every day at {time} ({zone}).", time=clock_text(note.minute), zone=note.timezone)
    return _said(_("Message of the day: on"), said)


def _off(account_id: str, s: Services) -> Card:
    if stop_daily(account_id, s):
        said = _("Recorded: you get no message of the day from now on.")
    else:
        said = _("You had none, so nothing has changed.")
    return _said(_("Message of the day: off"), said)


def _said(title: str, *texts: str) -> Card:
    return Card(title, texts[0], paragraphs=texts)
