"""Signs a version's approved files in the format of OpenSSF Model Signing, for verifiers that know nothing of Countersign."""

from __future__ import annotations

from bot.domain.attestation.decision import payload_of
from bot.domain.attestation.gate import GateQuery
from bot.domain.attestation.in_toto import uri_of
from bot.domain.attestation.model_signing import statement_over
from bot.domain.events import ModelSigned
from bot.domain.model import TransitionRequest
from bot.errors import Refused
from bot.services import Services
from bot.signatures import ECDSA_P256, PAYLOAD_TYPE, as_model_signature, digest_of
from bot.store.transaction import Transaction
from handlers.attestation.approval_status import approval_status
from handlers.attestation.signing import check_counts


def sign_model(request_id: str, s: Services) -> str:
    """The signature as a Sigstore bundle, recorded in the ledger. Raises Refused unless the approval is valid now, and OutsideError."""
    key = s.signer.key
    with s.store.transaction() as tx:
        request = tx.requests.get(tx.requests.full_id(request_id))
        manifest = _approved_files(request, tx, s)
        check_counts(key, tx)
    if key.algorithm != ECDSA_P256:
        raise Refused(
            f"key {key.id[:12]} is {key.algorithm}, and model_signing verifies only ECDSA keys. Sign with a key made by "
            "`countersign keys new --algorithm ecdsa-p256`"
        )
    envelope = s.signer.sign(payload_of(statement_over(manifest, uri_of(request.version))), PAYLOAD_TYPE)
    with s.store.transaction() as tx:
        check_counts(key, tx)
        tx.record_now(ModelSigned(s.clock.now(), request.id, key.id, digest_of(envelope)))
    return as_model_signature(envelope, key.pem)


def _approved_files(request: TransitionRequest, tx: Transaction, s: Services) -> str:
    """The list of the files that were approved. Raises Refused."""
    status = approval_status(GateQuery(request.version, request.target), tx, s.clock.now())
    if not status.result.allowed or status.request is None or status.request.id != request.id:
        why = " ".join(reason.sentence for reason in status.result.reasons)
        raise Refused(
            f"request {request.short_id} is not an approval that is valid now, so its files are not signed. {why}"
        )
    artifacts = request.evidence.artifacts if request.evidence else None
    manifest = tx.manifests.find(artifacts.digest) if artifacts else None
    if not manifest:
        raise Refused(f"there is no list of the files of {request.version}, so there is nothing to sign")
    return manifest
