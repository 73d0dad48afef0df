"""What a card shows for the vote, as a digest that its buttons carry, so that the notifier's signature covers it together with the vote."""

from __future__ import annotations

import hashlib

import rfc8785

from bot.domain.ledger.chain import as_plain
from bot.domain.model import TransitionRequest

SEPARATOR = "."  # no id of ours has one


def shown_on(request: TransitionRequest, rule_hash: str) -> str:
    """The sha256, in hex, of version, target, frozen evidence and rule. A card that an earlier release drew has none."""
    about = {
        "version": as_plain(request.version),
        "target": str(request.target),
        "evidence": as_plain(request.evidence),
        "rule": rule_hash,
    }
    return hashlib.sha256(rfc8785.dumps(about)).hexdigest()


def vote_value(request: TransitionRequest, rule_hash: str) -> str:
    """What a button for a vote carries."""
    return f"{request.id}{SEPARATOR}{shown_on(request, rule_hash)}"


def read_value(value: str) -> tuple[str, str]:
    """The request's id, and what the card showed; the latter is empty for buttons without it."""
    id_, _, shown = value.partition(SEPARATOR)
    return id_, shown
