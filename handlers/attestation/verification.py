"""Whether what was signed about a request still proves it: the envelope, its key, its place in the ledger, and its content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.assertions import proven_by
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
from bot.domain.model import DECISION, VOTE, DecidedBy, State, TransitionRequest, Verdict, Vote
from bot.domain.queries.description import Signed
from bot.errors import InvalidStatement, NotVerified
from bot.signatures import TrustedKey, Verified, digest_of, verify
from bot.store.attestations import Attestation, KnownKey
from bot.store.evidence import EvidenceRows
from bot.store.transaction import Transaction


def signed_for(request: TransitionRequest, names: Mapping[str, str], tx: Transaction) -> tuple[Signed, ...]:
    """Every vote and the decision, each verified again."""
    attestations = tx.attestations.of(request.id)
    known = Known(tx.keys.ring(), tx.keys.recorded(), tx.evidence, attestations)
    return tuple(
        Signed(
            about=one.about,
            person=names.get(one.person, UNKNOWN) if one.person else "",
            key=one.key_id,
            entry=one.seq,
            at=one.signed_at,
            digest=one.digest,
            fault=_fault_of(one, request, known),
        )
        for one in attestations
    )


@dataclass(frozen=True)
class Known:
    """What attestations of one request are checked against, read once. `keys` are those that the ledger recorded."""

    ring: Mapping[str, TrustedKey]
    keys: Mapping[str, KnownKey]
    entries: EvidenceRows
    attestations: Sequence[Attestation]


def _fault_of(attestation: Attestation, request: TransitionRequest, known: Known) -> str:
    """Why it proves nothing; empty when it holds."""
    try:
        verified = verify(attestation.envelope, known.ring)
        return (
            _fault_of_key(attestation, verified, known.keys.get(verified.key))
            or _fault_of_record(attestation, known.entries.recorded_digest(attestation.seq))
            or _fault_of_words(verified, attestation, request)
            or (_fault_of_votes(request, known) if attestation.about == DECISION else "")
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
    proven_by(verified.statement)  # raises NotVerified when the passkey that it names did not sign it
    return _fault_of_vote(said, request) if attestation.about == VOTE else _fault_of_decision(said, request)


def _fault_of_vote(said: Mapping[str, object], request: TransitionRequest) -> str:
    signed = (text(said, "verdict"), *_word_of(mapping(said, "person"), said))
    cast = {(str(vote.verdict), *_word_as_recorded(vote)): vote for vote in request.votes}
    if signed not in cast:
        return "what was signed is another vote than the record has now"
    passkey, recorded = said.get("passkey"), cast[signed].passkey
    used = text(passkey, "credential") if passkey is not None else ""
    return (
        ""
        if used == (recorded.credential if recorded else "")
        else "what was signed is by another passkey than the vote"
    )


def _fault_of_decision(said: Mapping[str, object], request: TransitionRequest) -> str:
    if tuple(text(said, name) for name in ("verdict", "decidedBy", "reason", "at")) not in _recorded_decisions(request):
        return "what was signed is another decision than the record has now"
    approvers = said.get("approvers")
    signed = {_word_of(one, one) for one in approvers} if isinstance(approvers, list) else set()
    called_off = (request.ended_by, request.outcome, request.ended_at.isoformat() if request.ended_at else "")
    if not signed <= {*(_word_as_recorded(vote) for vote in request.votes), called_off, _word_of_glass(request)}:
        return "what was signed names other votes than the record has now"
    return ""


def _word_of_glass(request: TransitionRequest) -> tuple[str, str, str]:
    glass = request.glass
    return (glass.person, glass.reason, glass.at.isoformat()) if glass else ("", "", "")


def _recorded_decisions(request: TransitionRequest) -> list[tuple[str, str, str, str]]:
    """One, but for an approval that was called off: that is signed as well, beside the approval."""
    at = request.decided_at.isoformat() if request.decided_at else ""
    by = str(request.decided_by or DecidedBy.PEOPLE)
    if request.state is not State.CALLED_OFF or request.ended_at is None:
        reason = request.outcome if request.state is State.REJECTED else ""
        return [(str(verdict_of(request)), by, reason, at)]
    ended_by = str(DecidedBy.PEOPLE if request.ended_by else DecidedBy.RULE)
    taken_back = (str(Verdict.REJECT), ended_by, request.outcome, request.ended_at.isoformat())
    return [(str(Verdict.APPROVE), by, "", at), taken_back]


def _fault_of_votes(request: TransitionRequest, known: Known) -> str:
    """All votes are signed before the decision is, so an unsigned one beside them was added later."""
    signed = Counter(one.person for one in known.attestations if one.about == VOTE)
    more = Counter(vote.person for vote in request.votes) - signed
    return "the record has votes now that are not signed" if more else ""


def _word_of(person: object, vote: object) -> tuple[str, str, str]:
    return text(person, "id"), text(vote, "reason"), text(vote, "at")


def _word_as_recorded(vote: Vote) -> tuple[str, str, str]:
    return vote.person, vote.reason, vote.at.isoformat()
