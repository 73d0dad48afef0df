"""The passkeys that count at the gate, from a list that its operator keeps, so that the bot's key alone approves nothing: `--passkeys`.

A person's signature is over the version, the target, the evidence and the meaning of their vote. With the list, whose passkey it is does
not rest on the bot's word any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from bot.assertions import passkey_in
from bot.domain.attestation.gate import (
    GateQuery,
    GateResult,
    Reason,
    ReasonCode,
    VerifiedStatement,
    denied,
    misfit,
    newest_decision,
    without_passkey,
)
from bot.domain.model import Verdict
from bot.errors import NotVerified, Refused
from bot.gate.offline import Ring, read_approval, read_each

Pinned: TypeAlias = "frozenset[tuple[str, str, str]]"  # the person's id, the credential, and the public key
GIVE = "Give the output of `countersign passkeys list --json`, without the passkeys that you do not trust."


def read_passkeys(file: Path) -> Pinned:
    """Those in the list, but for passkeys that no one has confirmed yet. Raises Refused."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as trouble:
        why = getattr(trouble, "strerror", None) or "it is no JSON"
        raise Refused(f"the list of passkeys {file} cannot be read: {why}. {GIVE}") from None
    rows = found if isinstance(found, list) else []
    pinned = frozenset(_passkey(row, file) for row in rows if not _is_waiting(row))
    if not pinned:
        raise Refused(f"the list of passkeys {file} has no confirmed passkey, so nothing could be approved. {GIVE}")
    return pinned


def demand_pinned(
    pinned: Pinned | None, question: GateQuery, result: GateResult, envelopes: Mapping[str, str], ring: Ring
) -> GateResult:
    """Denies what is allowed unless its decision rests on votes by these passkeys, for the files that it names.

    With None, any passkey counts that the bot's key vouches for.
    """
    if pinned is None or not result.allowed:
        return result

    def read(statement: Mapping[str, object], where: str) -> VerifiedStatement:
        return _read_pinned(statement, where, pinned)

    claims, doubts = read_each(envelopes, ring, read)
    lacking = [*without_passkey(question, claims), *_unmet(question, result, claims)]
    return denied(question, *lacking, *doubts) if lacking else result


def _passkey(row: object, file: Path) -> tuple[str, str, str]:
    said = [row.get(name) for name in ("person", "credential", "public_key")] if isinstance(row, dict) else [None]
    if not all(isinstance(one, str) and one for one in said):
        raise Refused(f"the list of passkeys {file} has an entry without person, credential and public_key. {GIVE}")
    person, credential, key = map(str, said)
    return person, credential, key


def _is_waiting(row: object) -> bool:
    return isinstance(row, dict) and str(row.get("state", "")).startswith("waits")


def _read_pinned(statement: Mapping[str, object], where: str, pinned: Pinned) -> VerifiedStatement:
    """A vote or decision. Raises InvalidStatement, and NotVerified for a vote by a passkey that is not in the list."""
    claim, signed = read_approval(statement, where), passkey_in(statement)
    if claim.passkey is None or signed is None:
        return claim
    if (claim.passkey.id, signed.credential, signed.public_key) not in pinned:
        raise NotVerified("the list given with --passkeys does not have its passkey as this person's")
    return claim


def _unmet(question: GateQuery, result: GateResult, claims: Sequence[VerifiedStatement]) -> Iterator[Reason]:
    """What the decision lacks beyond the signatures that it names itself: the bot's key could leave them out, or name other files."""
    decision = newest_decision(question, claims)
    if decision is None or not decision.demand.votes:
        sentence = (
            f"{question.version} is not approved for {question.target} by a decision that rests on votes by passkey, which --passkeys "
            "demands. Have it approved with a passkey, or leave --passkeys out."
        )
        yield Reason(ReasonCode.NO_PASSKEY, sentence)
        return
    for vote in claims:
        is_its = vote.passkey in decision.demand.votes and vote.verdict is Verdict.APPROVE
        if is_its and misfit(vote, question) is None and _files(vote) != (result.artifacts, decision.outside):
            sentence = f"{vote.where} was signed with a passkey for other files than {decision.where} names. Ask who has the bot's key."
            yield Reason(ReasonCode.NO_PASSKEY, sentence)


def _files(vote: VerifiedStatement) -> tuple[str, tuple[str, ...]]:
    return vote.artifacts, vote.outside
