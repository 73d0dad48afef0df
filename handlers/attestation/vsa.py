"""Effects: short-lived verdicts, so that serving survives an outage of the bot. They travel as tags on the version.

One is made when a target has moved, renewed by the clock while the approval stands, and followed by one that says FAILED as soon as the
approval stands no longer: after a rejection, a rollback, or a change that made it stale.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import structlog

from bot.domain.attestation.decision import TAG_PREFIX, payload_of, tag_prefix
from bot.domain.attestation.gate import GateQuery
from bot.domain.attestation.vsa import Vsa, as_statement, read_vsa
from bot.domain.model import State, Target, VersionId
from bot.domain.registry.snapshot import VersionSnapshot
from bot.engine.lanes import Lane, model_lane, target_model
from bot.errors import InvalidStatement, NotVerified
from bot.services import Services
from bot.signatures import PAYLOAD_TYPE
from bot.signatures import payload_of as payload_in
from bot.store.transaction import Transaction
from bot.store.verdicts import VerdictRow
from handlers.attestation.approval_status import ApprovalStatus, approval_status, question_about
from handlers.attestation.signing import check_counts, register_key
from handlers.custody.belief import check_believed

log = structlog.get_logger()
VALID_FOR = timedelta(hours=24)
RENEWED_BEFORE = timedelta(hours=12)  # how long an outage of the bot may last at the least


def renew_verdict(request_id: str, s: Services) -> None:
    """Brings the verdicts of this request's target up to date: of its version, of whoever holds it now, and of whoever had one before."""
    register_key(s)
    with s.store.transaction() as tx:
        if _is_retired(tx, s):
            return
        request = tx.requests.get(request_id)
        workspace, model, target = request.version.workspace, target_model(request), request.target
        holders = _holders(workspace, model, target, tx)
        rows = tx.verdicts.of(workspace, model, str(target))
    check_believed(workspace, s)  # else versions of another registry would be said to have lost their approval
    concerned = {*rows, *(version.version for version in holders)}
    if request.version.model == model:
        concerned.add(request.version.version)
    for number in sorted(concerned):
        seen = s.registry.find_version(workspace, model, number)
        if seen is not None:
            _renew(seen, target, rows.get(number), s, holds=seen.id in holders)


def renew_verdicts(_: str, s: Services) -> None:
    """By the clock: a job for each holder of a target whose verdict is missing or has less than half its time left."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.verdicts.forget_expired(now)
        lasting = tx.verdicts.lasting(now + RENEWED_BEFORE)
        for place in tx.registry.placements():
            held = place.version
            key = (held.workspace, held.model, held.version, str(place.target))
            if place.request_id is not None and key not in lasting:
                lane = model_lane(Lane.VERDICTS, held.workspace, held.model)
                tx.defer("renew_verdict", place.request_id, lane, once=True)


def _renew(seen: VersionSnapshot, target: Target, row: VerdictRow | None, s: Services, *, holds: bool) -> None:
    now = s.clock.now()
    question = question_about(seen, target, s)
    with s.store.transaction() as tx:
        status = approval_status(question, tx, now)
    stands = status.result.allowed
    if row is None and not stands and not _is_void_approval(status):
        return  # nothing was ever said of it
    if stands and not holds and (row is None or _passes(row)):
        return  # it gave way to another: what was said runs out by itself
    if row is None or _passes(row) is not stands or _is_outdated(row, status, now):
        row = _sign(question, status, now, s)
    tag = tag_of(target)
    if seen.tags.get(tag) != row.envelope:
        s.registry.tag_version(seen.id.model, seen.id.version, {tag: row.envelope})


def _sign(question: GateQuery, status: ApprovalStatus, now: datetime, s: Services) -> VerdictRow:
    expires = now + VALID_FOR
    statement = as_statement(_verdict(question, status, now, expires, s))
    envelope = s.signer.sign(payload_of(statement), PAYLOAD_TYPE)
    version = question.version
    row = VerdictRow(version.workspace, version.model, version.version, str(question.target), envelope, expires)
    with s.store.transaction() as tx:
        check_counts(s.signer.key, tx)  # it may have been retired since we looked
        tx.verdicts.put(row)
    return row


def _verdict(question: GateQuery, status: ApprovalStatus, now: datetime, expires: datetime, s: Services) -> Vsa:
    request, version = status.request, question.version
    with s.store.transaction() as tx:
        rule = tx.policy().rule_for(version.workspace, (request or question).version.model, question.target)
    return Vsa(
        version=version,
        target=question.target,
        passed=status.result.allowed,
        files=status.result.artifacts,
        rule=rule.label if rule else "gone from the policy",
        rule_hash=request.rule_hash if request else "",
        inputs=status.inputs,
        made_at=now,
        expires_at=expires,
    )


def tag_of(target: Target) -> str:
    """Named as the tags of attestations are, so that MLflow takes it whatever the target is called."""
    return "countersign.verdict." + tag_prefix(target).removeprefix(TAG_PREFIX).removesuffix(".")


def _is_void_approval(status: ApprovalStatus) -> bool:
    """A signed approval that stands no longer: its envelope is on the version, for everybody to believe."""
    was_approved = status.request is not None and status.request.state is not State.REJECTED
    return was_approved and status.envelope is not None and not status.result.allowed


def _is_outdated(row: VerdictRow, status: ApprovalStatus, now: datetime) -> bool:
    """It has less than half its time left, or says nothing of a decision that came after it."""
    decided_at = status.request.decided_at if status.request else None
    made_at = row.expires_at - VALID_FOR
    return row.expires_at - now < RENEWED_BEFORE or (decided_at is not None and decided_at >= made_at)


def _passes(row: VerdictRow) -> bool:
    try:
        return read_vsa(json.loads(payload_in(row.envelope)), "").passed
    except (NotVerified, InvalidStatement, ValueError):
        return False  # somebody has changed the row: the next one is made anew


def _is_retired(tx: Transaction, s: Services) -> bool:
    """Verdicts then run out by themselves; a decision that waits for its signature is parked with the mend (`signing`)."""
    known = tx.keys.find(s.signer.key.id)
    if known is None or known.retired_seq is None:
        return False
    mend = "name another key in COUNTERSIGN_SIGNING_KEY and restart the worker"
    log.warning("no_verdicts", key=known.id[:12], why=f"retired: {known.retired_because}", next=mend)
    return True


def _holders(workspace: str, model: str, target: Target, tx: Transaction) -> set[VersionId]:
    held = tx.registry.placements(workspace, model)
    return {place.version for place in held if place.target == target and place.request_id is not None}
