"""Whether an approval is valid, by the bot's own rows: what the gate's route answers, and what verdicts are made from.

The same pure judgement as offline, over the envelopes of the database instead of the tags, and then what no envelope can know: a key
that was retired, a rollback since, an approval that went stale or waits for the end of a freeze, and a version that is back by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.attestation.counting import newest_verdict, that_count
from bot.domain.attestation.decision import verdict_of
from bot.domain.attestation.gate import (
    GateQuery,
    GateResult,
    Reason,
    ReasonCode,
    VerifiedStatement,
    judge,
    may_be_copy,
    original_of,
)
from bot.domain.attestation.in_toto import identity_digest
from bot.domain.attestation.sealed_places import not_sealed
from bot.domain.attestation.sealing import seal_of_approved
from bot.domain.model import DECISION, VOTE, State, Target, TargetKind, TransitionRequest, Verdict
from bot.domain.policy.freezes import FreezeNow, freeze_on
from bot.domain.registry.custody import Basis, custody_of
from bot.domain.registry.facts import is_about, last_word, rejected_by_review
from bot.domain.registry.model_uri import source_of
from bot.domain.registry.names import Renamed, present_name, target_now, under_present_name
from bot.domain.registry.snapshot import VersionSnapshot
from bot.domain.request.rollback import failure_of
from bot.gate.offline import read_approval, read_each
from bot.services import Services
from bot.signatures import APPROVALS, TrustedKey, digest_of
from bot.store.attestations import Attestation, KnownKey
from bot.store.transaction import Transaction
from handlers.custody.facts import Place, decided_at, decisions_for, on_record


@dataclass(frozen=True)
class ApprovalStatus:
    """`request` is the one of the newest decision, `envelope` that decision's, `inputs` are the digests of all envelopes looked at.

    `votes` are the envelopes of its votes, when some were signed by passkey: who verifies the decision needs those signatures.
    """

    result: GateResult
    request: TransitionRequest | None
    envelope: str | None
    inputs: tuple[str, ...]
    votes: tuple[str, ...] = ()


def question_about(seen: VersionSnapshot, target: Target, s: Services) -> GateQuery:
    """A copy in its own target model lives on the approval of the version that it was made from."""
    origin = source_of(seen.source) if may_be_copy(seen.id, target) else None
    if origin is None:
        return GateQuery(seen.id, target)
    with s.store.transaction() as tx:
        renames = tx.custody.renames(seen.id.workspace)
    source = s.registry_at(seen.id.workspace).find_version(
        seen.id.workspace, present_name(origin[0], seen.id.created, renames), origin[1]
    )
    return GateQuery(seen.id, target, original_of(seen, source))


def approval_status(question: GateQuery, tx: Transaction, now: datetime) -> ApprovalStatus:
    basis = _basis(question, tx, now)
    requests = _requests_about(question, basis, tx)
    renames = tx.custody.renames(question.version.workspace)
    newest = newest_verdict(requests)
    attestations = [one for request in requests for one in tx.attestations.of(request.id)]
    claims, doubts = _read(attestations, tx)
    claims = [_under_present_name(claim, renames) for claim in claims]
    result = judge(question, claims, [*doubts, *_elsewhere(question, tx)], now=now)
    called_off = newest is not None and newest.state is State.CALLED_OFF
    objections = list(_objections(question, requests, basis, tx, now)) if result.allowed or called_off else []
    if objections:
        result = replace(result, allowed=False, reasons=tuple(objections))
    result = _as_sealed(question, result, newest, tx)
    signed = [one for one in attestations if newest and (one.request_id, one.about) == (newest.id, DECISION)]
    votes = _votes_by_passkey(newest, attestations)
    return ApprovalStatus(
        result, newest, signed[0].envelope if signed else None, tuple(one.digest for one in attestations), votes
    )


def _as_sealed(
    question: GateQuery, result: GateResult, newest: TransitionRequest | None, tx: Transaction
) -> GateResult:
    """With the place where the files are sealed, whatever the rule says by now. Where it seals, what is not sealed may not ship yet."""
    if not result.allowed or newest is None:
        return result
    seal = seal_of_approved(newest)
    if seal is not None:
        return replace(result, sealed=seal.at)
    version = question.source or question.version
    rule = tx.policy().rule_for(version.workspace, version.model, question.target)
    if rule is None or rule.seal is None:
        return result
    reason = not_sealed(question, rule.seal.to, newest.sealing.hindered)
    return replace(result, allowed=False, reasons=(reason,))


def _votes_by_passkey(newest: TransitionRequest | None, attestations: Sequence[Attestation]) -> tuple[str, ...]:
    if newest is None or not any(vote.passkey for vote in newest.votes):
        return ()
    return tuple(one.envelope for one in attestations if (one.request_id, one.about) == (newest.id, VOTE))


def _requests_about(question: GateQuery, basis: Basis | None, tx: Transaction) -> list[TransitionRequest]:
    """By whatever name the model had when they were decided."""
    versions = [version for version in (question.version, question.source) if version is not None]
    about = [one for one in decisions_for(_place_of(question), tx, versions) if one.version in versions]
    holds_by_approval = basis in (Basis.APPROVED, Basis.RATIFIED)
    return that_count(about, question.version) if holds_by_approval else about


def _place_of(question: GateQuery) -> Place:
    target, version = question.target, question.version
    model = target.name if target.kind is TargetKind.MODEL else version.model
    return Place(version.workspace, model, target)


def _under_present_name(claim: VerifiedStatement, renames: Sequence[Renamed]) -> VerifiedStatement:
    """What was signed under a former name counts for the same version under the present one. Only the bot knows that, not the envelope."""
    version = under_present_name(claim.version, claim.at, renames)
    is_itself = claim.identity == identity_digest(claim.version)
    if not is_itself or version == claim.version:
        return claim
    target = target_now(claim.target, claim.at, renames)
    return replace(claim, version=version, target=target, identity=identity_digest(version))


def _elsewhere(question: GateQuery, tx: Transaction) -> list[Reason]:
    """Says for which other targets it is approved, in case the question names the wrong one."""
    approved = tx.requests.find(version=question.version, states=(State.APPROVED, State.APPLIED))
    others = sorted({str(request.target) for request in approved} - {str(question.target)})
    return [
        Reason(ReasonCode.OTHER_TARGET, f"{question.version} is approved for {other}, not for {question.target}.")
        for other in others
    ]


def _read(attestations: Iterable[Attestation], tx: Transaction) -> tuple[list[VerifiedStatement], list[Reason]]:
    """Each that the ledger vouches for, with the keys that counted at its place there."""
    keys = [key for key in tx.keys.recorded().values() if key.purpose == APPROVALS]
    claims: list[VerifiedStatement] = []
    doubts: list[Reason] = []
    for one in attestations:
        ring = {key.id: TrustedKey(key.id, key.algorithm, key.pem) for key in keys if key.covers(one.seq)}
        retired = next((key for key in keys if key.id == one.key_id and key.id not in ring), None)
        if not tx.evidence.recorded_digest(one.seq) == one.digest == digest_of(one.envelope):
            doubts.append(_not_recorded(one))
        elif retired is not None:
            doubts.append(_retired(one, retired))
        else:
            read, doubted = read_each({f"the {_name(one)}": one.envelope}, ring, read_approval)
            claims += read
            doubts += doubted
    return claims, doubts


def _objections(
    question: GateQuery, requests: Sequence[TransitionRequest], basis: Basis | None, tx: Transaction, now: datetime
) -> Iterator[Reason]:
    newest = newest_verdict(requests)
    if newest is None:
        return
    denied = _denied_copy(question, tx)
    if denied is not None:
        yield Reason(
            ReasonCode.REJECTED, f"{question.version} was put back: {denied.outcome.rstrip('.')}. Ship another version."
        )
    if newest.state is State.CALLED_OFF:
        why = f"The approval for {question.target} was called off: {newest.outcome.rstrip('.')}. Ask anew."
        yield Reason(ReasonCode.CALLED_OFF, why)
    elif verdict_of(newest) is Verdict.REJECT:  # and not signed yet, or the envelopes would have said so
        yield Reason(ReasonCode.REJECTED, f"{newest.version} was rejected for {question.target}: {newest.outcome}.")
    if newest.state is State.STALE:
        yield Reason(
            ReasonCode.STALE,
            f"The approval for {question.target} did not hold: {newest.outcome.rstrip('.')}. Ask anew.",
        )
    freeze = _freeze(newest, tx, now) if newest.state is State.APPROVED else None
    if freeze is not None:
        until = f"{freeze.until:%Y-%m-%d %H:%M} UTC"
        yield Reason(ReasonCode.FROZEN, f"Approved, but the freeze {freeze.name} holds it back until {until}.")
    if basis is Basis.FOREIGN and _is_covered(question, tx):
        yield Reason(
            ReasonCode.MOVED_BY_HAND,
            f"{question.version} was approved for {question.target} once, and is back there by hand since. Have it approved again, or "
            "ship the version that may hold it.",
        )
    yield from _rejected_by_review(question, requests)
    failure = _failure(question, newest, tx)
    if failure:
        yield Reason(
            ReasonCode.ROLLED_BACK,
            f"{question.version} was {failure}. Have it approved again, or ship another version.",
        )


def _freeze(approved: TransitionRequest, tx: Transaction, now: datetime) -> FreezeNow | None:
    """The one that is on by the policy, also where no move has met it yet; else the one that has held it back and is not over."""
    until = approved.frozen_until
    known = FreezeNow(approved.frozen_by, until) if until is not None and until > now else None
    return freeze_on(approved, tx.policy(), now) or known


def _rejected_by_review(question: GateQuery, requests: Sequence[TransitionRequest]) -> Iterator[Reason]:
    """No envelope has what the review of a broken glass said, only our rows."""
    last = max((one for one in requests if verdict_of(one) is not None), key=last_word, default=None)
    review = rejected_by_review(last) if last is not None else None
    if last is not None and review is not None:
        yield Reason(
            ReasonCode.REJECTED,
            f"{last.version} got {question.target} by a broken glass, and its review rejected that: {review.reason.rstrip('.')}. "
            "Ship another version.",
        )


def _denied_copy(question: GateQuery, tx: Transaction) -> TransitionRequest | None:
    """A copy that was put back stays denied, whatever is approved of the version that it was made from."""
    if question.source is None:
        return None
    about = [
        one for one in decisions_for(_place_of(question), tx, (question.version,)) if is_about(one, question.version)
    ]
    newest = newest_verdict(about)
    return newest if newest is not None and verdict_of(newest) is Verdict.REJECT else None


def _is_covered(question: GateQuery, tx: Transaction) -> bool:
    """Whether a rule covers the target, so that a holder without a right to it is foreign, as `countersign list` says of it."""
    place = _place_of(question)
    return tx.policy().rule_for(place.workspace, place.model, place.target) is not None


def _basis(question: GateQuery, tx: Transaction, now: datetime) -> Basis | None:
    """None if it does not hold the target."""
    held = custody_of(on_record(_place_of(question), tx, now)).of(question.version)
    return held.basis if held is not None else None


def _failure(question: GateQuery, newest: TransitionRequest, tx: Transaction) -> str:
    decided = decided_at(_place_of(question), newest.version.model, tx, (newest.version,))
    return failure_of(newest.version, decided)


def _not_recorded(one: Attestation) -> Reason:
    sentence = f"The {_name(one)} does not count: ledger entry {one.seq} vouches for no such envelope. Run countersign audit verify."
    return Reason(ReasonCode.NOT_VERIFIED, sentence)


def _retired(one: Attestation, key: KnownKey) -> Reason:
    if key.retired_seq is None or one.seq < key.retired_seq:
        why = "was not registered for approvals when it signed"
    else:
        why = f"had been retired before it signed: {key.retired_because}"
    return Reason(ReasonCode.RETIRED_KEY, f"The {_name(one)} does not count: key {key.id[:12]} {why}.")


def _name(one: Attestation) -> str:
    return f"{one.about} {one.digest[:8]} of request {one.request_id[:8]}"
