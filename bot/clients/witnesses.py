"""A witness of https://c2sp.org/tlog-witness, ours or another: sends it checkpoints, and verifies its cosignatures."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from urllib3.exceptions import HTTPError

from bot import tracing
from bot.domain.ledger.checkpoint import Note
from bot.domain.ledger.cosignature import WitnessKey, cosignatures_in, signed_text
from bot.errors import NotVerified, Permanent, Temporary

TIMEOUT = 10.0  # seconds
SIZE_TYPE = "text/x.tlog.size"
EXCERPT = 200
LARGEST_ANSWER = 64 * 1024  # bytes; a cosignature has some 150


@dataclass(frozen=True)
class _Answer:
    status: int
    content_type: str
    text: str


class CosigningWitness:
    """Implements `ports.OutsideWitness`. Without a `url` it only verifies."""

    def __init__(self, key: WitnessKey, url: str = "") -> None:
        self._key = key
        self._url = url.rstrip("/")
        self.name = key.id

    def attest(self, note: Note, before: int, proof: Callable[[int], tuple[bytes, ...]]) -> str:
        answer = self._post(note, before, proof(before))
        if answer.status == 409 and answer.content_type.startswith(SIZE_TYPE):
            answer = self._post(note, *self._catching_up(note, answer.text.strip(), proof))
        if answer.status != 200:
            raise self._refusal(note, answer)
        try:
            self.check(note, answer.text)
        except NotVerified as trouble:
            raise Permanent(f"{trouble}. Check the key of {self._url} in COUNTERSIGN_WITNESSES") from None
        return next(str(one) for one in cosignatures_in(answer.text) if one.hint == self._key.hint)

    def check(self, note: Note, evidence: str) -> datetime:
        """When the witness cosigned this checkpoint. Raises NotVerified."""
        ours = [one for one in cosignatures_in(evidence) if (one.name, one.hint) == (self._key.name, self._key.hint)]
        if not ours:
            raise NotVerified(f"there is no cosignature of {self.name}")
        public = Ed25519PublicKey.from_public_bytes(self._key.public)
        for one in ours:
            try:
                public.verify(one.signature, signed_text(note.checkpoint, one.seconds))
                return datetime.fromtimestamp(one.seconds, UTC)
            except (InvalidSignature, OverflowError, ValueError, OSError):
                continue
        raise NotVerified(f"the cosignature of {self.name} is not over this checkpoint, or it was changed")

    def _catching_up(
        self, note: Note, said: str, proof: Callable[[int], tuple[bytes, ...]]
    ) -> tuple[int, tuple[bytes, ...]]:
        """From the size that the witness has: it may have cosigned one whose answer was lost. Raises Permanent."""
        size = int(said) if said.isascii() and said.isdigit() and len(said) < 19 else -1
        if not 0 <= size <= note.checkpoint.size:
            raise Permanent(
                f"witness {self.name} has cosigned {said[:20]} entries of this ledger, which has {note.checkpoint.size}: entries were cut "
                "off, or another copy of the database runs. Run `countersign audit verify --checkpoint FILE` with the witness's file"
            )
        return size, proof(size)

    def _refusal(self, note: Note, answer: _Answer) -> Exception:
        said = f"witness {self.name} answered {answer.status}: {' '.join(answer.text.split())[:EXCERPT]}"
        if answer.status in (409, 422):
            return Permanent(
                f"{said} It has seen another history than this ledger of {note.checkpoint.size} entries. Run `countersign audit verify "
                "--checkpoint FILE` with the witness's file, and find out who changed the ledger"
            )
        if answer.status in (400, 401, 403, 404):
            return Permanent(
                f"{said} Check its address in COUNTERSIGN_WITNESSES, and that it has this ledger's key as --log"
            )
        return Temporary(f"{said} It is tried again.")

    def _post(self, note: Note, before: int, proof: tuple[bytes, ...]) -> _Answer:
        if not self._url:
            raise Permanent(f"there is no address of witness {self.name}. Write it into COUNTERSIGN_WITNESSES: KEY@URL")
        lines = [f"old {before}", *(base64.b64encode(step).decode() for step in proof)]
        body = "\n".join(lines) + f"\n\n{note}"
        try:
            with (
                tracing.call("witness", "add-checkpoint") as span,
                requests.post(
                    f"{self._url}/add-checkpoint",
                    data=body.encode(),
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                span.set("http.response.status_code", answer.status_code)
                text = answer.raw.read(LARGEST_ANSWER, decode_content=True).decode("utf-8", "replace")
                return _Answer(answer.status_code, answer.headers.get("Content-Type", ""), text)
        except (requests.RequestException, HTTPError, OSError) as trouble:
            raise Temporary(
                f"witness {self.name} does not answer ({type(trouble).__name__}). It is tried again."
            ) from None
