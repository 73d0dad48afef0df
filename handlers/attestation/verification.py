"""Whether what was signed about a request still proves it: the envelope, its key, its place in the ledger, and what it speaks of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bot.domain.attestation.decision import evidence_digest, verdict_of
from bot.domain.attestation.in_toto import (
    APPROVAL_TYPE,
    digests_of,
    identity_digest,
    mapping,
    predicate_of,
    text,
    uri_of,
)
from bot.domain.card.sentences import UNKNOWN
from bot.domain.model import DECISION, VOTE, DecidedBy, State, TransitionRequest, Vote
from bot.domain.queries.description import Signed
from bot.errors import InvalidStatement, NotVerified
from bot.signatures import Verified, digest_of, verify
from bot.store.attestations import Attestation, KnownKey
from bot.store.evidence import EvidenceRows
from bot.store.transaction import Transaction


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
        key = tx.keys.recorded().get(verified.key)
        recorded = EvidenceRows(tx.connection).recorded_digest(attestation.seq)
        return (
            _fault_of_key(attestation, verified, key)
            or _fault_of_record(attestation, recorded)
            or _fault_of_words(verified, attestation, request)
            or (_fault_of_votes(request, tx) if attestation.about == DECISION else "")
        )
    except (NotVerified, InvalidStatement) as fault:
        return f"it {fault}" if isinstance(fault, InvalidStatement) else str(fault)


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
    """A good signature over something else proves nothing here. Raises InvalidStatement."""
    said = predicate_of(verified.statement, APPROVAL_TYPE)
    if (said.get("request"), said.get("about")) != (request.id, attestation.about):
        return "what was signed is about another request"
    if said.get("target") != str(request.target):
        return f"what was signed is about another target: {said.get('target')}"
    if digests_of(verified.statement).get(uri_of(request.version)) != identity_digest(request.version):
        return "what was signed is about another version"
    frozen = evidence_digest(request.evidence) if request.evidence else None
    if (mapping(said, "evidence").get("digest") if said.get("evidence") is not None else None) != frozen:
        return "what was signed is about other evidence than the record has now"
    return _fault_of_vote(said, request) if attestation.about == VOTE else _fault_of_decision(said, request)


def _fault_of_vote(said: Mapping[str, object], request: TransitionRequest) -> str:
    signed = (text(said, "verdict"), *_word_of(mapping(said, "person"), said))
    cast = {(str(vote.verdict), *_word_as_recorded(vote)) for vote in request.votes}
    return "" if signed in cast else "what was signed is another vote than the record has now"


def _fault_of_decision(said: Mapping[str, object], request: TransitionRequest) -> str:
    at = request.decided_at.isoformat() if request.decided_at else ""
    reason = request.outcome if request.state is State.REJECTED else ""
    recorded = (str(verdict_of(request)), str(request.decided_by or DecidedBy.PEOPLE), reason, at)
    if tuple(text(said, name) for name in ("verdict", "decidedBy", "reason", "at")) != recorded:
        return "what was signed is another decision than the record has now"
    approvers = said.get("approvers")
    signed = {_word_of(one, one) for one in approvers} if isinstance(approvers, list) else set()
    if not signed <= {_word_as_recorded(vote) for vote in request.votes}:
        return "what was signed names other votes than the record has now"
    return ""


def _fault_of_votes(request: TransitionRequest, tx: Transaction) -> str:
    """All votes are signed before the decision is, so none may stand beside them that nobody signed."""
    signed = Counter(one.person for one in tx.attestations.of(request.id) if one.about == VOTE)
    more = Counter(vote.person for vote in request.votes) - signed
    return "the record has votes now that nobody signed" if more else ""


def _word_of(person: object, vote: object) -> tuple[str, str, str]:
    return text(person, "id"), text(vote, "reason"), text(vote, "at")


def _word_as_recorded(vote: Vote) -> tuple[str, str, str]:
    return vote.person, vote.reason, vote.at.isoformat()
