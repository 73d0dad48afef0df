"""Before a decision is signed, and again before it is carried out: refuses votes that nothing proves, and what rested on them.

A row of a request, a vote or a signature proves nothing by itself. Each row is compared with the ledger (`on_record`), each vote with the
notifier's signed request (`vote_proofs`), and each signature is verified (`handlers.custody.own_keys`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import structlog

from bot.domain.attestation.decision import verdict_of
from bot.domain.attestation.vote_statement import rule_in
from bot.domain.evidence.changes import changes
from bot.domain.model import DECISION, VOTE, DecidedBy, State, TransitionRequest, Vote
from bot.domain.request.proofs import fall_without_grounds, refuse_vote, why_not_decided
from bot.domain.request.rollback import relied_on
from bot.engine.lanes import FollowUp, Lane
from bot.errors import Permanent
from bot.services import Services
from bot.store.requests import LIVE
from bot.store.transaction import Transaction
from handlers.attestation.decided_rules import decided_rule, is_same_rule
from handlers.attestation.glass_proofs import why_not_broken
from handlers.attestation.vote_proofs import why_unproven
from handlers.custody.facts import as_called_now, decided_for
from handlers.custody.on_record import check_on_record
from handlers.custody.own_keys import (
    believed_keys,
    is_about_decision,
    is_approval_believed,
    is_decision_signed,
    read_signed,
    recorded_keys,
)

log = structlog.get_logger()
USED_TWICE = "the signed request that it names is another vote's"
NOT_APPROVED_BEFORE = "no approval that a key of this worker signed brought this version there before"
OTHER_CONTENT = "the version is not what was approved before"
UNKNOWN_RULE = "no policy that was put in force has the rule that it was decided under"


def refuse_unproven(request_id: str, tx: Transaction, s: Services) -> TransitionRequest:
    """Refuses votes that no signed request proves, and ends a decision that does not follow from the others. Each is recorded.

    Returns the request as it is then. Raises Permanent when the row is not what the ledger says, and OutsideError when a vote cannot be
    checked now. The caller has recorded nothing yet.
    """
    now, request = s.clock.now(), tx.requests.get(request_id, for_update=True)
    check_on_record(request, tx)
    is_decided = _is_decided_by_us(request, tx, s)
    unproven = _unproven(
        request, [vote for vote, _ in unsigned_votes(request, tx)] if is_decided else request.votes, tx, s
    )
    for vote, why in unproven:
        log.warning("vote_refused", request=request.short_id, person=vote.person, why=why)
        tx.record(refuse_vote(request, vote, why, now))
    if unproven:
        request = tx.requests.get(request_id)
    why = "" if is_decided else why_not_proven(request, tx, s)
    if why:
        tx.record(fall_without_grounds(request, why, now, is_asked_anew=is_asked_anew(request, tx)))
    return tx.requests.get(request_id) if why else request


def check_may_be_carried_out(request_id: str, s: Services) -> bool:
    """Whether the decision is signed and what it rests on is proven; False when it has to be signed first, or was ended just now.

    Raises Permanent when what was signed is not what the request says.
    """
    with s.store.transaction() as tx:
        request = refuse_unproven(request_id, tx, s)
        if request.state not in (State.APPROVED, State.REJECTED):
            return False
        ring = recorded_keys(tx)
        if not any(one.about == DECISION and read_signed(one, ring, tx) for one in tx.attestations.of(request_id)):
            tx.defer_for(FollowUp("sign", Lane.EVIDENCE), request)  # it leads back here
            return False
        why = "" if is_decision_signed(request, ring, tx) else "what was signed is another decision"
        why = why or why_not_proven(request, tx, s)
    if why:
        raise Permanent(
            f"request {request.short_id} is {request.state}, but {why}. Nothing is moved. Run `countersign audit verify`, "
            "and find out who can write to the database"
        )
    return True


def why_not_proven(request: TransitionRequest, tx: Transaction, s: Services) -> str:
    """Why nothing on record proves the decision, as a clause; empty when it is proven, and when there is none."""
    if verdict_of(request) is None or request.state is State.CALLED_OFF:
        return ""
    rule = decided_rule(request, tx, s)
    why = UNKNOWN_RULE if rule is None else why_not_decided(request, rule)
    is_rollback_by_rule = request.decided_by is DecidedBy.RULE and request.state is State.APPROVED
    if not why and request.decided_by is DecidedBy.BREAK_GLASS:
        return why_not_broken(request, tx, s)
    return why or (_why_no_way_back(request, tx, s) if is_rollback_by_rule else "")


def _why_no_way_back(request: TransitionRequest, tx: Transaction, s: Services) -> str:
    """The rule alone approves only what goes back to a version, and to files, whose approval this worker believes."""
    called = (request, as_called_now(request, tx))  # it may wait since before its model was renamed
    found = next(filter(None, (relied_on(one.version, decided_for(one, tx)) for one in called)), None)
    if found is None:
        return NOT_APPROVED_BEFORE
    approved = tx.requests.get(found.id)  # as it was signed, under the name that the model had then
    if not is_approval_believed(approved, tx, s):
        return NOT_APPROVED_BEFORE
    if approved.evidence is None or request.evidence is None or changes(approved.evidence, request.evidence):
        return OTHER_CONTENT
    return ""


def is_asked_anew(request: TransitionRequest, tx: Transaction) -> bool:
    same = tx.requests.find(version=request.version, target=request.target, states=LIVE)
    return any(one.id != request.id for one in same)


def unsigned_votes(request: TransitionRequest, tx: Transaction) -> list[tuple[Vote, int]]:
    """The votes that no envelope is about yet, each with how many envelopes about votes of the same person are before it."""
    signed, cast, found = signed_so_far(request.id, tx), Counter[str](), []
    for vote in request.votes:
        if cast[vote.person] >= signed[VOTE, vote.person]:
            found.append((vote, cast[vote.person]))
        cast[vote.person] += 1
    return found


def signed_so_far(request_id: str, tx: Transaction) -> Counter[tuple[str, str]]:
    """How many envelopes there are about each; a row whose envelope does not verify, or that the ledger does not name, is none."""
    ring = recorded_keys(tx)
    return Counter((one.about, one.person) for one in tx.attestations.of(request_id) if read_signed(one, ring, tx))


def _unproven(
    request: TransitionRequest, votes: Sequence[Vote], tx: Transaction, s: Services
) -> list[tuple[Vote, str]]:
    """Of votes that name the same signed request, only the first may count."""
    found, seen = [], set[str]()
    for vote in votes:
        why = USED_TWICE if vote.signed_request in seen else why_unproven(request, vote, tx, s)
        seen |= {vote.signed_request} - {""}
        if why:
            found.append((vote, why))
    return found


def _is_decided_by_us(request: TransitionRequest, tx: Transaction, s: Services) -> bool:
    """A key that this worker believes has signed this very decision, under this rule: what it rests on was checked then.

    So votes that are signed are not checked again. One that is not was added since, and is checked like any other.
    """
    if verdict_of(request) is None:
        return False
    ring = believed_keys(s)
    mine = (read_signed(one, ring, tx) for one in tx.attestations.of(request.id) if one.about == DECISION)
    signed = [one for one in mine if one is not None and is_about_decision(request, one)]
    return any(is_same_rule(request.rule_hash, rule_in(one.statement), request, tx, s) for one in signed)
