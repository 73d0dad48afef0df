"""Effects: short-lived verdicts, so that serving survives an outage of the bot. They travel as tags on the version.

One is made when a target has moved, renewed by the clock while the approval is valid, and followed by one that says FAILED as soon as it no
longer is: after a rejection, a rollback, or a change that made it stale.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.domain.attestation.decision import TAG_PREFIX, payload_of, tag_prefix
from bot.domain.attestation.gate import GateQuery, ReasonCode
from bot.domain.attestation.in_toto import uri_of
from bot.domain.attestation.vsa import Vsa, as_statement, read_vsa
from bot.domain.events import VerdictSigned
from bot.domain.model import State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.registry.snapshot import VersionSnapshot
from bot.engine.lanes import Lane, model_lane
from bot.errors import InvalidStatement, NotVerified, Permanent
from bot.services import Services
from bot.signatures import PAYLOAD_TYPE, digest_of
from bot.signatures import payload_of as payload_in
from bot.store.attestations import KnownKey, VerdictRow
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction
from handlers.attestation.approval_status import ApprovalStatus, approval_status, question_about
from handlers.attestation.signing import check_counts, register_key
from handlers.custody.belief import check_not_doubted, check_row_believed

log = structlog.get_logger()
VALID_FOR = timedelta(hours=24)
RENEWED_BEFORE = timedelta(hours=12)  # how long an outage of the bot may last at the least
A_MOMENT = timedelta(minutes=1)  # between two sweeps, which find out whether the registry is another one


def renew_verdict(request_id: str, s: Services) -> None:
    """Brings the verdicts of this request's target up to date: of its version, of the target's holders, and of those that had one before.

    The registry is asked only about versions whose verdict may change, or was not seen on the version since the request last changed.
    What our own move has read a moment ago is not read again, and only what is said against a version needs the registry's identity: in
    another registry, versions would be said to have lost their approval.
    """
    now = s.clock.now()
    with s.store.transaction() as tx:
        key = tx.keys.find(s.signer.key.id)
        if key is not None and key.retired_seq is not None:
            _warn_retired(key)
            return
        request = tx.requests.get(request_id)
        due, registry = _due(request, tx, now), tx.trust.find(request.version.workspace)
    if not due:
        return
    says_nothing_bad = all(one.is_allowed for one in due)
    if says_nothing_bad:
        check_not_doubted(registry)
    else:
        check_row_believed(registry, s)
    if key is None:
        register_key(s)
    for verdict in due:
        if verdict.just_moved and _is_on_its_way(verdict, s):
            continue
        seen = s.registry_at(verdict.workspace).find_version(verdict.workspace, verdict.model, verdict.number)
        if says_nothing_bad and (seen is None or seen.id != verdict.judged_version):
            check_row_believed(registry, s)
        if seen is not None:
            _renew(seen, verdict, s)


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


@dataclass(frozen=True)
class Judged:
    """`rule` is the label of the rule in force."""

    question: GateQuery
    status: ApprovalStatus
    rule: str

    @property
    def allowed(self) -> bool:
        return self.status.result.allowed


@dataclass(frozen=True)
class Due:
    """A version whose verdict is to be looked at. `held` are the versions that hold the target by a request of ours.

    `judged` is about the version as our own rows name it; None where they do not. `just_moved`: we have moved the target to it within
    the last minute, and read the registry before and after.
    """

    workspace: str
    model: str
    number: int
    target: Target
    row: VerdictRow | None
    held: frozenset[VersionId]
    judged: Judged | None = None
    just_moved: bool = False

    @property
    def is_allowed(self) -> bool:
        """By our own rows."""
        return self.judged is not None and self.judged.allowed

    @property
    def judged_version(self) -> VersionId | None:
        return self.judged.question.version if self.judged else None

    @property
    def sending(self) -> str:
        """The key under which the digest of the verdict that the version carries is kept."""
        return f"verdict:{self.workspace}/{self.model}/{self.number}:{self.target}"


def _due(request: TransitionRequest, tx: Transaction, now: datetime) -> list[Due]:
    """In the order of the versions' numbers."""
    workspace, model, target = request.version.workspace, request.target_model, request.target
    held = frozenset(
        place.version
        for place in tx.registry.placements(workspace, model)
        if place.target == target and place.request_id is not None
    )
    rows = tx.verdicts.of(workspace, model, str(target))
    own = {request.version.version} if request.version.model == model else set[int]()
    numbers = {*rows, *own, *(version.version for version in held)}
    known = _known_versions(request, numbers, held, tx)
    moved = _just_moved(request, now)
    due = [
        Due(
            workspace,
            model,
            number,
            target,
            rows.get(number),
            held,
            _judge_known(known.get(number), target, tx, now),
            just_moved=moved and known.get(number) == request.version,
        )
        for number in sorted(numbers)
    ]
    since = max(filter(None, (request.opened_at, request.decided_at, request.settled_at)))
    carried = SentRows(tx.connection).digests([one.sending for one in due], since)
    return [one for one in due if not _is_done(one, carried.get(one.sending), now)]


