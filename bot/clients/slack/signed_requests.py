"""Slack's requests as they arrived, and whether their signature holds: checked at the door by `bodies`, and again before a vote is signed.

Over HTTP Slack signs each request with the app's signing secret. Over Socket Mode it signs nothing, so our own socket process seals what it
received with a key made of the bot's token: that shows that the vote came through our socket, and not that Slack sent it.
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qs

from bot.clients.slack.inbound import Body, check_headers, read_click
from bot.domain.grounds import SignedRequest
from bot.domain.model import SignedBy
from bot.domain.names import storable
from bot.errors import Rejected, Temporary
from bot.ports import Click

SEAL = b"countersign: received over Socket Mode"
NAME = b"countersign: which secret"
VERSION = "v0"
MOST_FIELDS = 10  # a form of Slack's has one, `payload`


class RequestSignatures:
    """`secrets` are the app's signing secrets and `tokens` the bot's, newest first. `seals_count`: whether Socket Mode is used here."""

    def __init__(self, secrets: Sequence[str], tokens: Sequence[str], *, seals_count: bool) -> None:
        self._secrets = tuple(secrets)
        self._seal_keys = tuple(hmac.new(token.encode(), SEAL, hashlib.sha256).hexdigest() for token in tokens)
        self._seals_count = seals_count

    def of_http(self, body: str, headers: Mapping[str, str]) -> SignedRequest:
        """The request with Slack's own signature, which the door has verified. Raises Rejected for what Slack never sends."""
        check_headers(headers)
        if storable(body) != body:
            raise Rejected("malformed", "the body holds a NUL or half a character, which Slack never sends", 400)
        named = {name.lower(): value for name, value in headers.items()}
        stamp, signature = named["x-slack-request-timestamp"], named["x-slack-signature"]
        kept = SignedRequest(SignedBy.NOTIFIER, body, stamp, signature)
        made_by = (_name_of(secret) for secret in self._secrets if _matches(secret, kept))
        return replace(kept, key=next(made_by, ""))

    def seal(self, body: Body, timestamp: int) -> SignedRequest:
        """A request over Socket Mode, with our own signature; `timestamp` is in seconds."""
        text, stamp, newest = json.dumps(body, sort_keys=True), str(timestamp), self._seal_keys[0]
        return SignedRequest(SignedBy.BOT, text, stamp, _signature(newest, stamp, text), _name_of(newest))

    def read(self, kept: SignedRequest) -> Click:
        """What the person pressed, if the signature holds.

        Raises Rejected when it does not, and Temporary when it was made with a secret that this process does not know: the process that
        received the request may have been restarted with a new secret before this one.
        """
        is_sealed = kept.signed_by is SignedBy.BOT
        if is_sealed and not self._seals_count:
            raise Rejected("bad_signature", NO_SOCKET)
        known = self._seal_keys if is_sealed else self._secrets
        if any(_matches(key, kept) for key in known):
            return read_click(_payload(kept))
        if kept.key and kept.key not in map(_name_of, known):
            raise Temporary(_unknown("SLACK_BOT_TOKEN" if is_sealed else "SLACK_SIGNING_SECRET"))
        raise Rejected("bad_signature", BAD_SEAL if is_sealed else BAD_SIGNATURE)


NO_SOCKET = "it says that it came over Socket Mode, and this installation does not use it (SLACK_APP_TOKEN is not set)"
BAD_SEAL = "our own seal on the kept request does not hold: it was not received by this bot's socket process"
BAD_SIGNATURE = "Slack's signature on the kept request does not hold under any secret in SLACK_SIGNING_SECRET"


def _unknown(setting: str) -> str:
    return (
        f"the request that a vote came in was signed with a secret that this worker does not know, so the vote waits. Restart the worker "
        f"with the same {setting} as the process that received it; while it changes, write `new,old`"
    )


def _name_of(key: str) -> str:
    """Which secret it is, without anything of it."""
    return hmac.new(key.encode(), NAME, hashlib.sha256).hexdigest()[:16]


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
