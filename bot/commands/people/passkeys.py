"""Passkeys: who has one, who confirmed it, and how an administrator ends one."""

from __future__ import annotations

from collections.abc import Mapping

import click

from bot.commands.context import as_json, services_for, telling_mistakes
from bot.commands.output.printing import print_rows, say
from bot.commands.people import admin_of, by_option
from bot.domain.request.passkeys import Passkey
from bot.domain.text import format_utc


@click.group("passkeys")
def passkeys_group() -> None:
    """Passkeys with which people sign their approvals. They make them in Slack: /countersign passkey."""


@passkeys_group.command("list")
@as_json
@telling_mistakes
def list_passkeys(as_json: bool) -> None:
    """List all passkeys, by the ledger: whose, since when, confirmed by whom, and whether they count now."""
    with services_for() as services, services.store.transaction() as tx:
        keys = tx.passkeys.all()
        names, emails = tx.people.all_names(), tx.people.emails([key.person for key in keys.values()])
    rows = [_row(key, names, emails, whole=as_json) for key in keys.values()]
    columns = ("id", "email", "made", "state")
    empty = "No passkeys yet. Each person says /countersign passkey in Slack."
    print_rows(rows, columns, as_json=as_json, empty=empty, below=("label", "confirmed_by"))


@passkeys_group.command("revoke")
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, help="Why, for the ledger.")
@by_option
@telling_mistakes
def revoke(id_: str, reason: str, by: str) -> None:
    """End a passkey, by its id or the beginning of it. Approvals that it has signed stay; what it signs from now on does not count."""
    from handlers.request.passkeys import revoke_by_hand

    with services_for() as services:
        key = revoke_by_hand(id_, admin_of(by, services), reason, services)
        with services.store.transaction() as tx:
            email = tx.people.get(key.person).email
    say(f"Passkey {key.short_id} of {email} signs nothing from now on. A new one takes two confirmations.")


def _row(key: Passkey, names: Mapping[str, str], emails: Mapping[str, str], *, whole: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "id": key.id if whole else key.short_id,
        "email": emails.get(key.person),
        "made": key.enrolled_at,
        "label": key.label,
        "confirmed_by": ", ".join(names.get(person, person) for person in key.confirmed_by),
        "state": _state(key),
    }
    more = {
        "person": key.person,
        "credential": key.credential,
        "public_key": key.public_key,
        "rp_id": key.rp_id,
        "needs": key.needs,
        "revoked_because": key.revoked_because,
    }
    return {**row, **more} if whole else row


def _state(key: Passkey) -> str:
    if key.revoked_at is not None:
        return f"revoked {format_utc(key.revoked_at)}"
    return "confirmed" if key.is_confirmed else f"waits for {key.needs - len(key.confirmed_by)} more"
