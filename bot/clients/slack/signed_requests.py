"""Slack's requests as they arrived, and whether their signature holds: checked at the door by Bolt, and again before a vote is signed.

Over HTTP Slack signs each request with the app's signing secret. Over Socket Mode it signs nothing, so our own socket process seals what it
received with a key made of the bot's token: that shows that the vote came through our socket, and not that Slack sent it.
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from bot.clients.slack.inbound import Body, check_headers, read_click
from bot.domain.grounds import SignedRequest
from bot.domain.model import SignedBy
from bot.domain.names import storable
from bot.errors import Rejected
from bot.ports import Click

SEAL = b"countersign: received over Socket Mode"
VERSION = "v0"
MOST_FIELDS = 10  # a form of Slack's has one, `payload`


class RequestSignatures:
    """`secrets` are the app's signing secrets, newest first. `seals_count`: whether requests over Socket Mode are accepted."""

    def __init__(self, secrets: Sequence[str], token: str, *, seals_count: bool) -> None:
        self._secrets = tuple(secrets)
        self._seal_key = hmac.new(token.encode(), SEAL, hashlib.sha256).hexdigest()
        self._seals_count = seals_count

    def of_http(self, body: str, headers: Mapping[str, str]) -> SignedRequest:
        """The request with Slack's own signature, which Bolt has verified. Raises Rejected for what Slack never sends."""
        check_headers(headers)
        if storable(body) != body:
            raise Rejected("malformed", "the body holds a NUL or half a character, which Slack never sends", 400)
        named = {name.lower(): value for name, value in headers.items()}
        stamp, signature = named["x-slack-request-timestamp"], named["x-slack-signature"]
        return SignedRequest(SignedBy.NOTIFIER, body, stamp, signature)

    def seal(self, body: Body, timestamp: int) -> SignedRequest:
        """A request over Socket Mode, with our own signature; `timestamp` is in seconds."""
        text = json.dumps(body, sort_keys=True)
        stamp = str(timestamp)
        return SignedRequest(SignedBy.BOT, text, stamp, _signature(self._seal_key, stamp, text))

    def read(self, kept: SignedRequest) -> Click:
        """What the person pressed, if the signature holds. Raises Rejected."""
        if not any(_matches(key, kept) for key in self._keys_for(kept.signed_by)):
            raise Rejected("bad_signature", _why_not(kept.signed_by, seals_count=self._seals_count))
        return read_click(_payload(kept))

    def _keys_for(self, signed_by: SignedBy) -> Sequence[str]:
        if signed_by is SignedBy.NOTIFIER:
            return self._secrets
        return (self._seal_key,) if self._seals_count else ()


def _why_not(signed_by: SignedBy, *, seals_count: bool) -> str:
    if signed_by is SignedBy.NOTIFIER:
        return (
            "Slack's signature on the kept request does not hold under any secret in SLACK_SIGNING_SECRET. "
            "While the secret changes, keep the old one in the list"
        )
    if not seals_count:
        return (
            "it says that it came over Socket Mode, and this installation does not use it (SLACK_APP_TOKEN is not set)"
        )
    return "our own seal on the kept request does not hold: it was not received by this bot's socket process"


def _matches(key: str, kept: SignedRequest) -> bool:
    return hmac.compare_digest(_signature(key, kept.timestamp, kept.body).encode(), kept.signature.encode())


def _signature(key: str, timestamp: str, body: str) -> str:
    signed = f"{VERSION}:{timestamp}:{body}".encode()
    return f"{VERSION}=" + hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()


def _payload(kept: SignedRequest) -> Body:
    """An interaction is a form with one field, `payload`, in JSON; over Socket Mode it is the JSON itself."""
    try:
        text = kept.body
        if kept.signed_by is SignedBy.NOTIFIER:
            (text,) = parse_qs(kept.body, max_num_fields=MOST_FIELDS)["payload"]
        read = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        raise Rejected("malformed", "the kept request is no interaction of Slack's", 400) from None
    if not isinstance(read, Mapping):
        raise Rejected("malformed", "the kept request is no interaction of Slack's", 400)
    return read
