"""The person's own: absences and passkeys."""

from __future__ import annotations

import re
from datetime import date

from bot.domain.card.card import Card, Fact, Link
from bot.domain.request.passkeys import Passkey
from bot.errors import Refused
from bot.language import N_, _, ngettext
from bot.services import Services
from handlers.doors.commands.asked import Asked, check_is_member, listing, nothing_after, said
from handlers.request.absences import come_back, declare_away, who_is_away
from handlers.request.passkeys import OPENS_FOR, offer_page, passkeys_of, revoke_own

AWAY = re.compile(
    r"until\s+(?P<day>\d{4}-\d{2}-\d{2})\s*(?:[-\N{EN DASH}\N{EM DASH}]+>|\N{RIGHTWARDS ARROW}|\bto\b)\s*(?P<named>.+)"
)
AWAY_UNREAD = N_(
    'say it like this: "/countersign away until 2026-12-01 -> @ben", with the last day on which you are away'
)


def away(asked: Asked, s: Services) -> Card:
    if not asked.rest:
        return _absences(asked, s)
    found = AWAY.fullmatch(asked.rest)
    if found is None:
        raise Refused(_(AWAY_UNREAD))
    absence, delegate = declare_away(asked.account, _day(found["day"]), found["named"], s)
    return said(
        _("You are away"),
        _(
            "Recorded: you are away until {until}, and {delegate} decides for you and is told so.",
            until=absence.until,
            delegate=delegate.name,
        ),
        _('Back earlier? Say "/countersign back".'),
    )


def _absences(asked: Asked, s: Services) -> Card:
    check_is_member(asked, s)
    absent = who_is_away(s)
    text = _("Away: {count}.", count=len(absent)) if absent else _("Nobody is away, as far as Countersign knows.")
    facts = tuple(
        Fact(name, _("until {until}; {delegate} decides for them", until=absence.until, delegate=stand_in))
        for absence, name, stand_in in absent
    )
    return listing(_("Who is away"), text, facts)


def back(asked: Asked, s: Services) -> Card:
    nothing_after(asked)
    delegate = come_back(asked.account, s)
    text = _("Recorded: you decide for yourself again, and {delegate} is told so.", delegate=delegate.name)
    return said(_("You are back"), text)


def passkey(asked: Asked, s: Services) -> Card:
    word, _between, beginning = asked.rest.partition(" ")
    if word.lower() == "revoke":
        key = revoke_own(asked.account, beginning.strip(), s)
        text = _("Recorded: passkey {passkey} signs nothing from now on.", passkey=key.short_id)
        return said(_("Passkey revoked"), text)
    nothing_after(asked)
    link = offer_page(asked.account, asked.team, s)
    text = _(
        "Open this page within {minutes} minutes, on the device whose passkey you want to use. "
        "It is for you alone: do not pass it on.",
        minutes=OPENS_FOR.seconds // 60,
    )
    _person, mine = passkeys_of(asked.account, s)
    yours = (Fact(_("You have"), _passkey_text(key)) for key in mine)
    facts = (Fact(_("Page"), Link(_("Make a passkey"), link)), *yours)
    not_yours = _("Did you not make one of these? Say /countersign passkey revoke ID, and warn your administrators.")
    return Card(_("Make a passkey"), text, facts, paragraphs=(text, *([not_yours] if mine else [])))


def _passkey_text(key: Passkey) -> str:
    name = f"{key.short_id} ({key.label})" if key.label else key.short_id
    if key.is_confirmed:
        return _("{passkey}, made {made}, confirmed", passkey=name, made=key.enrolled_at)
    return ngettext(
        "{passkey}, made {made}, waits for one to confirm it",
        "{passkey}, made {made}, waits for {count} to confirm it",
        key.needs - len(key.confirmed_by),
        passkey=name,
        made=key.enrolled_at,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(
            _(
                'there is no day {day}. Say it like this: "/countersign away until 2026-12-01 -> @ben", '
                "with the last day on which you are away",
                day=text,
            )
        ) from None
