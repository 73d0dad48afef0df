"""The fast track's kill switch: on or off for all rules and replicas at once, by any approver, and recorded.

What a switched-off fast track means for a request is in `bot.domain.request.fast_track`; who decides it asks under the switch's lock.
"""

from __future__ import annotations

from bot.domain.card.context import SOMEONE
from bot.domain.events import FastTrackSwitched
from bot.domain.names import in_one_line
from bot.domain.text import check_reason_fits
from bot.errors import Refused
from bot.language import _, sentences
from bot.services import Services
from bot.store.absences import Switch
from bot.store.people import Person
from handlers.request.asking import checked_email


def switch_fast_track(on: bool, person: Person, reason: str, s: Services) -> str:
    """Returns the sentence that says how it is now; when it was so already, nothing is recorded and the sentence says that."""
    why = _checked_reason(reason, on)
    now = s.clock.now()
    with s.store.transaction() as tx:
        if tx.switches.switch_fast_track(Switch(on, now, person.id, why)):
            tx.record([FastTrackSwitched(now, on, person.id, why)])
            return _("The fast track is on now, for all rules.") if on else _off_now()
    return sentences(_("Nothing had to be changed."), how_it_is(s))


def person_named(email: str, s: Services) -> Person:
    """The command line does not verify identity: everybody with write access to the database may switch, also when Slack is down."""
    address = checked_email(email)
    with s.store.transaction() as tx:
        entry = tx.policy().person_by_email(address)
        return tx.people.get_or_add(address, entry.name if entry else address)


def how_it_is(s: Services) -> str:
    """Whether it is on, since when, by whom, and why."""
    with s.store.transaction() as tx:
        switch = tx.switches.fast_track()
        name = in_one_line(tx.people.get(switch.person).name) if switch.person else _(SOMEONE)
    if switch.at is None:
        return (
            _("The fast track is on, and nobody has ever switched it.")
            if switch.is_on
            else _("The fast track is off, and nobody has ever switched it.")
        )
    said = (
        _("The fast track has been on since {since}, switched by {person}.", since=switch.at, person=name)
        if switch.is_on
        else _("The fast track has been off since {since}, switched by {person}.", since=switch.at, person=name)
    )
    return sentences(said, _("Reason: {reason}", reason=switch.reason) if switch.reason else "")


def _off_now() -> str:
    return _(
        "The fast track is off now, for all rules: people decide, whatever the figures say. "
        "Decisions of the fast track that are not applied yet are not applied any more."
    )


def _checked_reason(reason: str, on: bool) -> str:
    """One line of visible characters: it goes into the ledger, to terminals and into a channel."""
    why = in_one_line(reason)
    if not on and not why:
        raise Refused(
            _("say why: whoever waits for a version reads it in the channel. For example: off mae looks forged")
        )
    check_reason_fits(why)
    return why
