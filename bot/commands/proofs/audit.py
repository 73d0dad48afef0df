"""The ledger on the command line: verify it, sign it, prove its entries. Exporting is in `audit_export`.

Exit codes: 0 the ledger is intact, 1 it is not, 2 wrong usage or no database.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands.context import Failed, as_json, services_for, settings_for, telling_mistakes
from bot.commands.output.printing import print_exactly, print_json, say
from bot.commands.output.progress import progress
from bot.commands.proofs.audit_export import export
from bot.domain.text import counted

if TYPE_CHECKING:
    from bot.domain.ledger.checkpoint import Note
    from bot.domain.ledger.proofs import Proof
    from bot.ports import OutsideWitness
    from bot.signatures import TrustedKey
    from handlers.ledger.audit import Audited, Witness

PDF = b"%PDF"  # the first bytes of every PDF
LONGEST_FILE = 1_000_000  # bytes; a checkpoint has about 200, a proof about 2,000
NEXT = (
    "Leave the database as it is, compare it with the newest backup or export in which this still holds, "
    "and find out who could write to it in between"
)
UNWITNESSED = (
    "No checkpoint from outside was compared. A ledger that was rewritten as a whole, with its keys and checkpoints, would look just "
    "as good: take one from a ticket and add --checkpoint FILE."
)


@click.group("audit")
def audit_group() -> None:
    """Verify the ledger, export it, sign it, and prove what is in it."""


@audit_group.command("verify")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="FILE|TEXT",
    help="A past checkpoint, from a ticket for example; other text around it does no harm. May be given again.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The ledger's public key (PEM), to believe it in place of those in the database. May be given again.",
)
@click.option(
    "--proof",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Verify what `audit prove` printed: with --key alone, and no database.",
)
@click.option(
    "--witness",
    "cosigners",
    multiple=True,
    metavar="KEY",
    help="Demand the cosignatures of this witness too: NAME+HINT+KEY. Those of COUNTERSIGN_WITNESSES are demanded in any case.",
)
@click.option(
    "--tsa",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Demand timestamps of an authority with these certificates (PEM). With TSA_URL set they are demanded in any case.",
)
@as_json
@telling_mistakes
def verify(
    checkpoints: tuple[str, ...],
    keys: tuple[Path, ...],
    proof: Path | None,
    cosigners: tuple[str, ...],
    tsa: Path | None,
    as_json: bool,
) -> None:
    """Check every entry of the ledger, and the checkpoints, keys, signed approvals and requests that follow from it.

    Finds any changed byte and any missing entry; with a checkpoint from outside also a cut or rewritten ledger. A witness outside must have
    signed the checkpoints until a day ago.
    """
    trusted = [_public_key(path) for path in keys]
    if proof is not None:
        if not trusted or checkpoints or cosigners or tsa:
            raise click.UsageError("--proof wants --key FILE, the ledger's public key, and no --checkpoint")
        _verify_proof(proof, trusted, as_json=as_json)
    else:
        demanded = _demanded(cosigners, tsa)
        _verify_ledger(
            [witness for text in checkpoints for witness in _witnesses(text)], trusted, demanded, as_json=as_json
        )


@audit_group.command("checkpoint")
@telling_mistakes
def checkpoint() -> None:
    """Sign the ledger as it is now, print the checkpoint, and record it. Needs the key that COUNTERSIGN_CHECKPOINT_KEY names.

    Keep the printed text where the bot cannot reach it.
    """
    from bot.assembly import check_keys_are_here, database_url
    from bot.signatures import LEDGER
    from handlers.ledger.checkpoints import take_checkpoint

    settings = settings_for()
    check_keys_are_here(settings, database_url(settings), LEDGER)
    with services_for() as services:
        print_exactly(take_checkpoint(services).note)


@audit_group.command("prove")
@click.argument("entry", required=False, metavar="[SEQ|REQUEST_ID]")
@click.option(
    "--size", type=click.IntRange(min=1), help="Against the checkpoint of that size. Default: the first that covers it."
)
@click.option(
    "--from",
    "before",
    type=click.IntRange(min=1),
    help="In place of an entry: prove that the checkpoint of this size is the beginning of the newest, or of --size.",
)
@telling_mistakes
def prove(entry: str | None, size: int | None, before: int | None) -> None:
    """Print the proof that one entry is in the ledger, for someone who may not see the others.

    A REQUEST_ID means the signed decision on it. `audit verify --proof FILE --key FILE` checks it without a database.
    """
    from handlers.ledger.audit import prove_continuation, prove_entry

    if (entry is None) == (before is None):
        raise click.UsageError("name an entry by its number or its request's id, or say --from SIZE")
    with services_for() as services:
        made = prove_entry(entry, size, services) if entry else prove_continuation(before or 0, size, services)
    print_json(made.as_plain())


audit_group.add_command(export)


def _demanded(cosigners: Sequence[str], tsa: Path | None) -> list[OutsideWitness]:
    from bot.clients.witnesses import CosigningWitness
    from bot.domain.ledger.cosignature import WitnessKey
    from bot.errors import InvalidCheckpoint

    demanded: list[OutsideWitness] = []
    try:
        demanded += [CosigningWitness(WitnessKey.parse(text)) for text in cosigners]
    except InvalidCheckpoint as mistake:
        raise click.BadParameter(str(mistake), param_hint="--witness") from None
    if tsa is not None:
        from bot.clients.timestamps import TimestampAuthority, read_certificates

        demanded.append(TimestampAuthority(read_certificates(tsa)))
    return demanded


def _verify_ledger(
    witnesses: Sequence[Witness], trusted: Sequence[TrustedKey], demanded: Sequence[OutsideWitness], *, as_json: bool
) -> None:
    from bot.errors import ChainBroken
    from handlers.ledger.audit import audit

    with services_for() as services:
        try:
            named = {one.name for one in demanded}
            outside = [*demanded, *(one for one in services.outside if one.name not in named)]
            now, read_policy = services.clock.now(), services.store.parse_policy
            with progress("reading the ledger") as report:
                found = audit(services.store.engine, witnesses, trusted, outside, now, read_policy, named, report)
        except ChainBroken as broken:
            _say_fault(str(broken), as_json=as_json)
    if as_json:
        print_json({"holds": True, **asdict(found), "fault": None})
    else:
        _say_all_holds(found)


def _verify_proof(path: Path, trusted: Sequence[TrustedKey], *, as_json: bool) -> None:
    from bot.domain.ledger.proofs import read_proof
    from bot.errors import InvalidProof

    try:
        proof = read_proof(_read(path))
    except InvalidProof as mistake:
        raise click.UsageError(f"{path} is no proof: {mistake}") from None
    fault = _unsigned(proof, trusted) or proof.fault()
    if fault:
        _say_fault(fault, as_json=as_json)
    size = proof.checkpoint.checkpoint.size
    if as_json:
        print_json({"holds": True, "size": size, "fault": None})
    else:
        say(f"The proof holds: it leads to the checkpoint of {size:,} entries, which is signed by the key given.")


def _unsigned(proof: Proof, trusted: Sequence[TrustedKey]) -> str:
    from bot.domain.ledger.proofs import Continuation
    from bot.signatures import signer_of

    notes: list[Note] = [proof.checkpoint, *([proof.before] if isinstance(proof, Continuation) else [])]
    for note in notes:
        if signer_of(note, trusted) is None:
            return f"the checkpoint of {note.checkpoint.size} entries is not signed by the key given, or it was changed"
    return ""


def _say_all_holds(found: Audited) -> None:
    say(f"OK: the ledger holds. {counted(found.entries, 'entry')}: none changed, none missing, each in its place.")
    say(f"Checkpoints checked: {found.checkpoints:,} on record, {found.witnesses:,} from outside.")
    say(
        f"Keys: {found.keys:,}. Signed approvals: {found.attestations:,}. Requests: {found.requests:,}. All are as the ledger says."
    )
    for one in found.outside:
        if one.at is None:
            say(f"Witness {one.name} is new and has signed nothing yet.")
            continue
        newest = f"the newest of {one.size:,} entries at {one.at:%Y-%m-%d %H:%M:%S} UTC"
        say(f"Witness {one.name} has signed {one.checkpoints:,} checkpoints, {newest}.")
    say(f"Newest head {found.head}, root {found.root}.")
    if not found.witnesses and not any(one.checkpoints for one in found.outside):
        say(UNWITNESSED, err=True)


def _say_fault(fault: str, *, as_json: bool) -> None:
    """Ends the process with exit code 1."""
    if as_json:
        print_json({"holds": False, "fault": fault, "next": NEXT})
        sys.exit(1)
    raise Failed(f"{fault}{_between(fault)}{NEXT}.")


def _between(fault: str) -> str:
    """A list of faults, one a line, ends with a line."""
    return "\n" if "\n" in fault else ". "


def _witnesses(text: str) -> list[Witness]:
    from bot.domain.ledger.checkpoint import read_notes
    from bot.errors import InvalidCheckpoint
    from handlers.ledger.audit import Witness

    path = Path(text) if "\n" not in text and len(text) < 1000 else None
    is_file = path is not None and path.is_file()
    where = f"in {path}" if is_file else "given on the command line"
    try:
        return [Witness(note, where) for note in read_notes(_read_text(path) if path and is_file else text)]
    except InvalidCheckpoint as mistake:
        why = f"{mistake}" if is_file else f"no such file, and as text {mistake}"
        raise click.BadParameter(f"{path or 'this text'} ({why})", param_hint="--checkpoint") from None


def _public_key(path: Path) -> TrustedKey:
    from bot.errors import NotVerified
    from bot.signatures import ledger_key

    try:
        return ledger_key(_read(path))
    except NotVerified as mistake:
        raise click.BadParameter(f"{path}: {mistake}", param_hint="--key") from None


def _read_text(path: Path) -> str:
    """Raises InvalidCheckpoint for a PDF: a digest's PDF shows its checkpoint, but not as text that a program can read."""
    from bot.errors import InvalidCheckpoint

    with path.open("rb") as file:
        if file.read(len(PDF)) == PDF:
            raise InvalidCheckpoint("it is a PDF. Bring the page (.html), or the text of the PDF in a file")
    return _read(path)


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(LONGEST_FILE + 1)
    if len(text) > LONGEST_FILE:
        raise click.UsageError(f"{path} is longer than a megabyte; what is wanted here has a few hundred letters")
    return text
