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
GATEWAY = "countersign.jira_gateway"
READS_BY_POST = ("/search", "/search/jql", "/comment/list")


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


# What a site answers without an account: for an expired token it does so on the same calls, with 200.
ANONYMOUS: dict[str, JsonObject] = {
    "/search": {"issues": [], "total": 0, "startAt": 0, "maxResults": 50},
    "/search/jql": {"issues": [], "isLast": True},
    "/mypermissions": {"permissions": {}},
}


def answer_as_anonymous() -> JsonObject | None:
    """The answer to a call with an expired token; None when the call is refused with 401, or the token is good."""
    if not sandbox().token_expired:
        return None
    return next((answer for path, answer in ANONYMOUS.items() if request.path.endswith(path)), None)


def require_quota() -> None:
    """The points of the hour, for all calls of all endpoints together."""
    quota = sandbox().quota
    if quota is None:
        return
    if quota <= 0:
        headers = {
            "Retry-After": str(sandbox().quota_resets),
            "RateLimit-Reason": "jira-quota-global-based",
            "X-RateLimit-Remaining": "0",
        }
        raise Refusal(429, ("Rate limit exceeded.",), headers=headers)
    sandbox().quota = quota - 1


def require_gateway() -> None:
    """A scoped token works behind the gateway alone, and only for what its scopes allow."""
    scopes = sandbox().scopes
    if scopes is None or "Authorization" not in request.headers:
        return
    if not request.environ.get(GATEWAY):
        raise Refusal(
            401,
            ("Client must be authenticated to access this resource.",),
            headers={"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"},
        )
    needed = "read:jira-user" if request.path.endswith(("/myself", "/user")) else "read:jira-work"
    if "/servicedeskapi/" in request.path:
        needed = "read:servicedesk-request"
    if request.method != "GET" and not request.path.endswith(READS_BY_POST):
        needed = "write:jira-work"
    if needed not in scopes:
        raise Refusal(401, ("Unauthorized; scope does not match",))


def require_credentials() -> None:
    header = request.headers.get("Authorization", "")
    if sandbox().token_expired or not sandbox().credentials.accept(site().deployment, header):
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
