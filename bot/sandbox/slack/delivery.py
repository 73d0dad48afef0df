"""Delivers payloads to the bot exactly as Slack does, by socket or as a signed request."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import urlencode

import requests

from .answers import Answer, not_configured, not_reached, refused, timed_out
from .backend import Backend
from .socket_mode import EnvelopeKind
from .wire import Json, parsed

FORM = "application/x-www-form-urlencoded"
SENDER = "Slackbot 1.0 (+https://api.slack.com/robots)"


class Delivery:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def interaction(self, payload: Json) -> Answer:
        if self._backend.sockets:
            return self._by_socket(EnvelopeKind.INTERACTIVE, payload)
        return self.post_signed(urlencode({"payload": json.dumps(payload)}))

    def command(self, fields: Mapping[str, str]) -> Answer:
        if self._backend.sockets:
            return self._by_socket(EnvelopeKind.SLASH_COMMANDS, dict(fields))
        return self.post_signed(urlencode(fields))

    def event(self, envelope: Json, retry: int = 0, retry_reason: str = "") -> Answer:
        if self._backend.sockets and envelope.get("type") == "event_callback":
            return self._by_socket(EnvelopeKind.EVENTS_API, envelope, retry, retry_reason)
        headers = {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": retry_reason} if retry else {}
        return self.post_signed(json.dumps(envelope), headers, content_type="application/json")

    def post_signed(
        self,
        body: str | bytes,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str = FORM,
        timestamp: str | None = None,
        secret: str | None = None,
    ) -> Answer:
        """Signs the raw body with the app's secret; `headers` override the others, so that a test can forge any of them."""
        app = self._backend.app
        if app.interactivity_url is None:
            return not_configured()
        raw = body.encode() if isinstance(body, str) else body
        stamp = str(int(self._backend.workspace.now())) if timestamp is None else timestamp
        signature = sign(app.signing_secret if secret is None else secret, stamp, raw)
        signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature, "Content-Type": content_type}
        return _post(app.interactivity_url, raw, {"User-Agent": SENDER, **signed, **(headers or {})}, app.answer_within)

    def _by_socket(self, kind: EnvelopeKind, payload: Json, retry: int = 0, retry_reason: str = "") -> Answer:
        return self._backend.sockets.deliver(kind, payload, self._backend.app.answer_within, retry, retry_reason)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def _post(url: str, body: bytes, headers: Mapping[str, str | bytes], seconds: float) -> Answer:
    with requests.Session() as session:
        session.trust_env = False
        try:
            response = session.post(url, data=body, headers=headers, timeout=seconds, allow_redirects=False)
        except requests.Timeout:
            return timed_out(seconds)
        except requests.RequestException:
            return not_reached()
    found = parsed(response.text)
    content: Json = found if isinstance(found, dict) else {"text": response.text} if response.text else {}
    answered = dict(response.headers)
    return (
        Answer(200, content, headers=answered)
        if response.status_code == 200
        else refused(response.status_code, content, answered)
    )
