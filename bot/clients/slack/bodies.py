"""Checks the signature and the shape of what Slack posts, before Bolt reads it. No I/O.

Bolt parses a body before it verifies the signature, and fails with a 500 on one that does not have the shape that its code expects.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from bot.clients.slack.inbound import check_headers
from bot.errors import Rejected

TEXTS = frozenset(
    {
        *("type", "subtype", "id", "command", "token", "challenge", "trigger_id", "response_url"),
        *("action_id", "block_id", "callback_id", "api_app_id", "ts", "thread_ts", "message_ts", "private_metadata"),
        *("team_id", "user_id", "enterprise_id", "channel_id", "context_team_id", "context_enterprise_id", "user_team"),
        *("app_installed_team_id", "bot_id", "event_id", "function_execution_id", "execution_id", "bot_access_token"),
    }
)
OBJECTS = frozenset(
    {
        *("event", "view", "item", "message", "previous_message", "assistant_thread", "function_data", "container"),
    }
)
TEXTS_OR_OBJECTS = frozenset({"team", "user", "channel", "enterprise"})
NEVER_NULL = frozenset({"event"})
LISTS = frozenset({"actions", "authorizations", "response_urls"})
DEEPEST = 12
WINDOW = 300  # seconds
NEEDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "block_actions": {"actions": ("action_id",)},
    "view_submission": {"view": ("type", "callback_id")},
    "message_action": {"": ("callback_id", "message_ts"), "message": ("ts",), "channel": ("id",), "user": ("id",)},
    "block_suggestion": {"": ("action_id", "block_id")},
    "shortcut": {"": ("callback_id", "trigger_id")},
    "event_callback": {"": ("event_id",), "event": ("type",)},
    "url_verification": {"": ("challenge",)},
}
"""What Countersign listens to, and the texts that Bolt needs in it."""
Body = Mapping[str, object]


def check_signature(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Raises Rejected with 401 unless Slack signed exactly these bytes within five minutes of `now`, in seconds since 1970.

    Any of the `secrets` may have made the signature: while one is being changed, two count.

    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    check_headers(headers)
    given = {name.lower(): text for name, text in headers.items()}
    at, signature = given["x-slack-request-timestamp"], given["x-slack-signature"]
    signed = b"v0:" + at.encode() + b":" + body
    wanted = ["v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    if not any(hmac.compare_digest(one, signature) for one in wanted) or abs(now - int(at)) > WINDOW:
        raise Rejected("bad_signature", "The signature is not Slack's, or its time is more than five minutes away.")


def check_shape(body: bytes, content_type: str) -> None:
    """Raises Rejected unless it is something that we listen to, in a form that Bolt can read. Who may do what is decided later."""
    try:
        parsed = _parsed(body.decode(), content_type.partition(";")[0])
        _check(parsed, DEEPEST)
        _check_kind(parsed)
    except (ValueError, RecursionError):
        raise _malformed("JSON") from None


def _parsed(text: str, content_type: str) -> Body:
    """As Bolt chooses between JSON and a form."""
    if content_type == "application/json" or text.startswith("{"):
        return _object(json.loads(text), "body") if text else {}
    fields = dict(parse_qsl(text, keep_blank_values=True))
    if "payload" in fields:
        return _object(json.loads(fields["payload"]), "payload")
    if "command" in fields and not fields.get("user_id"):
        raise _malformed("user_id")
    return fields


def _check_kind(body: Body) -> None:
    if isinstance(body.get("command"), str):
        return
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in NEEDED:
        raise Rejected("unknown", "Countersign has nothing that this interaction could be for.", 404)
    for place, names in NEEDED[kind].items():
        holders = _holders(body, place)
        if not holders:
            raise _malformed(place)
        for name in names:
            if not all(isinstance(holder.get(name), str) for holder in holders):
                raise _malformed(name)


def _holders(body: Body, place: str) -> list[Body]:
    """The body itself, an object in it, or the objects of a list in it."""
    found = body.get(place) if place else body
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def _check(body: Body, levels: int) -> None:
    for name, value in body.items():
        if value is None and name not in NEVER_NULL:
            continue
        if name in TEXTS and not isinstance(value, str):
            raise _malformed(name)
        if name in OBJECTS or (name in TEXTS_OR_OBJECTS and not isinstance(value, str)):
            _check_below(name, value, levels)
        if name in LISTS:
            for one in _list(value, name):
                _check_below(name, one, levels)


def _check_below(name: str, value: object, levels: int) -> None:
    if levels == 0:
        raise _malformed(name)
    _check(_object(value, name), levels - 1)


def _object(value: object, name: str) -> Body:
    if not isinstance(value, dict):
        raise _malformed(name)
    return value


def _list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise _malformed(name)
    return value


def _malformed(name: str) -> Rejected:
    return Rejected("malformed", f'The body is signed, but its "{name}" is not of the form that Slack sends.', 400)
