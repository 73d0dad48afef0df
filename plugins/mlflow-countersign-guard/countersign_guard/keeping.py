"""Keeps the list of what is governed: asks the bot for it, verifies its signature, keeps it on disk for when the bot is away."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from countersign_guard.governed import Governed, NotValid, read_governed
from countersign_guard.names import shown

log = logging.getLogger("countersign_guard")
BEGIN = "-----BEGIN PUBLIC KEY-----"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
TIMEOUT = 10.0
LONGEST, LARGEST = 60.0, 256 << 20  # seconds and bytes of an answer
BEGINNING = threading.Lock()
SPREAD = random.SystemRandom()  # so that several servers do not ask at once
AHEAD = timedelta(minutes=5)  # how far the bot's clock may be before ours; CLOCKS_DIFFER of the bot is the same

Key = EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True)
class Source:
    """Where the list is asked for. `keys` are the public keys that may sign it."""

    url: str
    token: str
    registry: str
    keys: tuple[Key, ...]
    every: float = 15.0  # seconds between two questions


class Keeper:
    """The newest list that was signed by a key that we know. Several server processes share the file."""

    def __init__(self, source: Source, folder: Path, now: Callable[[], datetime] | None = None) -> None:
        self.source = source
        self.file = folder / f"governed-{quote(source.registry, safe='')}.json"
        self.now = now or (lambda: datetime.now(UTC))
        self._governed: Governed | None = None
        self._said = ""
        self._last = ""  # as it came
        self._asked = threading.Event()
        self._process: int | None = None  # whose thread it is
        self._session = requests.Session()

    @property
    def governed(self) -> Governed | None:
        """The thread that renews it does not survive a fork, so each process begins its own."""
        if self._process not in (None, os.getpid()):
            self._begin()
        return self._governed

    @property
    def trouble(self) -> str:
        """Why the list was not renewed; empty when it was."""
        return self._said

    def start(self) -> None:
        """Reads the kept list and goes on asking in a thread of its own. Without a kept one it waits for the first, but not for long."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.read_kept()
        self._begin()
        if self._governed is None:
            self._asked.wait(TIMEOUT)

    def _begin(self) -> None:
        with BEGINNING:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            self._session = requests.Session()  # its connections belong to the process that made them
            threading.Thread(target=self._go_on, name="countersign-guard", daemon=True).start()

    def read_kept(self) -> None:
        try:
            self.take(self.file.read_text())
        except FileNotFoundError:
            return
        except (OSError, ValueError, NotValid) as error:
            self._say(f"the kept list {self.file} is not used: {error}")

    def ask(self) -> float:
        """In how many seconds to ask again. A failure leaves the list as it is: the registry goes on refusing what it refused."""
        soon = self.source.every
        try:
            answer = self._session.get(
                f"{self.source.url.rstrip('/')}/guard/governed",
                params={"registry": self.source.registry},
                headers={"Authorization": f"Bearer {self.source.token}"},
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            )
            soon = min(soon, _soon(answer))
            envelope = _said_in(answer)
            if envelope != self._last and self.take(envelope):
                self._keep(envelope)
            self._last = envelope
        except Exception as error:  # noqa: BLE001  whatever it is, the thread goes on asking and the log says it
            self._say(
                f"the list of what is governed was not renewed: {str(error) or repr(error)}. {self._what_applies()}"
            )
        else:
            self._say("")
        return soon

    def take(self, envelope: str) -> bool:
        """Whether this list is another than the one in use, which it then replaces. Raises NotValid, also for an older one."""
        found = read_governed(verified(envelope, self.source.keys))
        if found.registry != self.source.registry:
            raise NotValid(
                f'it is about the registry "{found.registry[:100]}" and this server is "{self.source.registry}": compare '
                "COUNTERSIGN_GUARD_REGISTRY with the policy"
            )
        if found.issued > self.now() + AHEAD:
            raise NotValid(
                f"it was issued at {found.issued.isoformat()}, which is in the future: compare the clocks of bot and server"
            )
        known = self._governed
        if known is not None and found.issued == known.issued:
            return False
        if known is not None and found.issued < known.issued < self.now() + AHEAD:  # else a clock was set back since
            raise NotValid(
                f"it was issued at {found.issued.isoformat()}, before the one in use, as an older one that somebody sends again or after "
                "the clock of the bot's database was set back"
            )
        self._governed = found
        return True

    def _keep(self, envelope: str) -> None:
        descriptor, name = tempfile.mkstemp(dir=self.file.parent, prefix=self.file.name)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(envelope)
            Path(name).replace(self.file)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _go_on(self) -> None:
        while True:
            wait = self.ask()
            self._asked.set()
            threading.Event().wait(wait * SPREAD.uniform(0.8, 1.2))

    def _what_applies(self) -> str:
        if self._governed is None:
            return "Until there is one, no alias, stage or deletion in the registry is possible"
        late = ", which is out of date" if self._governed.expires < self.now() else ""
        return f"The list of {self._governed.issued.isoformat()} applies{late}"

    def _say(self, what: str) -> None:
        """Once for each change, so that an outage fills no log."""
        if what == self._said:
            return
        self._said = what
        if what:
            log.warning("countersign-guard: %s", what)
        else:
            log.info("countersign-guard: the list of what is governed is up to date")


