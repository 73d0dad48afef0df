"""What a signed decision says about passkeys: which of its votes their voters have signed themselves. `gate` demands those signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.attestation import in_toto


@dataclass(frozen=True)
class ByPasskey:
    """That a decision rests on the vote of a person (`id`) who signed the statement with this digest with their own passkey."""

    id: str
    name: str
    statement: str


def votes_by_passkey(predicate: Mapping[str, object]) -> tuple[ByPasskey, ...]:
    """Decisions of releases without passkeys have none. Raises InvalidStatement."""
    approvers = predicate.get("approvers")
    found = (
        [one for one in approvers if isinstance(one, Mapping) and "passkey" in one]
        if isinstance(approvers, list)
        else []
    )
    return tuple(
        ByPasskey(
            in_toto.text(one, "id"),
            in_toto.text(one, "name"),
            in_toto.text(in_toto.mapping(one, "passkey"), "statement"),
        )
        for one in found
    )
