"""Proofs of a few hundred bytes to hand to others: that an entry is in the ledger, or that a checkpoint continues an earlier one.

Verifying one needs only the ledger's public key, no database and no other entry. Making one needs all leaves: `handlers.ledger.audit`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from bot.domain.ledger.chain import Entry, Plain, body_agrees, leaf_of
from bot.domain.ledger.checkpoint import Note, read_note
from bot.domain.ledger.merkle import extends, includes
from bot.errors import InvalidCheckpoint, InvalidProof

MOST_STEPS = 128  # twice the height of any ledger


@dataclass(frozen=True)
class Inclusion:
    """Proves that the checkpoint covers the entry. The chain's head is not part of the proof."""

    entry: Entry
    path: tuple[bytes, ...]
    checkpoint: Note

    def as_plain(self) -> dict[str, Plain]:
        return {"entry": plain_entry(self.entry), **_plain_path(self.path), "checkpoint": str(self.checkpoint)}

    def fault(self) -> str | None:
        """Why it proves nothing; None when it is valid, provided that the checkpoint's signature is."""
        entry, head = self.entry, self.checkpoint.checkpoint
        if entry.leaf != leaf_of(entry.body) or not body_agrees(entry):
            return f"entry {entry.seq} was changed: its body does not say what stands beside it"
        if not includes(head.root, head.size, entry.seq - 1, entry.leaf, self.path):
            return f"entry {entry.seq} is not in the ledger of {head.size} entries that was signed"
        return None


@dataclass(frozen=True)
class Continuation:
    """Proves that the later checkpoint's ledger starts with the earlier one's."""

    before: Note
    path: tuple[bytes, ...]
    checkpoint: Note

    def as_plain(self) -> dict[str, Plain]:
        return {"before": str(self.before), **_plain_path(self.path), "checkpoint": str(self.checkpoint)}

    def fault(self) -> str | None:
        before, head = self.before.checkpoint, self.checkpoint.checkpoint
        if before.origin != head.origin or not extends(before.root, before.size, head.root, head.size, self.path):
            return f"the ledger of {head.size} entries does not begin with the one of {before.size} that was signed earlier"
        return None


Proof: TypeAlias = "Inclusion | Continuation"


def plain_entry(entry: Entry) -> dict[str, Plain]:
    """As exported: the body is exactly the text that was hashed into the leaf."""
    return {
        "seq": entry.seq,
        "at": entry.at.isoformat(),
        "kind": entry.kind,
        "body": entry.body,
        "leaf": entry.leaf.hex(),
        "head": entry.head.hex(),
    }


def read_proof(text: str) -> Proof:
    """Parses without verifying. Raises InvalidProof."""
    try:
        said = json.loads(text)
        path = tuple(base64.b64decode(step, validate=True) for step in said["path"])
        if len(path) > MOST_STEPS:
            raise InvalidProof(f"it has {len(path)} steps, and no ledger is that high")
        make = _inclusion if "entry" in said else _continuation
        return make(said, path, read_note(said["checkpoint"]))
    except (ValueError, TypeError, KeyError, RecursionError, InvalidCheckpoint) as trouble:
        raise InvalidProof(
            f"it is not what `countersign audit prove` prints ({type(trouble).__name__}: {trouble})"
        ) from None


def _inclusion(said: Mapping[str, Mapping[str, str]], path: tuple[bytes, ...], checkpoint: Note) -> Proof:
    entry = said["entry"]
    if not isinstance(entry["body"], str):
        raise TypeError("the entry's body is no text")
    leaf, head = bytes.fromhex(entry["leaf"]), bytes.fromhex(entry["head"])
    at = datetime.fromisoformat(entry["at"])
    return Inclusion(Entry(int(entry["seq"]), at, entry["kind"], entry["body"], leaf, head), path, checkpoint)


def _continuation(said: Mapping[str, str], path: tuple[bytes, ...], checkpoint: Note) -> Proof:
    return Continuation(read_note(said["before"]), path, checkpoint)


def _plain_path(path: tuple[bytes, ...]) -> dict[str, Plain]:
    return {"path": [base64.b64encode(step).decode() for step in path]}
