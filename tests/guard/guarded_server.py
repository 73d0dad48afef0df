"""A real MLflow server with our guard, and in the bot's place a small server that signs what is governed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mlflow import MlflowClient

from bot.domain.attestation.decision import payload_of
from bot.domain.attestation.governed import GovernedVersion, statement_for
from bot.domain.policy.rules import Rule
from bot.sandbox.mlflow_server import running_mlflow
from bot.signatures import PAYLOAD_TYPE, pae
from tests.fixtures.installation import GUARD_SECRET as SECRET
from tests.fixtures.installation import PATIENCE
from tests.fixtures.mlflow_seed import client_of
from tests.fixtures.mlflow_server import SERVED_BY

TOKEN = "token-of-the-api-" + "x" * 20
HEADER = "X-Countersign-Guard"
SIGNATURE = "X-Countersign-Guard-Signature"
BOTS_WEBHOOK = "http://127.0.0.1:9/webhooks/mlflow"


@dataclass
class StandIn:
    """Signs lists as the bot does. `answer` is what the guard gets; None: the bot is away."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    answer: str | None = None
    url: str = ""
    asked: int = 0
    retry_after: str = ""
    reports: list[dict[str, object]] = field(default_factory=list)
    takes_reports: bool = True
    reads: bool = True
    sizes: list[int] = field(default_factory=list)
    issued: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=1))

    @property
    def pem(self) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def govern(self, rules: Iterable[Rule], versions: Iterable[GovernedVersion] = ()) -> None:
        self.issued += timedelta(seconds=1)
        self.answer = self.sign(payload_of(statement_for("default", rules, versions, BOTS_WEBHOOK, self.issued)))

    def sign(self, payload: bytes) -> str:
        signature = self.key.sign(pae(payload))
        return json.dumps(
            {
                "payloadType": PAYLOAD_TYPE,
                "payload": base64.b64encode(payload).decode(),
                "signatures": [{"keyid": "one", "sig": base64.b64encode(signature).decode()}],
            }
        )


@contextmanager
def standing_in() -> Iterator[StandIn]:
    bot = StandIn()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bot.asked += 1
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            status = (200 if bot.answer is not None else 503) if allowed else 401
            body = (bot.answer or "").encode() if status == 200 else b"no"
            self.send_response(status)
            if bot.retry_after:
                self.send_header("Retry-After", bot.retry_after)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            """Takes each write once, as the bot does, and only what is signed."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signed = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}" and self.headers[SIGNATURE] == signed
            status = (200 if bot.takes_reports else 503) if allowed else 401
            bot.sizes.append(len(body))
            writes = json.loads(body)["writes"] if status == 200 else []
            known = {one["id"] for one in bot.reports}
            bot.reports.extend(one for one in writes if bot.reads and one["id"] not in known)
            said = json.dumps({"refused": {} if bot.reads else {one["id"]: "why" for one in writes}}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """The test's output is for the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    bot.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield bot
    finally:
        server.shutdown()
        server.server_close()


def settings_of(bot: StandIn, home: Path) -> dict[str, str]:
    (home / "approvals.pub").write_text(bot.pem)
    return {
        "COUNTERSIGN_URL": bot.url,
        "COUNTERSIGN_API_TOKEN": TOKEN,
        "COUNTERSIGN_GUARD_SECRET": SECRET,
        "COUNTERSIGN_GUARD_KEYS": str(home / "approvals.pub"),
        "COUNTERSIGN_GUARD_DIR": str(home / "guard"),
        "COUNTERSIGN_GUARD_EVERY": "0.5",
    }


def wait_until(came_true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not came_true():
        assert time.monotonic() < deadline, f"it did not come true in {PATIENCE:.0f} seconds"
        time.sleep(0.05)


@dataclass
class Guarded:
    """The server, its log, and a client without the secret."""

    url: str
    bot: StandIn
    home: Path
    client: MlflowClient
    auth: tuple[str, str] | None = None

    def call(self, method: str, path: str, body: object = None, **more: object) -> requests.Response:
        return requests.request(method, f"{self.url}{path}", json=body, timeout=60, auth=self.auth, **more)  # type: ignore[arg-type]

    def as_bot(self, method: str, path: str, body: object = None) -> requests.Response:
        return self.call(method, path, body, headers={HEADER: SECRET})


@contextmanager
def guarded_mlflow(
    bot: StandIn, home: Path, options: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> Iterator[Guarded]:
    settings = settings_of(bot, home) | dict(environ or {})
    options = ("--app-name", "countersign", *options)
    with running_mlflow(home / "mlflow", options=options, environ=settings, python=SERVED_BY) as url:
        yield Guarded(url, bot, home, client_of(url))
