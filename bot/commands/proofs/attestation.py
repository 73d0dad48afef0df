"""`countersign attestation`: exports a request's signed approvals, to be verified without this bot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from bot.commands.context import services_for, settings_for, telling_mistakes
from bot.commands.output.printing import print_exactly, say
from bot.domain.model import DECISION, VOTE
from bot.errors import NotFound, Refused
from bot.signatures import as_sigstore_bundle
from bot.store.attestations import Attestation
from bot.store.transaction import Transaction

FORMATS: Mapping[str, Callable[[str], str]] = {"dsse": str, "sigstore": as_sigstore_bundle}
MANIFEST = "manifest"
MODEL_SIGNING = "model-signing"


@click.command("attestation")
@click.argument("request_id")
@click.option("--about", type=click.Choice([VOTE, DECISION]), help="Only the votes, or only the decision.")
@click.option("--person", default="", help="Only the votes of this person, by e-mail.")
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, MANIFEST, MODEL_SIGNING]),
    default="dsse",
    show_default=True,
    help="A DSSE envelope, a Sigstore bundle v0.3, the list of the approved files (sha256sum -c), or a new signature over these files for "
    "`model_signing verify`, which needs the worker's key.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="A directory: one file for each.")
@telling_mistakes
def attestation(request_id: str, about: str | None, person: str, form: str, out: Path | None) -> None:
    """Print what was signed about a request: each vote and the decision, one line of JSON each."""
    if form == MODEL_SIGNING:
        _sign_model(request_id, out)
        return
    with services_for() as services, services.store.transaction() as tx:
        if form == MANIFEST:
            print_exactly(_manifest(request_id, tx))
            return
        found = _chosen(request_id, about, person, tx)
    if out is None:
        for one in found:
            print_exactly(f"{FORMATS[form](one.envelope)}\n")
    else:
        _write(found, form, out)


def _sign_model(request_id: str, out: Path | None) -> None:
    """Prints the signature, or writes DIR/model.sig and prints its name."""
    from bot.assembly import check_keys_are_here, database_url, signer_of
    from bot.signatures import APPROVALS
    from handlers.attestation.model_signature import sign_model

    settings = settings_for()
    check_keys_are_here(settings, database_url(settings), APPROVALS)
    signer = signer_of(settings)
    with services_for() as services:
        signature = sign_model(request_id, replace(services, signer=signer))
    if out is None:
        print_exactly(f"{signature}\n")
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.sig").write_text(signature)
    say(str(out / "model.sig"))


def _manifest(request_id: str, tx: Transaction) -> str:
    """The list of files, whose sha256 is the signed subject `artifacts`. Raises Refused."""
    request = tx.requests.get(tx.requests.full_id(request_id))
    artifacts = request.evidence.artifacts if request.evidence else None
    manifest = tx.manifests.find(artifacts.digest) if artifacts else None
    if manifest is None:
        why = request.evidence.artifacts_unread if request.evidence else "Its evidence is not collected yet."
        raise Refused(f"there is no list of the files of {request.version}. {why}".rstrip())
    return manifest


def _chosen(request_id: str, about: str | None, email: str, tx: Transaction) -> list[Attestation]:
    """Raises Refused when there is none."""
    request = tx.requests.get(tx.requests.full_id(request_id))
    voter = _voter(email, tx) if email else ""
    signed = tx.attestations.of(request.id)
    found = [one for one in signed if about in (None, one.about) and (not voter or one.person == voter)]
    if not found:
        what = f"{about or 'vote or decision'} of request {request.short_id}{f' by {email}' if email else ''}"
        raise Refused(
            f"no {what} is signed. It is {request.state}; a worker signs within seconds of a vote, and `countersign jobs list "
            "--status parked` says when it cannot"
        )
    return found


def _voter(email: str, tx: Transaction) -> str:
    person = tx.people.find(email)
    if person is None:
        raise NotFound(f"nobody here has the e-mail {email}")
    return person.id


def _write(found: Sequence[Attestation], form: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for one in found:
        who = f"{one.about}-{one.person[:12]}" if one.about == VOTE else one.about
        path = out / f"{one.request_id[:12]}.{one.seq}.{who}.{form}.json"
        path.write_text(FORMATS[form](one.envelope))
        say(str(path))
