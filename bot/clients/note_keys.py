"""The keys that sign checkpoints of the ledger, and what stands for the signer of approvals where there is none.

They need no key service's packages, which `signers` loads for the worker.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.clients.keys import making, public_key_of, read_key
from bot.domain.ledger.checkpoint import Checkpoint, Note, key_hint
from bot.errors import InvalidKey, Permanent
from bot.ports import PublicKey
from bot.signatures import ED25519

NEW_NOTE_KEY = making(ED25519)


class NoSigner:
    """Used by every process except the worker: it has no private key, so it cannot sign."""

    @property
    def key(self) -> PublicKey:
        raise Permanent("only the worker has a signing key. Let the worker run this job: `countersign worker`")

    def sign(self, payload: bytes, payload_type: str) -> str:  # noqa: ARG002 - as the Protocol has it
        raise Permanent("only the worker signs approvals. Let the worker run this job: `countersign worker`")


class NoteKey:
    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @property
    def key(self) -> PublicKey:
        return public_key_of(self._private)

    def sign(self, checkpoint: Checkpoint) -> Note:
        public = self._private.public_key().public_bytes_raw()
        return Note(checkpoint, key_hint(checkpoint.origin, public), self._private.sign(checkpoint.text.encode()))


class NoteKeyFile:
    """Reads the file on first use, because only the worker and `audit checkpoint` have it. Raises Permanent without a usable key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def key(self) -> PublicKey:
        return self._opened.key

    def sign(self, checkpoint: Checkpoint) -> Note:
        return self._opened.sign(checkpoint)

    @cached_property
    def _opened(self) -> NoteKey:
        try:
            return read_note_key(self.path)
        except InvalidKey as mistake:
            why = f"COUNTERSIGN_CHECKPOINT_KEY: no checkpoint of the ledger can be signed, because {mistake}"
            raise Permanent(why) from None


def read_note_key(path: Path) -> NoteKey:
    """Raises InvalidKey unless the file holds an Ed25519 key."""
    key = read_key(path, ED25519)
    if not isinstance(key, Ed25519PrivateKey):
        fix = f"Make another with `{NEW_NOTE_KEY}`, and name it in COUNTERSIGN_CHECKPOINT_KEY"
        raise InvalidKey(f"{path} holds a key that is not Ed25519. {fix}")
    return NoteKey(key)
