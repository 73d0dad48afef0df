"""Answers `add-checkpoint` of https://c2sp.org/tlog-witness: cosigns a checkpoint only if it continues the last one that was cosigned.

No HTTP here (`server`), and no file (`state`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.domain.ledger.checkpoint import Note, read_note
from bot.domain.ledger.cosignature import Cosignature, WitnessKey, signed_text
from bot.domain.ledger.merkle import HASH_SIZE, extends
from bot.errors import InvalidCheckpoint
from bot.signatures import TrustedKey, signer_of
from bot.witness.state import Seen, newest_of

MOST_STEPS = 63  # of a proof, as the protocol says
SIZE_TYPE, TEXT_TYPE = "text/x.tlog.size", "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    content_type: str = TEXT_TYPE


@dataclass(frozen=True)
class Submission:
    """`before` is the size of the checkpoint that the proof starts from."""

    before: int
    proof: tuple[bytes, ...]
    note: Note


@dataclass(frozen=True)
class WitnessSigner:
    name: str
    private: Ed25519PrivateKey

    @property
    def key(self) -> WitnessKey:
        return WitnessKey(self.name, self.private.public_key().public_bytes_raw())

    def cosign(self, note: Note, seconds: int) -> Cosignature:
        signature = self.private.sign(signed_text(note.checkpoint, seconds))
        return Cosignature(self.name, self.key.hint, seconds, signature)


def add_checkpoint(body: bytes, logs: Sequence[TrustedKey], seen: Seen, signer: WitnessSigner, seconds: int) -> Answer:
    """`logs` are the public keys of the ledgers. What was cosigned is on disk before the answer is returned. Raises OSError.

    A ledger's name comes from its first entry, so one that was rewritten from there has another name. A key that has signed one ledger
    therefore signs no other.
    """
    try:
        submission = read_submission(body)
    except InvalidCheckpoint as mistake:
        return Answer(400, f"{mistake}\n")
    note = submission.note
    signer_key = signer_of(note, logs)
    if signer_key is None:
        return Answer(403, f"No ledger that this witness knows has signed {note.checkpoint.origin}.\n")
    with seen.locked() as known:
        last = newest_of(known).get(note.checkpoint.origin)
        refusal = _of_another_ledger(note, signer_key, known) or _refusal(submission, last)
        if refusal is not None:
            return refusal
        cosignature = signer.cosign(note, seconds)
        seen.put(note, cosignature)
    return Answer(200, f"{cosignature}\n")


def _of_another_ledger(note: Note, key: TrustedKey, known: Sequence[Note]) -> Answer | None:
    """None when the key has signed no other ledger."""
    origins = {one.checkpoint.origin for one in known if signer_of(one, [key]) is not None}
    others = sorted(origins - {note.checkpoint.origin})
    if not others:
        return None
    why = f"This ledger's key has signed {others[0]}, and {note.checkpoint.origin} is another ledger or was rewritten from its first entry."
    return Answer(422, f"{why} A new ledger needs a new key.\n")


def _refusal(submission: Submission, last: Note | None) -> Answer | None:
    """None when the checkpoint continues the last one."""
    new, size = submission.note.checkpoint, last.checkpoint.size if last else 0
    if submission.before > new.size:
        return Answer(400, f"The old size {submission.before} is larger than the checkpoint's own {new.size}.\n")
    if submission.before != size:
        return Answer(409, f"{size}\n", SIZE_TYPE)
    if last is None:
        return Answer(422, "A first checkpoint has no proof.\n") if submission.proof else None
    if size == new.size and last.checkpoint.root != new.root:
        return Answer(409, f"{size}\n", SIZE_TYPE)
    if not extends(last.checkpoint.root, size, new.root, new.size, submission.proof):
        return Answer(
            422, f"The checkpoint of {new.size} entries does not continue the one of {size} that was cosigned.\n"
        )
    return None


def read_submission(body: bytes) -> Submission:
    """Raises InvalidCheckpoint."""
    try:
        head, separator, text = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise InvalidCheckpoint("the body is no text") from None
    first, *steps = head.split("\n")
    word, _, number = first.partition(" ")
    if not separator or word != "old" or not _is_size(number):
        raise InvalidCheckpoint('the body does not begin with "old" and a size, then the proof and an empty line')
    if len(steps) > MOST_STEPS:
        raise InvalidCheckpoint(f"the proof has {len(steps)} steps, and at most {MOST_STEPS} are read")
    note = read_note(text)
    if not text.startswith(str(note)):
        raise InvalidCheckpoint("the checkpoint is not written as it was signed")
    return Submission(int(number), tuple(map(_step, steps)), note)


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and (text == "0" or text[0] != "0")


def _step(line: str) -> bytes:
    try:
        step = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        step = b""
    if len(step) != HASH_SIZE:
        raise InvalidCheckpoint("a line of the proof is not the base64 of a hash")
    return step