def _just_moved(request: TransitionRequest, now: datetime) -> bool:
    settled_at = request.settled_at
    return request.state is State.APPLIED and settled_at is not None and abs(now - settled_at) < A_MOMENT


def _known_versions(
    request: TransitionRequest, numbers: Collection[int], held: Collection[VersionId], tx: Transaction
) -> dict[int, VersionId]:
    """By number, as far as our own rows tell. Of copies nothing is known: what they were copied from is for the registry to say."""
    if request.target.kind is TargetKind.MODEL:
        return {}
    here = (request.version, *held)  # of one number, the one that holds the target counts
    known = {version.version: version for version in here}
    if set(numbers) <= set(known):
        return known
    applied = tx.requests.find(
        workspace=request.version.workspace,
        model=request.version.model,
        target=request.target,
        states=(State.APPLIED,),
    )
    return {one.version.version: one.version for one in applied} | known


def _judge_known(known: VersionId | None, target: Target, tx: Transaction, now: datetime) -> Judged | None:
    return _judge(GateQuery(known, target), tx, now) if known else None


def _judge(question: GateQuery, tx: Transaction, now: datetime) -> Judged:
    status = approval_status(question, tx, now)
    approved = status.request.version if status.request else question.version
    rule = tx.policy().rule_for(question.version.workspace, approved.model, question.target)
    return Judged(question, status, rule.label if rule else "gone from the policy")


def _is_done(due: Due, carried: str | None, now: datetime) -> bool:
    """Whether our own rows say that nothing is to be changed, and that the version carries the verdict that it should."""
    judged = due.judged
    if judged is None:
        return False
    if _runs_out(judged, due):
        return True
    return due.row is not None and _is_current(due.row, judged, now) and carried == digest_of(due.row.envelope)


def _is_on_its_way(due: Due, s: Services) -> bool:
    """Sends the first verdict on a version. False when there was one before, or the registry does not take it."""
    if due.judged is None or not due.is_allowed or due.row is not None:
        return False
    row = _sign(due.judged, s.clock.now(), s)
    try:
        s.registry_at(due.workspace).tag_version(due.model, due.number, {tag_of(due.target): row.envelope})
    except Permanent:
        return False  # it was deleted, perhaps: the registry says so
    _note_sent(due, row, s)
    return True


def _renew(seen: VersionSnapshot, due: Due, s: Services) -> None:
    now, row, judged = s.clock.now(), due.row, due.judged
    if judged is None or judged.question.version != seen.id:
        question = question_about(seen, due.target, s)
        with s.store.transaction() as tx:
            judged = _judge(question, tx, now)
    if row is None and not judged.allowed and not _is_void_approval(judged.status):
        return  # nothing was ever said of it
    if _runs_out(judged, due):
        return
    if row is None or not _is_current(row, judged, now):
        row = _sign(judged, now, s)
    tag = tag_of(due.target)
    if seen.tags.get(tag) != row.envelope:
        s.registry_at(seen.id.workspace).tag_version(seen.id.model, seen.id.version, {tag: row.envelope})
    _note_sent(due, row, s)


