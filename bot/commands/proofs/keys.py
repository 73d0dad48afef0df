"""The keys that sign approvals: create, list and retire them. The private key stays with the worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from bot.clients.keys import ALGORITHMS, make_key
from bot.commands.context import Failed, as_json, services_for, settings_for, telling_mistakes
from bot.commands.output.consent import confirm, yes_option
from bot.commands.output.printing import print_exactly, print_json, print_record, print_rows, say
from bot.errors import InvalidKey
from bot.signatures import ECDSA_P256
from bot.store.attestations import KnownKey


@click.group("keys")
def keys_group() -> None:
    """Manage the keys that sign approvals and the ledger's checkpoints."""


@keys_group.command("new")
@click.option("--out", type=click.Path(path_type=Path), help="Default: where the worker looks for its key.")
@click.option(
    "--algorithm",
    type=click.Choice(ALGORITHMS),
    default=ECDSA_P256,
    show_default=True,
    help="The ledger's checkpoints need ed25519.",
)
@telling_mistakes
def new_key(out: Path | None, algorithm: str) -> None:
    """Create a private key (PKCS8, no passphrase, mode 600) and print the public key.

    It is trusted once a worker that has it starts and registers it.
    """
    try:
        path = out or Path(settings_for().signing_key_location)
        made = make_key(path, algorithm)
    except InvalidKey as mistake:
        raise Failed(str(mistake)) from None
    say(f"{path}: {made.algorithm} key {made.id}", err=True)
    print_exactly(made.pem)


@keys_group.command("list")
@as_json
@telling_mistakes
def list_keys(as_json: bool) -> None:
    """List the registered keys, oldest first. With --json also the public keys, for verifying elsewhere."""
    with services_for() as services, services.store.transaction() as tx:
        found, signatures = tx.keys.all(), tx.attestations.count_by_key()
    rows = [{**_row(key, signatures), **({"id": key.id, "pem": key.pem} if as_json else {})} for key in found]
    columns = ("id", "algorithm", "purpose", "added_at", "state", "signatures")
    empty = "No key is registered yet: a worker registers its own when it starts."
    print_rows(rows, columns, as_json=as_json, empty=empty, below=("counts", "retired_because"))


@keys_group.command("show")
@click.argument("key_id")
@as_json
@telling_mistakes
def show(key_id: str, as_json: bool) -> None:
    """Show one key, with the public key that others verify with. KEY_ID may be its first characters."""
    from handlers.attestation.signing import key_beginning_with

    with services_for() as services, services.store.transaction() as tx:
        key, signatures = key_beginning_with(key_id, tx), tx.attestations.count_by_key()
    row = {**_row(key, signatures), "id": key.id}
    if as_json:
        print_json({**row, "pem": key.pem})
        return
    print_record({name: value for name, value in row.items() if value is not None})
    print_exactly(f"\n{key.pem}")


@keys_group.command("retire")
@click.argument("key_id")
@click.option("--reason", required=True, help="Why; it is recorded in the ledger.")
@yes_option
@telling_mistakes
def retire(key_id: str, reason: str, yes: bool) -> None:
    """Distrust everything that this key signs from now on; earlier signatures stay valid. KEY_ID may be its first characters.

    The order in the ledger decides, so a stolen key cannot backdate a signature.
    """
    from handlers.attestation.signing import key_beginning_with, retire_key

    with services_for() as services:
        with services.store.transaction() as tx:
            key = key_beginning_with(key_id, tx)
        confirm(
            f"Key {key.id[:12]} ({key.purpose}) signs nothing that counts from now on, and cannot be brought back.",
            yes=yes,
        )
        retired = retire_key(key_id, reason, services)
    say(f"key {retired.id[:12]} is retired from ledger entry {retired.retired_seq} on.")
    if retired.purpose == "approvals":
        say(
            "A worker that still has it signs nothing more. Make another with `countersign keys new --out FILE`, name it in "
            "COUNTERSIGN_SIGNING_KEY, restart the workers, then `countersign jobs replay --all`."
        )


def _counts(key: KnownKey) -> str:
    """Between which entries of the ledger its signatures do."""
    if key.retired_seq is None:
        return f"from ledger entry {key.added_seq} on"
    return f"between ledger entries {key.added_seq} and {key.retired_seq}"


def _row(key: KnownKey, signatures: Mapping[str, int]) -> dict[str, object]:
    return {
        "id": key.id[:12],
        "algorithm": key.algorithm,
        "purpose": key.purpose,
        "added_at": key.added_at,
        "state": "active" if key.retired_seq is None else "retired",
        "signatures": signatures.get(key.id, 0),
        "counts": _counts(key),
        "retired_because": key.retired_because or None,
        "added_entry": key.added_seq,
        "retired_entry": key.retired_seq,
    }
