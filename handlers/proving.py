"""Whether what was signed about a request still proves it: the envelope, its key, its place in the ledger, and what it speaks of."""

from __future__ import annotations

from collections.abc import Mapping

from bot.attestations import Attestation, KnownKey
from bot.domain.description import Signed
from bot.domain.model import TransitionRequest
from bot.domain.statements import APPROVAL_TYPE, NotOurs, digests_of, identity_digest, predicate_of, uri_of
from bot.domain.wording import UNKNOWN
from bot.evidence_rows import EvidenceRows
from bot.gate.envelopes import NotVerified, Verified, digest_of, verify
from bot.store import Transaction


def signed_for(request: TransitionRequest, names: Mapping[str, str], tx: Transaction) -> tuple[Signed, ...]:
    """Every vote and the decision, each verified anew."""
    return tuple(
        Signed(
            about=attestation.about,
            person=names.get(attestation.person, UNKNOWN) if attestation.person else "",
            key=attestation.key_id,
            entry=attestation.seq,
            at=attestation.signed_at,
            digest=attestation.digest,
            fault=fault_of(attestation, request, tx),
        )
        for attestation in tx.attestations.of(request.id)
    )


def fault_of(attestation: Attestation, request: TransitionRequest, tx: Transaction) -> str:
    """Why it proves nothing; empty when it holds."""
    try:
        verified = verify(attestation.envelope, tx.keys.ring())
        key = tx.keys.find(verified.key)
        recorded = EvidenceRows(tx.connection).recorded_digest(attestation.seq)
        return (
            _fault_of_key(attestation, verified, key)
            or _fault_of_record(attestation, recorded)
            or _fault_of_words(verified, attestation, request)
        )
    except (NotVerified, NotOurs) as fault:
        return f"it {fault}" if isinstance(fault, NotOurs) else str(fault)


def _fault_of_key(attestation: Attestation, verified: Verified, key: KnownKey | None) -> str:
    """By the place in the ledger, never by a time that the signer claims."""
    if key is None or verified.key != attestation.key_id:
        return "it was signed with another key than the record says"
    if key.covers(attestation.seq):
        return ""
    if key.retired_seq is not None and attestation.seq >= key.retired_seq:
        return (
            f"its key was retired at ledger entry {key.retired_seq}, before entry {attestation.seq} that vouches for it"
        )
    return f"its key was added at ledger entry {key.added_seq}, after entry {attestation.seq} that vouches for it"


def _fault_of_record(attestation: Attestation, recorded: str) -> str:
    if not recorded:
        return f"ledger entry {attestation.seq} vouches for no attestation"
    if not recorded == attestation.digest == digest_of(attestation.envelope):
        return f"the envelope is not the one that ledger entry {attestation.seq} vouches for"
    return ""


def _fault_of_words(verified: Verified, attestation: Attestation, request: TransitionRequest) -> str:
    """A good signature over something else proves nothing here. Raises NotOurs."""
    said = predicate_of(verified.statement, APPROVAL_TYPE)
    if (said.get("request"), said.get("about")) != (request.id, attestation.about):
        return "what was signed is about another request"
    if said.get("target") != str(request.target):
        return f"what was signed is about another target: {said.get('target')}"
    if digests_of(verified.statement).get(uri_of(request.version)) != identity_digest(request.version):
        return "what was signed is about another version"
    return ""
