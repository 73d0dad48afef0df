"""Before a decision is signed, and again before it is carried out: refuses votes that nothing proves, and what rested on them.

Whether one vote is proven is in `vote_proofs`. A row that says "signed" proves nothing by itself, so envelopes are verified here.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot import metrics
from bot.domain.attestation import in_toto
from bot.domain.attestation.decision import verdict_of
from bot.domain.model import DECISION, DecidedBy, State, TransitionRequest, Vote
from bot.domain.request.proofs import fall_without_grounds, refuse_vote, why_not_decided
from bot.domain.request.rollback import brought_by
from bot.engine.lanes import FollowUp, Lane
from bot.errors import InvalidStatement, NotVerified, Permanent
from bot.ports import PublicKey
from bot.services import Services
from bot.signatures import TrustedKey, verify
from bot.store.attestations import Attestation
from bot.store.transaction import Transaction
from handlers.attestation.decided_rules import rule_with
from handlers.attestation.vote_proofs import why_unproven
from handlers.custody.facts import decided_for

log = structlog.get_logger()
USED_TWICE = "the signed request that it names is another vote's"
NOT_APPROVED_BEFORE = "no signed approval brought this version there before"


def refuse_unproven(request_id: str, tx: Transaction, s: Services) -> TransitionRequest:
    """Takes off votes that no signed request proves, and ends an approval that does not follow from the others. Each is recorded.

    Returns the request as it is then.
    """
    now, request = s.clock.now(), tx.requests.get(request_id)
    if _is_decided_by_us(request, tx, s.signer.key) or not _is_doubtful(request, tx, s):
        return request
    request = tx.requests.get(request_id, for_update=True)
    for vote, why in _unproven(request, tx, s):
        log.warning("vote_refused", request=request.short_id, person=vote.person, why=why)
        metrics.votes_refused.inc()
        tx.record(refuse_vote(request, vote, why, now))
    request = tx.requests.get(request_id)
    tx.record(fall_without_grounds(request, why_not_proven(request, tx, s), now))
    return tx.requests.get(request_id)


def check_may_be_carried_out(request_id: str, s: Services) -> bool:
    """Whether the decision is signed and what it rests on is proven; False when it has to be signed first, or fell just now.

    Raises Permanent when what was signed is not what the request says.
    """
    with s.store.transaction() as tx:
        request, ring = refuse_unproven(request_id, tx, s), tx.keys.ring()
        if request.state not in (State.APPROVED, State.REJECTED):
            return False
        signed = [one for one in tx.attestations.of(request_id) if one.about == DECISION and is_verified(one, tx)]
        if not signed:
            tx.defer_for(FollowUp("sign", Lane.EVIDENCE), request)  # it leads back here
            return False
        why = "" if any(_is_about(request, one, ring) for one in signed) else "what was signed is another decision"
        why = why or why_not_proven(request, tx, s)
    if why:
        raise Permanent(
            f"request {request.short_id} is {request.state}, but {why}. Nothing is moved. Run `countersign audit verify`, "
            "and find out who can write to the database"
        )
    return True


def is_verified(one: Attestation, tx: Transaction) -> bool:
    try:
        verify(one.envelope, tx.keys.ring())
    except NotVerified:
        return False
    return True


def _is_doubtful(request: TransitionRequest, tx: Transaction, s: Services) -> bool:
    if _unproven(request, tx, s):
        return True
    return verdict_of(request) is not None and why_not_proven(request, tx, s) != ""


def why_not_proven(request: TransitionRequest, tx: Transaction, s: Services) -> str:
    """Also whether what the rule alone approves goes back to a version whose approval was signed."""
    why = why_not_decided(request, rule_with(request.rule_hash, request, tx, s))
    if why or request.decided_by is not DecidedBy.RULE or request.state is not State.APPROVED:
        return why
    found = brought_by(request.version, decided_for(request, tx))
    if found is None:
        return NOT_APPROVED_BEFORE
    approved = tx.requests.get(found.id)  # as it was signed, under the name that the model had then
    signed = [one for one in tx.attestations.of(found.id) if one.about == DECISION]
    is_signed = any(_is_about(approved, one, tx.keys.ring()) for one in signed)
    return "" if is_signed else NOT_APPROVED_BEFORE


def _unproven(request: TransitionRequest, tx: Transaction, s: Services) -> list[tuple[Vote, str]]:
    """Of votes that name the same signed request, only the first may count."""
    found, seen = [], set[str]()
    for vote in request.votes:
        why = USED_TWICE if vote.signed_request in seen else why_unproven(request, vote, tx, s)
        seen |= {vote.signed_request} - {""}
        if why:
            found.append((vote, why))
    return found


def _is_decided_by_us(request: TransitionRequest, tx: Transaction, key: PublicKey) -> bool:
    """This worker's own key has signed this very decision: what it rests on was checked then."""
    ring = {key.id: TrustedKey(key.id, key.algorithm, key.pem)}
    return any(_is_about(request, one, ring) for one in tx.attestations.of(request.id) if one.about == DECISION)


def _is_about(request: TransitionRequest, one: Attestation, ring: Mapping[str, TrustedKey]) -> bool:
    """Whether the envelope verifies and says what the request says: version, target, verdict and files."""
    try:
        statement = verify(one.envelope, ring).statement
        predicate = in_toto.predicate_of(statement, in_toto.APPROVAL_TYPE)
        version, files = in_toto.identity(predicate, "version"), in_toto.digests_of(statement).get(in_toto.ARTIFACTS)
    except (NotVerified, InvalidStatement):
        return False
    told = (predicate.get("request"), predicate.get("target"), predicate.get("verdict"))
    artifacts = request.evidence.artifacts if request.evidence else None
    frozen = artifacts.digest.removeprefix("sha256:") if artifacts and artifacts.digest else None
    same = told == (request.id, str(request.target), str(verdict_of(request)))
    return same and version == request.version and files == frozen
