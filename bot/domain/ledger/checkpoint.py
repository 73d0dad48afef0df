"""A checkpoint of the ledger, written as a C2SP signed note: origin, size and root in three lines, then a signature line.

https://c2sp.org/tlog-checkpoint and https://c2sp.org/signed-note. This module writes, parses and compares notes. Signatures are made in
`bot.clients.signers` and verified in `bot.signatures`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from bot.domain.ledger.merkle import HASH_SIZE
from bot.domain.ledger.pasted import plain_text
from bot.errors import InvalidCheckpoint

ED25519 = b"\x01"  # the algorithm's number in a signed note
KEY_HASH_SIZE = 4  # bytes
ORIGIN = "countersign/"
BASE64 = r"[A-Za-z0-9+/]+={0,2}"
BROKEN_BASE64 = r"[A-Za-z0-9+/]+(?:\s+[A-Za-z0-9+/]+)*={0,2}"
# People paste notes from tickets, pages and reports, which indent lines, add empty lines, wrap long ones, and contain tags.
NOTE = re.compile(
    rf"(?:^|>)[ \t]*(?P<origin>{ORIGIN}[0-9a-f]{{16}})\s+(?P<size>0|[1-9][0-9]{{0,17}})\s+(?P<root>{BASE64})\s+"
    rf"— (?P<name>\S+)\s+(?P<signature>{BROKEN_BASE64})[ \t]*(?=\r?$|<)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Checkpoint:
    """States that the first `size` entries of the ledger `origin` have this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The signed text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A checkpoint with its signature. `hint` are four bytes that identify the key; they prove nothing."""

    checkpoint: Checkpoint
    hint: bytes
    signature: bytes

    def __str__(self) -> str:
        signed = base64.b64encode(self.hint + self.signature).decode()
        return f"{self.checkpoint.text}\n— {self.checkpoint.origin} {signed}\n"


def origin_of(first_leaf: bytes) -> str:
    """A ledger's name comes from its first entry, so that two installations cannot be confused."""
    return f"{ORIGIN}{first_leaf.hex()[:16]}"


def key_hint(origin: str, public_key: bytes) -> bytes:
    """`public_key` are the 32 bytes of an Ed25519 key."""
    return hashlib.sha256(origin.encode() + b"\n" + ED25519 + public_key).digest()[:KEY_HASH_SIZE]


def read_note(text: str) -> Note:
    """The one checkpoint in a text. Raises InvalidCheckpoint."""
    notes = read_notes(text)
    if len(notes) > 1:
        raise InvalidCheckpoint(f"the text holds {len(notes)} checkpoints, and one was expected")
    return notes[0]


def read_notes(text: str) -> tuple[Note, ...]:
    """All checkpoints in a text, such as a ticket's comment with other text. Raises InvalidCheckpoint when there is none."""
    notes = tuple(_note_of(found) for found in NOTE.finditer(plain_text(text)))
    if not notes:
        raise InvalidCheckpoint(
            f"no checkpoint is in it. One has the lines {ORIGIN}..., the number of entries, the root, and a signature that begins "
            "with a long dash"
        )
    return notes


def _note_of(found: re.Match[str]) -> Note:
    origin, size = found["origin"], int(found["size"])
    try:
        root, signed = (base64.b64decode("".join(found[part].split()), validate=True) for part in ("root", "signature"))
    except ValueError:
        raise InvalidCheckpoint(
            f"the checkpoint of {size} entries is damaged: some of its letters are missing. Copy it whole"
        ) from None
    if found["name"] != origin or len(root) != HASH_SIZE or len(signed) <= KEY_HASH_SIZE:
        raise InvalidCheckpoint(f"the checkpoint of {size} entries is damaged: its root or its signature is not whole")
    return Note(Checkpoint(origin, size, root), signed[:KEY_HASH_SIZE], signed[KEY_HASH_SIZE:])
