"""Which signatures this worker believes when it signs itself or moves a target: its own, and those of keys that the settings name.

Anyone with the database's password can insert a row into the table of keys, with an entry in the ledger, so neither makes a key believed.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.attestation import in_toto
from bot.domain.attestation.decision import verdict_of
from bot.domain.model import DECISION, TransitionRequest
from bot.errors import InvalidStatement, NotVerified
from bot.services import Services
from bot.signatures import TrustedKey, Verified, digest_of, verify
from bot.store.attestations import Attestation
from bot.store.transaction import Transaction


def believed_keys(s: Services) -> dict[str, TrustedKey]:
    """By id: the worker's own key and those in COUNTERSIGN_EARLIER_KEYS. Raises Permanent in a process without a key."""
    keys = (s.signer.key, *s.earlier_keys)
    return {key.id: TrustedKey(key.id, key.algorithm, key.pem) for key in keys}


def recorded_keys(tx: Transaction) -> dict[str, TrustedKey]:
    """By id: all that the ledger ever recorded. They show whether something is signed, and never that it is true."""
    return {key.id: TrustedKey(key.id, key.algorithm, key.pem, key.purpose) for key in tx.keys.recorded().values()}


def read_signed(one: Attestation, ring: Mapping[str, TrustedKey], tx: Transaction) -> Verified | None:
    """What it says, if a key of the ring signed it, and that key counted at the ledger entry that vouches for it; else None."""
    try:
        verified = verify(one.envelope, ring)
    except NotVerified:
        return None
    key = tx.keys.recorded().get(verified.key)
    counts = key is not None and verified.key == one.key_id and key.covers(one.seq)
    is_recorded = tx.evidence.recorded_digest(one.seq) == digest_of(one.envelope)
    return verified if counts and is_recorded else None


def is_approval_believed(request: TransitionRequest, tx: Transaction, s: Services) -> bool:
    """Whether a believed key has signed the decision that the request says it has: version, target, verdict and files."""
    return is_decision_signed(request, believed_keys(s), tx)


def is_decision_signed(request: TransitionRequest, ring: Mapping[str, TrustedKey], tx: Transaction) -> bool:
    signed = (one for one in tx.attestations.of(request.id) if one.about == DECISION)
    return any(is_about_decision(request, found) for one in signed if (found := read_signed(one, ring, tx)) is not None)


def is_about_decision(request: TransitionRequest, verified: Verified) -> bool:
    """Whether it says what was decided about which version, target and files. The rule is not compared."""
    statement = verified.statement
    try:
        predicate = in_toto.predicate_of(statement, in_toto.APPROVAL_TYPE)
        version, files = in_toto.identity(predicate, "version"), in_toto.digests_of(statement).get(in_toto.ARTIFACTS)
    except InvalidStatement:
        return False
    signed = (predicate.get("request"), predicate.get("target"), predicate.get("verdict"))
    artifacts = request.evidence.artifacts if request.evidence else None
    frozen = artifacts.digest.removeprefix("sha256:") if artifacts and artifacts.digest else None
    same = signed == (request.id, str(request.target), str(verdict_of(request)))
    return same and version == request.version and files == frozen
