"""Approvals as the bot signs them, for versions that tests put into the real MLflow: made by the product's own statements and signer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from bot.__main__ import main
from bot.clients.signers import DsseSigner, signer_with
from bot.domain.attestation import decision as attestation
from bot.domain.attestation.vsa import Vsa, as_statement
from bot.domain.ledger.chain import Plain
from bot.domain.model import DECISION, Artifacts, Kind, State, Target, VersionId
from bot.domain.seals.places import SealedAt, SealPlan
from bot.signatures import PAYLOAD_TYPE
from tests.builders import a_rejection, a_request, a_rule, a_vote, an_evidence
from tests.fixtures.mlflow_seed import identity

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

    from mlflow import MlflowClient

SIGNER = signer_with(ec.generate_private_key(ec.SECP256R1()))
STRANGER = signer_with(ec.generate_private_key(ec.SECP256R1()))
NAMES = {"cy": "Cy Lindqvist", "ana": "Ana Ruiz", "bea": "Bea Baker"}
NOBODY_S = dict.fromkeys(
    ("COUNTERSIGN_URL", "COUNTERSIGN_API_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_TOKEN")
)


def approval(
    version: VersionId,
    target: str = "alias:champion",
    *,
    rejected: bool = False,
    artifacts: str = "",
    size: int = 1_000_000,
    at: datetime | None = None,
    signer: DsseSigner = SIGNER,
    seal: str = "",
) -> str:
    """The envelope of a decision; `artifacts` is the digest of the version's files, empty when they were not read, `size` their bytes.

    `seal` is where its rule seals.
    """
    decided = at or datetime.now(UTC)
    vote = a_rejection("cy", at=decided) if rejected else a_vote("cy", at=decided, reason="better on rainy days")
    request = a_request(
        State.REJECTED if rejected else State.APPROVED,
        version=version,
        target=Target.parse(target),
        decided_at=decided,
        votes=(vote,),
        evidence=an_evidence(artifacts=Artifacts(artifacts, 1, size) if artifacts else None),
    )
    rule = a_rule(seal=SealPlan(seal) if seal else None)
    return signed(attestation.of_decision(request, rule, NAMES), signer)


def vote(version: VersionId, target: str = "alias:champion") -> str:
    """The envelope of one vote."""
    request = a_request(version=version, target=Target.parse(target), kind=Kind.PROMOTION)
    return signed(attestation.of_vote(request, a_vote("cy"), a_rule(), NAMES))


def verdict(
    version: VersionId,
    target: str = "alias:champion",
    *,
    passed: bool = True,
    age: timedelta = timedelta(0),
    valid_for: timedelta = timedelta(hours=24),
    signer: DsseSigner = SIGNER,
    artifacts: str = "",
    sealed: SealedAt | None = None,
) -> str:
    """The envelope of a short-lived verdict, made so long ago."""
    made = datetime.now(UTC) - age
    until = made + valid_for
    said = Vsa(version, Target.parse(target), passed, artifacts, "bike-*", "sha256:1", ("ab",), made, until, sealed)
    return signed(as_statement(said), signer)


def signed(statement: Plain, signer: DsseSigner = SIGNER) -> str:
    return signer.sign(attestation.payload_of(statement), PAYLOAD_TYPE)


def tag_of(target: str = "alias:champion") -> str:
    return attestation.tag_of(Target.parse(target), DECISION, "")


@dataclass
class Shelf:
    """A registered model with versions to tag, in the real MLflow."""

    client: MlflowClient
    url: str
    model: str

    def version(
        self, model: str | None = None, source: str = "s3://models/bare", run_id: str | None = None
    ) -> VersionId:
        name = model or self.model
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        return identity(self.client.create_model_version(name, source=source, run_id=run_id, await_creation_for=0))

    def put(self, version: VersionId, envelope: str, tag: str | None = None) -> None:
        self.client.set_model_version_tag(version.model, str(version.version), tag or tag_of(), envelope)

    def approved(self, target: str = "alias:champion") -> VersionId:
        version = self.version()
        self.put(version, approval(version, target), tag_of(target))
        return version


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def gate(url: str, *arguments: str, environ: Mapping[str, str | None] | None = None) -> Outcome:
    """`countersign gate ...`, with MLflow at that address and nothing else set but what the test says."""
    setting: dict[str, str | None] = {**NOBODY_S, "MLFLOW_TRACKING_URI": url, **(environ or {})}
    result = CliRunner().invoke(main, ["gate", *arguments], env=setting)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def key_file(directory: Path, signer: DsseSigner = SIGNER) -> str:
    file = directory / f"{signer.key.id[:8]}.pem"
    file.write_text(signer.key.pem)
    return str(file)


def answering(
    body: object, status: str = "200 OK", headers: Mapping[str, str] | None = None
) -> Callable[[dict[str, str], StartResponse], list[bytes]]:
    """A server that says the same to everybody; text as it is, everything else as JSON. It remembers what it was sent in `heard`."""

    def answer(environ: dict[str, str], start_response: StartResponse) -> list[bytes]:
        answer.heard.append(environ.get("HTTP_AUTHORIZATION", ""))  # type: ignore[attr-defined]
        start_response(status, [("Content-Type", "application/json"), *(headers or {}).items()])
        return [body.encode() if isinstance(body, str) else json.dumps(body).encode()]

    answer.heard = []  # type: ignore[attr-defined]
    return answer
