"""Authentication, the sandbox that a request belongs to, and the per-issue write limit.

All sandboxes of a process share one Flask application, which is slow to build; a request's environ names its sandbox.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import math
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import g, request

from bot.sandbox.jira.records import Deployment
from bot.sandbox.jira.refusals import Refusal
from bot.sandbox.jira.views import View

if TYPE_CHECKING:
    from bot.sandbox.jira import JiraSandbox
    from bot.sandbox.jira.fields import JsonObject
    from bot.sandbox.jira.records import Issue, SandboxUser
    from bot.sandbox.jira.site import Site

SANDBOX = "countersign.jira_sandbox"


@dataclass(frozen=True)
class Credentials:
    """Cloud takes e-mail and API token as basic auth, Data Center a personal access token as bearer."""

    email: str
    api_token: str
    token: str

    def accept(self, deployment: Deployment, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        if deployment is Deployment.SERVER:
            return scheme == "Bearer" and hmac.compare_digest(given.encode(), self.token.encode())
        expected = f"{self.email}:{self.api_token}".encode()
        return scheme == "Basic" and hmac.compare_digest(_decoded(given), expected)


def _decoded(given: str) -> bytes:
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return b""


class WriteLimit:
    """Jira Cloud's limit per issue: 20 writes in 2 seconds. Off until `on` is set.

    https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
    """

    WRITES = 20
    SECONDS = 2.0

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self._lock = threading.Lock()
        self._writes: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=self.WRITES))

    def count(self, issue_id: str) -> None:
        now = time.monotonic()
        with self._lock:
            writes = self._writes[issue_id]
            if self.on and len(writes) == self.WRITES and now - writes[0] < self.SECONDS:
                raise _too_many(self.SECONDS - (now - writes[0]))
            writes.append(now)


def _too_many(wait: float) -> Refusal:
    headers = {
        "Retry-After": str(math.ceil(wait)),
        "RateLimit-Reason": "jira-per-issue-on-write",
        "X-RateLimit-Remaining": "0",
    }
    return Refusal(429, ("Rate limit exceeded: too many writes to this issue.",), headers=headers)


def sandbox() -> JiraSandbox:
    return cast("JiraSandbox", request.environ[SANDBOX])


def site() -> Site:
    return sandbox().site


def view() -> View:
    return cast("View", g.view)


def caller() -> SandboxUser:
    return sandbox().bot


def require_credentials() -> None:
    header = request.headers.get("Authorization", "")
    if not sandbox().credentials.accept(site().deployment, header):
        reason = "AUTHENTICATED_FAILED" if header else "AUTHENTICATION_DENIED"
        headers = {"X-Seraph-LoginReason": reason, "WWW-Authenticate": 'OAuth realm="local"'}
        raise Refusal(401, ("Client must be authenticated to access this resource.",), headers=headers)


def get_issue_for_writing(id_or_key: str) -> Issue:
    issue = site().get_issue(id_or_key)
    sandbox().write_limit.count(issue.id)
    return issue


def read_object() -> JsonObject:
    body = request.get_json(silent=True, force=True)
    if not isinstance(body, dict):
        raise Refusal(400, ("Can not deserialize the request's body: a JSON object was expected.",))
    return body
