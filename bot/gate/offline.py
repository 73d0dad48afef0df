"""The gate without the bot: approvals and verdicts in the version's tags, verified with a public key.

A tag itself proves nothing: anyone who may write to the registry can copy, delete or restore one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot.assertions import proven_by
from bot.domain.attestation.gate import (
    GateQuery,
    GateResult,
    Reason,
    ReasonCode,
    VerifiedStatement,
    denied,
    judge,
    newest_decision,
    read_claim,
    without_passkey,
)
from bot.domain.attestation.sealed_places import sealed_as_demanded
from bot.domain.attestation.vsa import read_vsa, revoked, sealed_place, vouched
from bot.errors import InvalidStatement, NotVerified
from bot.language import capitalised
from bot.signatures import TrustedKey, verify

ATTESTATIONS = "countersign.attestation."
VERDICTS = "countersign.verdict."

Ring = Mapping[str, TrustedKey]
Said = TypeVar("Said")


def judge_tags(
    question: GateQuery, tags: Mapping[str, str], ring: Ring, now: datetime, max_age: timedelta | None
) -> GateResult:
    """What the version's tags prove. A negative verdict after the decision denies; a positive one satisfies `max_age`."""
    claims, doubts = read_each(approvals_in(tags), ring, read_approval)
    result = judge(question, claims, doubts, now=now, max_age=max_age)
    if result.reasons[0].why is ReasonCode.TOO_OLD:
        renewed = judge_verdicts(question, tags, ring, now, max_age)
        return renewed if renewed.allowed else replace(result, reasons=(*result.reasons, *renewed.reasons))
    newest = newest_decision(question, claims)
    if newest is None or not result.allowed:
        return result
    vouchings, _ = read_each(_tagged(tags, VERDICTS), ring, read_vsa)
    against = revoked(question, vouchings, newest.at)
    if against:
        return denied(question, against)
    return sealed_as_demanded(question, result, newest.seal, sealed_place(question, vouchings, result.artifacts))


def judge_verdicts(
    question: GateQuery, tags: Mapping[str, str], ring: Ring, now: datetime, max_age: timedelta | None
) -> GateResult:
    """What the short-lived verdicts in the tags say. They name the files; the approval has their size.

    A verdict is the bot's word. It does not replace the signature of a person that the decision in the tags demands.
    """
    vouchings, doubts = read_each(_tagged(tags, VERDICTS), ring, read_vsa)
    result = vouched(question, vouchings, doubts, now=now, max_age=max_age)
    claims, unread = read_each(approvals_in(tags), ring, read_approval)
    unsigned = without_passkey(question, claims)
    if unsigned and result.allowed:
        return denied(question, *unsigned, *unread)
    newest = newest_decision(question, claims)
    result = sealed_as_demanded(question, result, newest.seal if newest else "", result.sealed)
    sizes = {claim.artifacts: claim.size for claim in claims}
    return replace(result, size=sizes.get(result.artifacts)) if result.artifacts else result


def approvals_in(tags: Mapping[str, str]) -> Mapping[str, str]:
    """The envelopes of votes and decisions, by where they are."""
    return _tagged(tags, ATTESTATIONS)


def read_approval(statement: Mapping[str, object], where: str) -> VerifiedStatement:
    """A vote or decision, with what the voter's own passkey signed. Raises InvalidStatement, and NotVerified for a wrong signature."""
    return read_claim(statement, where, proven_by(statement))


def read_each(
    envelopes: Mapping[str, str], ring: Ring, read: Callable[[Mapping[str, object], str], Said]
) -> tuple[list[Said], list[Reason]]:
    """The statements in envelopes signed by a key of the ring, and why the other envelopes do not count, by where they were found."""
    said, doubts = [], []
    for where, envelope in sorted(envelopes.items()):
        try:
            said.append(read(verify(envelope, ring).statement, capitalised(where)))
        except (NotVerified, InvalidStatement) as trouble:
            doubts.append(_doubt(where, trouble))
    return said, doubts


def _tagged(tags: Mapping[str, str], beginning: str) -> Mapping[str, str]:
    """Tags by the start of their names. The rest of a name is untrusted; only the signed content counts."""
    return {f"the tag {tag}": text for tag, text in tags.items() if tag.startswith(beginning)}


def _doubt(where: str, trouble: NotVerified | InvalidStatement) -> Reason:
    why = ReasonCode.NOT_VERIFIED if isinstance(trouble, NotVerified) else ReasonCode.NOT_OURS
    said = str(trouble).rstrip(".")
    return Reason(
        why, f"{capitalised(where)} does not count: {said if why is ReasonCode.NOT_VERIFIED else f'it {said}'}."
    )
