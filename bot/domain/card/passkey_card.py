"""The card that asks approvers to confirm a person's passkey, and that says afterwards what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.card.card import Button, Called, Card, Confirm, Fact, Mention, Tone
from bot.domain.request.passkeys import Passkey
from bot.domain.text import format_utc

CONFIRM, REFUSE = "confirm_passkey", "refuse_passkey"
HOW_TO_KNOW = (
    "Ask the person, face to face or by phone and not in Slack, whether they have just made a passkey with this id. "
    "Votes that it signs count as theirs, so confirm only what you are sure of."
)


def passkey_card(passkey: Passkey, names: Mapping[str, str], email: str) -> Card:
    """`names` are of people, by id; `email` is the owner's, who is notified."""
    name = names.get(passkey.person, "somebody")
    said = _said(passkey, name, names)
    return Card(
        title=f"A passkey for {name}",
        summary=said,
        facts=tuple(_facts(passkey, names)),
        paragraphs=(said, HOW_TO_KNOW) if passkey.is_waiting else (said,),
        buttons=_buttons(passkey, name) if passkey.is_waiting else (),
        mentions=(Mention(Called.PERSON, email, name),) if passkey.is_waiting else (),
    )


def _said(passkey: Passkey, name: str, names: Mapping[str, str]) -> str:
    if passkey.revoked_at is not None:
        by = f" by {names.get(passkey.revoked_by, 'somebody')}" if passkey.revoked_by else " by an administrator"
        why = f": {passkey.revoked_because.rstrip('.')}" if passkey.revoked_because else ""
        return f"{name}'s passkey {passkey.short_id} was revoked{by} on {format_utc(passkey.revoked_at)}{why}."
    if passkey.is_confirmed:
        return f"{name}'s passkey {passkey.short_id} was confirmed by {_confirmers(passkey, names)} and counts now."
    wanted = passkey.needs - len(passkey.confirmed_by)
    more = "another approver" if not passkey.confirmed_by else "one more approver"
    who = more if wanted == 1 else f"{wanted} other approvers"
    return f"{name} has made a passkey to sign approvals with. It counts once {who} confirmed that it is theirs."


def _facts(passkey: Passkey, names: Mapping[str, str]) -> list[Fact]:
    facts = [Fact("Passkey", passkey.short_id), Fact("Made", format_utc(passkey.enrolled_at))]
    if passkey.label:
        facts.append(Fact("Its name", passkey.label))
    if passkey.needs > 1:
        facts.append(Fact("Confirmations", f"{passkey.needs}, because the person has had a passkey before"))
    if passkey.confirmed_by:
        facts.append(Fact("Confirmed by", _confirmers(passkey, names)))
    return facts


def _confirmers(passkey: Passkey, names: Mapping[str, str]) -> str:
    return " and ".join(names.get(person, "somebody") for person in passkey.confirmed_by)


def _buttons(passkey: Passkey, name: str) -> tuple[Button, ...]:
    sure = Confirm(
        "Confirm this passkey?", f"{name} has said to you that they made passkey {passkey.short_id}.", "Confirm", "Back"
    )
    refuse = Confirm("Not them?", f"Passkey {passkey.short_id} will never count as {name}'s.", "Not them", "Back")
    return (
        Button(CONFIRM, "Confirm", passkey.id, Tone.PRIMARY, sure),
        Button(REFUSE, "Not them", passkey.id, Tone.DANGER, refuse),
    )
