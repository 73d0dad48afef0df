"""`countersign witness`: cosigns checkpoints of ledgers, on a machine of another team. It uses no setting and no database."""

from __future__ import annotations

import re
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.clients.keys import making, read_key
from bot.errors import InvalidKey, NotVerified, Refused
from bot.signatures import ED25519, TrustedKey, ledger_key
from bot.witness.protocol import WitnessSigner
from bot.witness.server import WitnessServer
from bot.witness.state import Seen, newest_of

ADDRESS = re.compile(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")
NAME = re.compile(r"[^\s+]+")


@click.command()
@click.option(
    "--name", required=True, help="The witness's name, such as witness.audit.example.com; it is part of its key."
)
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(path_type=Path),
    help="Its own Ed25519 key: countersign keys new --algorithm ed25519.",
)
@click.option(
    "--state",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file that holds what it has cosigned last.",
)
@click.option(
    "--log",
    "logs",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A ledger's public key (PEM), from `countersign keys list --json`. May be given several times.",
)
@click.option(
    "--listen", default="127.0.0.1:8081", show_default=True, metavar="HOST:PORT", help="Put a proxy with TLS in front."
)
def witness(name: str, key_file: Path, state: Path, logs: tuple[Path, ...], listen: str) -> None:
    """Cosign checkpoints that continue what was cosigned before, and refuse all others.

    Prints the public key that COUNTERSIGN_WITNESSES and `audit verify --witness` want, then serves until it is stopped. FILE of --state
    serves `audit verify --checkpoint FILE` as it is.
    """
    address = ADDRESS.fullmatch(listen)
    if address is None or int(address["port"]) > 65535:
        raise click.BadParameter(f"{listen} is no HOST:PORT", param_hint="--listen")
    if NAME.fullmatch(name) is None:
        raise click.BadParameter("a name has no spaces and no +", param_hint="--name")
    signer, ledgers, seen = _signer(name, key_file), [_ledger(path) for path in logs], Seen(state)
    if any(key.pem == _pem_of(signer) for key in ledgers):
        raise click.BadParameter("this is the ledger's own key; a witness has another", param_hint="--key")
    try:
        with seen.locked() as known:
            newest = sorted(newest_of(known).items())
            sizes = ", ".join(f"{origin} at {note.checkpoint.size:,} entries" for origin, note in newest)
    except (Refused, OSError) as trouble:
        raise click.ClickException(str(trouble)) from None
    try:
        server = WitnessServer((address["host"].strip("[]"), int(address["port"])), ledgers, seen, signer)
    except OSError as trouble:
        raise click.BadParameter(f"{listen} cannot be used: {trouble.strerror}", param_hint="--listen") from None
    click.echo(str(signer.key))
    click.echo(f"listens on {listen}; {state} has {sizes or 'nothing yet'}", err=True)
    with server:
        server.serve_forever()


def _signer(name: str, file: Path) -> WitnessSigner:
    try:
        key = read_key(file, ED25519)
    except InvalidKey as mistake:
        raise click.BadParameter(str(mistake), param_hint="--key") from None
    if not isinstance(key, Ed25519PrivateKey):
        why = f"a witness signs with Ed25519: {making(ED25519)}"
        raise click.BadParameter(f"{file} holds another kind of key; {why}", param_hint="--key")
    return WitnessSigner(name, key)


def _pem_of(signer: WitnessSigner) -> str:
    from bot.clients.keys import public_key_of

    return public_key_of(signer.private).pem


def _ledger(file: Path) -> TrustedKey:
    try:
        return ledger_key(file.read_text(encoding="utf-8", errors="replace"))
    except NotVerified as mistake:
        raise click.BadParameter(f"{file}: {mistake}", param_hint="--log") from None