def _note_sent(due: Due, row: VerdictRow, s: Services) -> None:
    with s.store.transaction() as tx:
        SentRows(tx.connection).put(due.sending, digest_of(row.envelope), s.clock.now())


def _runs_out(judged: Judged, due: Due) -> bool:
    """It gave way to another version: what was said of it expires without anything being done."""
    holds = judged.question.version in due.held
    return judged.allowed and not holds and (due.row is None or _passes(due.row))


def _is_current(row: VerdictRow, judged: Judged, now: datetime) -> bool:
    return _passes(row) is judged.allowed and not _is_outdated(row, judged.status, now)


def _sign(judged: Judged, now: datetime, s: Services) -> VerdictRow:
    expires = now + VALID_FOR
    envelope = s.signer.sign(payload_of(as_statement(_verdict(judged, now, expires))), PAYLOAD_TYPE)
    version = judged.question.version
    row = VerdictRow(version.workspace, version.model, version.version, str(judged.question.target), envelope, expires)
    with s.store.transaction() as tx:
        check_counts(s.signer.key, tx)  # it may have been retired since we looked
        tx.verdicts.put(row)
        tx.record([_signed_event(row, judged, s.signer.key.id, now)])
    return row


def _signed_event(row: VerdictRow, judged: Judged, key: str, now: datetime) -> VerdictSigned:
    uri, target = uri_of(judged.question.version), judged.question.target
    return VerdictSigned(now, row.workspace, uri, target, judged.allowed, row.expires_at, key, digest_of(row.envelope))


def _verdict(judged: Judged, now: datetime, expires: datetime) -> Vsa:
    request = judged.status.request
    return Vsa(
        version=judged.question.version,
        target=judged.question.target,
        passed=judged.allowed,
        files=judged.status.result.artifacts,
        rule=judged.rule,
        rule_hash=request.rule_hash if request else "",
        inputs=judged.status.inputs,
        made_at=now,
        expires_at=expires,
        sealed=judged.status.result.sealed,
    )


def tag_of(target: Target) -> str:
    """Named as the tags of attestations are, so that MLflow accepts it for every name of a target."""
    return "countersign.verdict." + tag_prefix(target).removeprefix(TAG_PREFIX).removesuffix(".")


def _is_void_approval(status: ApprovalStatus) -> bool:
    """A signed approval that is no longer valid. Its envelope is still on the version, where a gate would believe it.

    One that only waits for its seal is none: the envelope itself says that its files have to be sealed.
    """
    waits = status.request is not None and status.request.state is State.APPROVED
    if waits and {reason.why for reason in status.result.reasons} == {ReasonCode.NOT_SEALED}:
        return False
    was_approved = status.request is not None and status.request.state is not State.REJECTED
    return was_approved and status.envelope is not None and not status.result.allowed


def _is_outdated(row: VerdictRow, status: ApprovalStatus, now: datetime) -> bool:
    """It has less than half its time left, or says nothing of a decision that came after it."""
    seal = status.request.sealing.seal if status.request else None
    newest = (status.request.decided_at if status.request else None, seal.sealed_at if seal else None)
    made_at = row.expires_at - VALID_FOR
    return row.expires_at - now < RENEWED_BEFORE or any(at is not None and at >= made_at for at in newest)


def _passes(row: VerdictRow) -> bool:
    try:
        return read_vsa(json.loads(payload_in(row.envelope)), "").passed
    except (NotVerified, InvalidStatement, ValueError):
        return False  # the row was changed by hand: a new one is made


def _warn_retired(key: KnownKey) -> None:
    """Verdicts then expire without being renewed; a decision that waits for its signature is parked with the advice (`signing`)."""
    fix = "name another key in COUNTERSIGN_SIGNING_KEY and restart the worker"
    log.warning("no_verdicts", key=key.id[:12], why=f"retired: {key.retired_because}", next=fix)
