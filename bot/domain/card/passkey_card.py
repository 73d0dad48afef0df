"""The card that asks approvers to confirm a person's passkey, and that says afterwards what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.domain.card.card import Button, Called, Card, Confirm, Fact, Mention, Tone
from bot.domain.card.context import name_or_someone
from bot.domain.request.passkeys import Passkey
from bot.language import N_, Value, _, listed, moment, ngettext

CONFIRM, REFUSE = "confirm_passkey", "refuse_passkey"
HOW_TO_KNOW = N_(
    "Ask the person, face to face or by phone and not in Slack, whether they have just made a passkey with this id. "
    "Votes that it signs count as theirs, so confirm only what you are sure of."
)


def passkey_card(passkey: Passkey, names: Mapping[str, str], email: str) -> Card:
    """`names` are of people, by id; `email` is the owner's, who is notified."""
    name = name_or_someone(names, passkey.person)
    said = _said(passkey, name, names)
    return Card(
        title=_("A passkey for {person}", person=name),
        summary=said,
        facts=tuple(_facts(passkey, names)),
        paragraphs=(said, _(HOW_TO_KNOW)) if passkey.is_waiting else (said,),
        buttons=_buttons(passkey, name) if passkey.is_waiting else (),
        mentions=(Mention(Called.PERSON, email, name),) if passkey.is_waiting else (),
    )


def _said(passkey: Passkey, name: str, names: Mapping[str, str]) -> str:
    if passkey.revoked_at is not None:
        return _revoked(passkey, passkey.revoked_at, name, names)
    if passkey.is_confirmed:
        return _(
            "{person}'s passkey {passkey} was confirmed by {confirmers} and counts now.",
            person=name,
            passkey=passkey.short_id,
            confirmers=_confirmers(passkey, names),
        )
    wanted = passkey.needs - len(passkey.confirmed_by)
    if passkey.confirmed_by:
        return ngettext(
            "{person} has made a passkey to sign approvals with. It counts once one more approver confirmed that it is theirs.",
            "{person} has made a passkey to sign approvals with. It counts once {count} more approvers confirmed that it is theirs.",
            wanted,
            person=name,
        )
    return ngettext(
        "{person} has made a passkey to sign approvals with. It counts once another approver confirmed that it is theirs.",
        "{person} has made a passkey to sign approvals with. It counts once {count} other approvers confirmed that it is theirs.",
        wanted,
        person=name,
    )


def _revoked(passkey: Passkey, at: datetime, name: str, names: Mapping[str, str]) -> str:
    by = name_or_someone(names, passkey.revoked_by) if passkey.revoked_by else _("an administrator")
    said: dict[str, Value] = {"person": name, "passkey": passkey.short_id, "by": by, "when": at}
    if not passkey.revoked_because:
        return _("{person}'s passkey {passkey} was revoked by {by} on {when}.", **said)
    why = _(passkey.revoked_because.rstrip("."))
    return _("{person}'s passkey {passkey} was revoked by {by} on {when}: {why}.", **said, why=why)


def _facts(passkey: Passkey, names: Mapping[str, str]) -> list[Fact]:
    facts = [Fact(_("Passkey"), passkey.short_id), Fact(_("Made"), moment(passkey.enrolled_at))]
    if passkey.label:
        facts.append(Fact(_("Its name"), passkey.label))
    if passkey.needs > 1:
        needed = _("{count}, because the person has had a passkey before", count=passkey.needs)
        facts.append(Fact(_("Confirmations"), needed))
    if passkey.confirmed_by:
        facts.append(Fact(_("Confirmed by"), _confirmers(passkey, names)))
    return facts


def _confirmers(passkey: Passkey, names: Mapping[str, str]) -> str:
    return listed(name_or_someone(names, person) for person in passkey.confirmed_by)


def _buttons(passkey: Passkey, name: str) -> tuple[Button, ...]:
    sure = Confirm(
        _("Confirm this passkey?"),
        _("{person} has said to you that they made passkey {passkey}.", person=name, passkey=passkey.short_id),
        _("Confirm"),
        _("Back"),
    )
    never = _("Passkey {passkey} will never count as {person}'s.", passkey=passkey.short_id, person=name)
    refuse = Confirm(_("Not them?"), never, _("Not them"), _("Back"))
    return (
        Button(CONFIRM, _("Confirm"), passkey.id, Tone.PRIMARY, sure),
        Button(REFUSE, _("Not them"), passkey.id, Tone.DANGER, refuse),
    )
