"""Jira's webhooks: verifies the signature and returns the ticket to read again. No I/O, and no import of the jira library.

The signature covers the body only, not the time or the identifier, so a replay looks like the original. Therefore nothing but the
ticket's id is used from the body. https://developer.atlassian.com/cloud/jira/platform/webhooks/
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence

from bot.errors import Rejected
from bot.ports import TicketHint

BODY_LIMIT = 1024 * 1024  # bytes; a ticket with long comments
ID_LIMIT = 200


def read_webhook(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> TicketHint:
    """Raises Rejected unless one of the secrets signed exactly these bytes."""
    if len(body) > BODY_LIMIT:
        raise Rejected("too_large", f"The body has {len(body)} bytes; at most {BODY_LIMIT} are read.", status=413)
    keys = [secret.encode() for secret in secrets if secret.strip()]
    if not keys:
        raise Rejected(
            "no_secret",
            "Jira's webhooks are refused because no secret is configured. Set JIRA_WEBHOOK_SECRET to the webhook's secret.",
        )
    given = {name.lower(): text for name, text in headers.items()}
    _check_signature(given.get("x-hub-signature", ""), body, keys)
    return TicketHint(_delivery_id(given, body), _ticket_in(body))


def _check_signature(header: str, body: bytes, keys: Sequence[bytes]) -> None:
    """Tries every key even after a match, so that the time taken reveals nothing."""
    method, _, digest = header.partition("=")
    if method != "sha256" or not digest:
        raise Rejected(
            "unsigned",
            "The delivery lacks X-Hub-Signature with sha256. Give Jira's webhook a secret, the one in JIRA_WEBHOOK_SECRET.",
        )
    wanted = [hmac.new(key, body, hashlib.sha256).hexdigest().encode() for key in keys]
    if not any([hmac.compare_digest(one, digest.encode()) for one in wanted]):  # noqa: C419 - constant time
        raise Rejected(
            "bad_signature",
            "No secret in JIRA_WEBHOOK_SECRET matches X-Hub-Signature. Use the secret that the webhook was created with.",
        )


def _delivery_id(given: Mapping[str, str], body: bytes) -> str:
    """Jira's identifier, which is the same for all retries of a delivery; without one, a hash of the body."""
    identifier = given.get("x-atlassian-webhook-identifier", "").strip()
    if not identifier:
        return hashlib.sha256(body).hexdigest()
    if len(identifier) > ID_LIMIT or not (identifier.isascii() and identifier.isprintable()):
        raise Rejected(
            "bad_delivery_id", f"X-Atlassian-Webhook-Identifier must be at most {ID_LIMIT} printable ASCII characters."
        )
    return identifier


def _ticket_in(body: bytes) -> str | None:
    """None for events that are not about a ticket."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected("malformed", "The body is signed, but it is not JSON that can be read.", status=400) from None
    if not isinstance(event, dict):
        raise Rejected("malformed", "The body is signed, but it is not a JSON object.", status=400)
    issue = event.get("issue")
    if issue is None:
        return None
    ticket_id = issue.get("id") if isinstance(issue, dict) else None
    if not isinstance(ticket_id, str) or not (ticket_id.isascii() and ticket_id.isdigit() and len(ticket_id) <= 20):
        raise Rejected("malformed", "The body is signed, but its issue.id is not a ticket's id.", status=400)
    return ticket_id
