"""A witness's signature under a checkpoint, with the time at which it was consistent with all that the witness had seen before.

https://c2sp.org/tlog-cosignature. This module writes and parses; signatures are made in `bot.witness` and verified in
`bot.clients.witnesses`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Self

from bot.domain.ledger.checkpoint import KEY_HASH_SIZE, Checkpoint
from bot.errors import InvalidCheckpoint

COSIGNATURE_V1 = b"\x04"  # the algorithm's number in a signed note: timestamped Ed25519
KEY_SIZE, TIME_SIZE, SIGNATURE_SIZE = 32, 8, 64  # bytes
LINE = re.compile(r"^— (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]+={0,2})$", re.MULTILINE)
KEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<hint>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True)
class WitnessKey:
    """A witness's public key: its name, and the 32 bytes of an Ed25519 key."""

    name: str
    public: bytes

    @property
    def hint(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + COSIGNATURE_V1 + self.public).digest()[:KEY_HASH_SIZE]

    @property
    def id(self) -> str:
        """Short and unique: the name and the hint."""
        return f"{self.name}+{self.hint.hex()}"

    def __str__(self) -> str:
        """As https://c2sp.org/signed-note writes verifier keys: NAME+HINT+KEY."""
        return f"{self.id}+{base64.b64encode(COSIGNATURE_V1 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidCheckpoint."""
        found = KEY.fullmatch(text.strip())
        try:
            raw = base64.b64decode(found["key"], validate=True) if found else b""
        except binascii.Error:
            raw = b""
        if found is None or raw[:1] != COSIGNATURE_V1 or len(raw) != 1 + KEY_SIZE:
            raise InvalidCheckpoint(
                f'"{text[:100]}" is no key of a witness. `countersign witness` prints its own: NAME+HINT+KEY'
            )
        key = cls(found["name"], raw[1:])
        if key.hint.hex() != found["hint"]:
            raise InvalidCheckpoint(
                f'"{text[:100]}" is damaged: name, hint and key do not belong together. Copy it whole'
            )
        return key


@dataclass(frozen=True)
class Cosignature:
    """`seconds` is Unix time."""

    name: str
    hint: bytes
    seconds: int
    signature: bytes

    def __str__(self) -> str:
        """The line under a note, without its line break."""
        whole = self.hint + self.seconds.to_bytes(TIME_SIZE, "big") + self.signature
        return f"— {self.name} {base64.b64encode(whole).decode()}"


def signed_text(checkpoint: Checkpoint, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{checkpoint.text}".encode()


def cosignatures_in(text: str) -> tuple[Cosignature, ...]:
    """All of a text; other lines, such as the ledger's own signature, are passed over."""
    found = []
    for line in LINE.finditer(text):
        try:
            raw = base64.b64decode(line["signature"], validate=True)
        except binascii.Error:
            continue
        if len(raw) == KEY_HASH_SIZE + TIME_SIZE + SIGNATURE_SIZE:
            rest = raw[KEY_HASH_SIZE:]
            seconds = int.from_bytes(rest[:TIME_SIZE], "big")
            found.append(Cosignature(line["name"], raw[:KEY_HASH_SIZE], seconds, rest[TIME_SIZE:]))
    return tuple(found)
