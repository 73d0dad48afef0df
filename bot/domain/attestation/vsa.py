"""Short-lived verdicts (SLSA Verification Summary v1): the bot's recent statement that an approval is valid, so that serving survives an
outage of the bot. `handlers.attestation.vsa` makes and renews them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.domain.attestation import in_toto
from bot.domain.attestation.gate import GateQuery, GateResult, Reason, ReasonCode, denied, from_the_future
from bot.domain.attestation.in_toto import ARTIFACTS, identity_digest, uri_of
from bot.domain.attestation.sealed_places import place_as_plain, place_from_plain
from bot.domain.model import Target, VersionId
from bot.domain.seals.places import SealedAt
from bot.errors import InvalidStatement

if TYPE_CHECKING:
    from bot.domain.ledger.chain import Plain

VERIFIER = "urn:countersign"
LEVEL = "COUNTERSIGN_APPROVED"  # custom levels must not start with SLSA_
EXPIRES = "urn:countersign:expires"  # the standard has no expiry; names of extensions are URIs
SEALED = "urn:countersign:sealed"  # where exactly these files are kept
PASSED, FAILED = "PASSED", "FAILED"


@dataclass(frozen=True)
class Vsa:
    """`files` is the digest of the version's files in the approval, `inputs` the digests (hex) of all envelopes that it rests on."""

    version: VersionId
    target: Target
    passed: bool
    files: str
    rule: str
    rule_hash: str
    inputs: tuple[str, ...]
    made_at: datetime
    expires_at: datetime
    sealed: SealedAt | None = None


@dataclass(frozen=True)
class Vouching:
    """The content of one verified verdict. `where` says where it was found."""

    where: str
    resource: str
    identity: str
    passed: bool
    files: str
    made_at: datetime
    expires_at: datetime
    sealed: SealedAt | None = None


def resource_of(version: VersionId, target: Target) -> str:
    """Contains the target, so that a verdict for staging cannot be used for production."""
    return f"{uri_of(version)}?target={quote(str(target), safe=':')}"


def as_statement(verdict: Vsa) -> Plain:
    inputs: list[Plain] = [
        {"uri": "urn:countersign:attestation", "digest": {"sha256": digest.removeprefix("sha256:")}}
        for digest in verdict.inputs
    ]
    return {
        "_type": in_toto.STATEMENT_TYPE,
        "subject": in_toto.subjects_of(verdict.version, verdict.files),
        "predicateType": in_toto.VERDICT_TYPE,
        "predicate": {
            "verifier": {"id": VERIFIER},
            "timeVerified": verdict.made_at.isoformat(),
            "resourceUri": resource_of(verdict.version, verdict.target),
            "policy": {
                "uri": f"urn:countersign:rule:{quote(verdict.rule, safe=':')}",
                "digest": {"sha256": verdict.rule_hash.removeprefix("sha256:")},
            },
            "inputAttestations": inputs,
            "verificationResult": PASSED if verdict.passed else FAILED,
            "verifiedLevels": [LEVEL] if verdict.passed else [],
            EXPIRES: verdict.expires_at.isoformat(),
            **_sealed_part(verdict),
        },
    }


def _sealed_part(verdict: Vsa) -> dict[str, Plain]:
    return {SEALED: {**place_as_plain(verdict.sealed)}} if verdict.sealed else {}


def read_vsa(statement: Mapping[str, object], where: str) -> Vouching:
    """Raises InvalidStatement."""
    predicate = in_toto.predicate_of(statement, in_toto.VERDICT_TYPE)
    levels, result = predicate.get("verifiedLevels"), in_toto.text(predicate, "verificationResult")
    if result not in (PASSED, FAILED) or not isinstance(levels, list):
        raise InvalidStatement("has no result and levels as Countersign writes them")
    digests = in_toto.digests_of(statement)
    resource = in_toto.text(predicate, "resourceUri")
    files = digests.get(ARTIFACTS, "")
    return Vouching(
        where=where,
        resource=resource,
        identity=digests.get(resource.partition("?")[0], ""),
        passed=result == PASSED and LEVEL in levels,
        files=f"sha256:{files}" if files else "",
        made_at=in_toto.moment(predicate, "timeVerified"),
        expires_at=in_toto.moment(predicate, EXPIRES),
        sealed=place_from_plain(predicate.get(SEALED)),
    )


def vouched(
    question: GateQuery,
    found: Sequence[Vouching],
    doubts: Sequence[Reason] = (),
    *,
    now: datetime,
    max_age: timedelta | None = None,
) -> GateResult:
    """Whether the newest unexpired verdict says that the approval is valid."""
    newest = _newest(question, found)
    if newest is None:
        none = Reason(ReasonCode.NO_APPROVAL, f"{question.version} carries no verdict for {question.target}.")
        return denied(question, none, *doubts)
    if not newest.passed:
        return denied(question, _no_longer(newest))
    if now < newest.made_at - in_toto.CLOCKS_DIFFER:
        return denied(question, from_the_future(newest.where, newest.made_at))
    if now >= newest.expires_at:
        expired = f"{newest.where} expired at {newest.expires_at:%Y-%m-%d %H:%M:%S} UTC."
        return denied(question, Reason(ReasonCode.TOO_OLD, expired))
    if max_age is not None and now - newest.made_at > max_age:
        old = f"{newest.where} was made at {newest.made_at:%Y-%m-%d %H:%M:%S} UTC, longer ago than --max-age allows."
        return denied(question, Reason(ReasonCode.TOO_OLD, old))
    sentence = (
        f"{newest.where} vouches for the approval for {question.target}: made {newest.made_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"good until {newest.expires_at:%Y-%m-%d %H:%M:%S} UTC."
    )
    reason = Reason(ReasonCode.STILL_VOUCHED_FOR, sentence)
    uri = uri_of(question.version)
    return GateResult(True, (reason,), uri, question.target, newest.files, sealed=newest.sealed)


def sealed_place(question: GateQuery, found: Sequence[Vouching], files: str) -> SealedAt | None:
    """By the newest verdict that names a place for exactly these files. It may have expired: bytes do not change."""
    placed = [one for one in found if _speaks_of(one, question) and one.sealed and one.files == files]
    newest = max(placed, key=lambda one: one.made_at, default=None)
    return newest.sealed if newest else None


def revoked(question: GateQuery, found: Sequence[Vouching], decided_at: datetime) -> Reason | None:
    """The newest verdict's reason against an earlier decision. A negative verdict counts also after it has expired."""
    newest = _newest(question, found)
    return _no_longer(newest) if newest and not newest.passed and newest.made_at > decided_at else None


def _no_longer(one: Vouching) -> Reason:
    sentence = (
        f"{one.where} says that the approval no longer stands: made {one.made_at:%Y-%m-%d %H:%M:%S} UTC. "
        "Have the version approved again, or ship another one; --bot tells why."
    )
    return Reason(ReasonCode.ROLLED_BACK, sentence)


def _newest(question: GateQuery, found: Sequence[Vouching]) -> Vouching | None:
    """Of two at the same time, the negative one."""
    about_this = [one for one in found if _speaks_of(one, question)]
    return max(about_this, key=lambda one: (one.made_at, not one.passed), default=None)


def _speaks_of(one: Vouching, question: GateQuery) -> bool:
    return one.resource == resource_of(question.version, question.target) and one.identity == identity_digest(
        question.version
    )