def _soon(answer: requests.Response) -> float:
    """In how many seconds the bot will have a newer list; infinite when this is the newest."""
    said = answer.headers.get("Retry-After", "")
    return max(1.0, float(said)) if said.isascii() and said.isdigit() else math.inf


def _said_in(answer: requests.Response) -> str:
    """Raises NotValid, also for an answer without an end."""
    body, until = bytearray(), time.monotonic() + LONGEST
    for part in answer.iter_content(1 << 16):
        body += part
        if len(body) > LARGEST or time.monotonic() > until:
            answer.close()
            raise NotValid(f"the answer is larger than {LARGEST >> 20} MiB or takes longer than {LONGEST:.0f} seconds")
    text = body.decode(errors="replace")
    if answer.status_code != 200:
        raise NotValid(f"the bot answered {answer.status_code}: {shown(text, 200)}")
    return text


def verified(envelope: str, keys: Sequence[Key]) -> bytes:
    """The payload of a DSSE envelope that one of the keys has signed. Raises NotValid."""
    try:
        said = json.loads(envelope)
        if said["payloadType"] != PAYLOAD_TYPE:
            raise NotValid("it is signed as another kind of text")
        payload = base64.b64decode(said["payload"], validate=True)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in said["signatures"]][:16]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise NotValid("it is no signed envelope") from None
    kind = PAYLOAD_TYPE.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    if not any(_signed_by(key, signature, signed) for key in keys for signature in signatures):
        raise NotValid("no key of COUNTERSIGN_GUARD_KEYS has signed it")
    return payload


def _signed_by(key: Key, signature: bytes, signed: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, signed)
        else:
            key.verify(signature, signed, ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def read_keys(text: str) -> tuple[Key, ...]:
    """One or more public keys in PEM, one after the other. Raises NotValid."""
    parts = [f"{part}-----END PUBLIC KEY-----\n" for part in text.split("-----END PUBLIC KEY-----") if BEGIN in part]
    if not parts:
        raise NotValid("it has no public key in PEM; `countersign keys show` prints it")
    try:
        found = [load_pem_public_key(part.strip().encode()) for part in parts]
    except ValueError:
        raise NotValid("it is no public key in PEM; `countersign keys show` prints it") from None
    if not all(isinstance(key, (EllipticCurvePublicKey, Ed25519PublicKey)) for key in found):
        raise NotValid("approvals are signed by ECDSA P-256 or Ed25519 keys, and one of these is of another kind")
    return tuple(found)  # type: ignore[arg-type]  # checked above
