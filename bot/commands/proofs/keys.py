"""The keys that sign approvals: create, list and retire them. The private key stays with the worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from bot.clients.keys import ALGORITHMS, make_key
from bot.commands.context import as_json, services_for, settings_for, telling_mistakes
from bot.commands.output.printing import print_rows
from bot.domain.text import format_utc
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
        raise click.ClickException(str(mistake)) from None
    click.echo(f"{path}: {made.algorithm} key {made.id}", err=True)
    click.echo(made.pem, nl=False)


@keys_group.command("list")
@as_json
@telling_mistakes
def list_keys(as_json: bool) -> None:
    """The registered keys, oldest first. With --json also the public keys, for verifying elsewhere."""
    with services_for() as services, services.store.transaction() as tx:
        found, signatures = tx.keys.all(), tx.attestations.count_by_key()
    rows = [{**_row(key, signatures), **({"id": key.id, "pem": key.pem} if as_json else {})} for key in found]
    columns = ("id", "algorithm", "purpose", "since", "until", "signatures", "why retired")
    print_rows(
        rows, columns, as_json=as_json, empty="No key is registered yet: a worker registers its own when it starts."
    )


@keys_group.command("retire")
@click.argument("key_id")
@click.option("--reason", required=True, help="Why; it is recorded in the ledger.")
@telling_mistakes
def retire(key_id: str, reason: str) -> None:
    """Distrust everything that this key signs from now on; earlier signatures stay valid. KEY_ID may be its first characters.

    The order in the ledger decides, so a stolen key cannot backdate a signature.
    """
    from handlers.attestation.signing import retire_key

    with services_for() as services:
        retired = retire_key(key_id, reason, services)
    click.echo(f"key {retired.id[:12]} is retired from ledger entry {retired.retired_seq} on.")
    if retired.purpose == "approvals":
        click.echo(
            "A worker that still has it signs nothing more. Make another with `countersign keys new --out FILE`, name it in "
            "COUNTERSIGN_SIGNING_KEY, restart the workers, then `countersign jobs replay --all`."
        )


def _row(key: KnownKey, signatures: Mapping[str, int]) -> dict[str, object]:
    return {
        "id": key.id[:12],
        "algorithm": key.algorithm,
        "purpose": key.purpose,
        "since": f"entry {key.added_seq}, {format_utc(key.added_at)}",
        "until": f"entry {key.retired_seq}" if key.retired_seq is not None else None,
        "signatures": signatures.get(key.id, 0),
        "why retired": key.retired_because or None,
    }
