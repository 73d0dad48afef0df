"""Verifying checkpoints: which Ed25519 key has signed a note, with `cryptography` alone and without a database.

What a checkpoint says is in `bot.domain.ledger.checkpoint`; the private key is in `bot.clients.notes_key`; when one
is made and where it goes,
in `handlers.ledger.checkpoints`.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.domain.ledger.checkpoint import Note, key_hint
from bot.errors import NotVerified
from bot.signatures import ED25519, LEDGER, TrustedKey, read_verifier, trusted_key


def ledger_key(pem: str) -> TrustedKey:
    """The public half of a ledger's key, in PEM. Raises NotVerified for anything else."""
    key = trusted_key(pem, LEDGER)
    if key.algorithm != ED25519:
        raise NotVerified(f"this is a key of another kind ({key.algorithm}): checkpoints are signed with Ed25519")
    return key


def signer_of(note: Note, keys: Iterable[TrustedKey]) -> TrustedKey | None:
    """The key among these that has signed the note; None when none has."""
    return next((key for key in keys if key.purpose == LEDGER and _has_signed(note, key)), None)


def _has_signed(note: Note, key: TrustedKey) -> bool:
    public = read_verifier(key.pem)
    if not isinstance(public, Ed25519PublicKey):
        return False
    if note.hint != key_hint(note.checkpoint.origin, public.public_bytes_raw()):
        return False
    try:
        public.verify(note.signature, note.checkpoint.text.encode())
    except InvalidSignature:
        return False
    return True
