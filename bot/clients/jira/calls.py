"""Connects to Jira on first use, and turns failed calls into our errors. `tickets` decides which calls to make.

When an answer is lost, a read or a repeatable write raises Temporary, and a write that must not be repeated raises OutcomeUnknown. Such a
write raises Temporary or Permanent only when it certainly had no effect. Attachments are here too.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError, SSLError

from bot import tracing
from bot.clients.plain_text import one_line
from bot.errors import OutcomeUnknown, OutsideError, Permanent, Temporary
from bot.ports import Attachment
from bot.tracing.routes import shape_of

if TYPE_CHECKING:
    from jira import JIRA, JIRAError


T = TypeVar("T")
JsonObject = Mapping[str, object]

TIMEOUT = 10.0
SAID_LIMIT = 300
SHORTEST_PAUSE = 5.0  # seconds, when Jira does not say how long
SCOPES = "read:jira-work, write:jira-work and read:jira-user"
UNSENT = (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError)
NOT_PROCESSED = frozenset({408, 409, 423, 425, 503})  # refused before anything was written; a retry can succeed
SHAPELESS = (ValueError, KeyError, TypeError, AttributeError)  # what the library raises when an answer is not Jira's

FIXES: Mapping[int, str] = {
    400: "Check the policy's ticket section (project, type, transitions) against Jira's fields and screens. Then replay the job.",
    403: "Give the bot's account this permission in the project's permission scheme. Then replay the job.",
    404: "It was deleted, moved out of the account's sight, or JIRA_URL points to another site.",
    413: "The file is larger than this Jira takes: raise the limit under System, Attachments. Then replay the job.",
    410: "This Jira no longer has that call: update the `jira` package.",
}


class TracedCalls(HTTPAdapter):
    """Of the path's shape alone: queries name people, and paths name projects, tickets and files."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        with tracing.call("jira", request.method or "GET", **{"url.template": shape_of(request.url or "")}) as span:
            response = super().send(request, *args, **kwargs)
            span.set("http.response.status_code", response.status_code)
            return response


class JiraCalls:
    """Uses an e-mail and API token for Cloud, a personal access token for Data Center. Thread-safe; connects on first use."""

    def __init__(self, url: str, *, email: str, api_token: str, token: str, timeout: float) -> None:
        self.url = url.rstrip("/")
        self._basic = (email, api_token) if api_token else None
        self._token = token
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: JIRA | None = None
        self._paused_until = 0.0  # of time.monotonic()
        self._answers = True  # whether the last call was answered
        self._site = ""

    def site(self) -> str:
        """The address that people open. Behind Atlassian's gateway it is another one than that of the calls."""
        if not is_gateway(self.url):
            return self.url
        if not self._site:
            self._site = self.read(
                "asking for the site's address", lambda client: str(client.server_info()["baseUrl"]).rstrip("/")
            )
        return self._site

    def cloud(self) -> bool:
        return self._connected().deploymentType == "Cloud"

    def read(self, what: str, call: Callable[[JIRA], T]) -> T:
        client = self._connected()
        self._wait_for_quota(what)
        return self._attempt(what, lambda: call(client), in_doubt=Temporary)

    def write(self, what: str, call: Callable[[JIRA], T]) -> T:
        """For writes that are safe to repeat."""
        return self.read(what, call)

    def write_once(self, what: str, call: Callable[[JIRA], T]) -> T:
        """For writes that must not be repeated before a lookup.

        After a lost answer Jira is first asked for something else: a write that is lost in an outage waits until the search would show it.
        """
        client = self._connected()
        self._wait_for_quota(what)
        if not self._answers:
            self._attempt("asking whether Jira answers again", client.myself, in_doubt=Temporary)
        return self._attempt(what, lambda: call(client), in_doubt=OutcomeUnknown)

    def _wait_for_quota(self, what: str) -> None:
        """Raises Temporary, without a call, while Jira refuses every call of this account: asking for each ticket would prolong it."""
        remaining = self._paused_until - time.monotonic()
        if remaining > 0:
            raise Temporary(f"Jira's quota is used up ({what}); no call is made until it allows some again.", remaining)

    def _connected(self) -> JIRA:
        with self._lock:
            if self._client is None:
                self._client = self._attempt("connecting", self._connect, in_doubt=Temporary)
            return self._client

    def _connect(self) -> JIRA:
        """API version 2 reports the deployment type on every Jira. Cloud is then used through version 3."""
        client = self._open("2")
        if client.deploymentType != "Cloud":
            if not self._token:
                raise Permanent(
                    f"{self.url} is a Jira Data Center, which takes a personal access token. Set JIRA_TOKEN and restart."
                )
            return client
        if self._basic is None:
            raise Permanent(f"{self.url} is a Jira Cloud. Set JIRA_EMAIL and JIRA_API_TOKEN and restart.")
        client.close()  # type: ignore[no-untyped-call]  # the library's has no types
        return self._open("3")

    def _open(self, version: str) -> JIRA:
        """The library's retries are off, because a lost answer would make two tickets. Its log is off, because it shows whole bodies."""
        from jira import JIRA  # here and below: many installations have no Jira, and most processes do not call it

        client = JIRA(
            self.url,
            options={"rest_api_version": version},
            basic_auth=self._basic,
            token_auth=None if self._basic else self._token,
            max_retries=0,
            timeout=self._timeout,
            logging=False,
        )
        client._session.hooks["response"].append(_refuse_as_anonymous)
        client._session.mount(self.url, TracedCalls())
        return client

    def _attempt(self, what: str, call: Callable[[], T], in_doubt: type[OutsideError]) -> T:
        from jira import JIRAError

        try:
            answer = call()
        except JIRAError as error:
            self._answers = 400 <= (error.status_code or 0) < 500
            raise self._as_outside_error(what, error, in_doubt) from None
        except requests.ConnectionError as error:
            self._answers = False
            raise self._unsent_or_lost(what, error, in_doubt) from None
        except requests.RequestException as error:
            self._answers = False
            raise _lost(what, type(error).__name__, in_doubt) from None
        except SHAPELESS:
            self._answers = False
            raise _lost(what, "an answer that is not Jira's; check JIRA_URL and any proxy", in_doubt) from None
        self._answers = True
        return answer

    def _as_outside_error(self, what: str, error: JIRAError, in_doubt: type[OutsideError]) -> OutsideError:
        status = error.status_code or 0
        if status == 429:
            if _is_for_all_calls(error):
                self._paused_until = time.monotonic() + max(_wait(error), SHORTEST_PAUSE)
            return Temporary(f"Jira allows no more calls for now ({what}); waiting as long as it asked.", _wait(error))
        if status in NOT_PROCESSED:
            return Temporary(f"Jira could not do it just now ({what}: HTTP {status}). It is tried again.", _wait(error))
        if status < 400 or status >= 500:
            return _lost(what, f"HTTP {status}", in_doubt)
        said = f" Jira says: {_said(error)}." if _said(error) else ""
        fix = self._fix_of_401(error) if status == 401 else FIXES.get(status, "See Jira's own words.")
        return Permanent(f"Jira refused {what} (HTTP {status}).{said} {fix}")

    def _fix_of_401(self, error: JIRAError) -> str:
        if "scope does not match" in (error.text or ""):
            return (
                f"Give the token the scopes {SCOPES}: make a new one, set JIRA_API_TOKEN, restart, and replay the job."
            )
        if "AUTHENTICATION_DENIED" in _header(error, "X-Seraph-LoginReason"):
            return "Jira asks this account for a CAPTCHA: log in once with a browser as the bot. Then replay the job."
        names = "JIRA_EMAIL and JIRA_API_TOKEN" if self._basic else "JIRA_TOKEN"
        scoped = (
            " A token with scopes, as a service account has, works only with JIRA_URL=https://api.atlassian.com/ex/jira/CLOUD-ID."
            if self._basic and not is_gateway(self.url)
            else ""
        )
        return (
            f"The token is wrong, expired (it lives a year at most) or revoked: make a new one, set {names}, restart, and replay the "
            f"job.{scoped}"
        )

    def _unsent_or_lost(self, what: str, error: requests.ConnectionError, in_doubt: type[OutsideError]) -> OutsideError:
        cause = error.args[0] if error.args else None
        reason = cause.reason if isinstance(cause, MaxRetryError) else None
        if isinstance(reason, UNSENT):
            return Temporary(
                f"Jira at {self.url} cannot be reached ({what}: {type(reason).__name__}). It is tried again."
            )
        return _lost(what, type(error).__name__, in_doubt)


def is_gateway(url: str) -> bool:
    """Whether calls go through Atlassian's gateway, as those with a scoped token do: https://api.atlassian.com/ex/jira/CLOUD-ID."""
    return "/ex/jira/" in urlsplit(url).path


def _refuse_as_anonymous(response: requests.Response, **_: object) -> None:
    """An expired token is no 401 everywhere: some calls are answered with 200, as to someone without an account, who sees nothing."""
    from jira import JIRAError

    reason = response.headers.get("X-Seraph-LoginReason", "")
    if response.ok and ("AUTHENTICATED_FAILED" in reason or "AUTHENTICATION_DENIED" in reason):
        raise JIRAError("Jira answered as if no one had logged in", status_code=401, response=response)


def _is_for_all_calls(error: JIRAError) -> bool:
    """Cloud's limits for one endpoint or one ticket concern no others; Data Center limits the account, and sends its rate.

    https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
    """
    return _header(error, "RateLimit-Reason").startswith("jira-quota") or bool(_header(error, "X-RateLimit-FillRate"))


def post(client: JIRA, path: str, body: JsonObject) -> JsonObject:
    """For calls that the library lacks, or that it combines with further calls."""
    return _answer(client._session.post(client._get_url(path), data=json.dumps(body)))


def put(client: JIRA, path: str, body: object) -> None:
    """Only writes; the library's `update` also reads the issue before and after."""
    _answer(client._session.put(client._get_url(path), data=json.dumps(body)))


def _answer(response: requests.Response) -> JsonObject:
    """An empty mapping for an empty answer. Raises ValueError for a page from a proxy or a login."""
    answer = response.json() if response.content else {}
    if not isinstance(answer, Mapping):
        raise ValueError("not an object")  # noqa: TRY004 - the answer is wrong, not the caller
    return answer


def object_in(parent: JsonObject, name: str) -> JsonObject:
    """An empty mapping when the name is missing or holds no object."""
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


def objects_in(parent: JsonObject, name: str) -> list[JsonObject]:
    value = parent.get(name)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _lost(what: str, how: str, in_doubt: type[OutsideError]) -> OutsideError:
    if in_doubt is Temporary:  # a read, or what may be repeated
        return Temporary(f"Jira gave no answer that can be used ({what}: {how}). It is tried again.")
    return in_doubt(f"Jira's answer was lost ({what}: {how}), so it may or may not have taken effect.")


def _said(error: JIRAError) -> str:
    return " ".join((error.text or "").split())[:SAID_LIMIT].rstrip(".")


def _header(error: JIRAError, name: str) -> str:
    return str(error.response.headers.get(name, "")) if error.response is not None else ""


def _wait(error: JIRAError) -> float:
    """Retry-After in seconds; 0 without the header. A proxy may send it as a date."""
    asked = _header(error, "Retry-After")
    try:
        return max(0.0, float(asked))
    except ValueError:
        return _until(asked) or _until_reset(_header(error, "X-RateLimit-Reset"))


def _until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _until_reset(moment: str) -> float:
    """X-RateLimit-Reset is a time like 2026-11-29T10:15Z."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return max(0.0, (at.astimezone(UTC) - datetime.now(UTC)).total_seconds()) if at.tzinfo else 0.0


NAME_LIMIT = 250
# Jira refuses uploads that a page in a browser could have sent:
# https://support.atlassian.com/jira/kb/rest-api-calls-with-a-browser-user-agent-header-may-fail-csrf-checks/
NOT_FROM_A_PAGE = {"X-Atlassian-Token": "no-check", "Content-Type": None}


def name_on_ticket(file: Attachment) -> str:
    return one_line(file.name, NAME_LIMIT)


def attached_by(account: str, client: JIRA, issue_id: str) -> frozenset[str]:
    """The names of files that our own account attached. Counting others' files would let anyone block ours by using its name."""
    fields = object_in(client._get_json(f"issue/{issue_id}", params={"fields": "attachment"}), "fields")
    if "attachment" not in fields:
        raise Permanent(
            "Jira shows no attachments of this ticket: switch them on under System, Attachments, and show the field in the project's "
            "field configuration. Then replay the job."
        )
    files = objects_in(fields, "attachment")
    return frozenset(str(file["filename"]) for file in files if account_of(file.get("author")) == account)


def post_file(client: JIRA, issue_id: str, file: Attachment) -> None:
    """The library's own `add_attachment` drops the media type and fails on an empty list."""
    part = {"file": (name_on_ticket(file), file.path.read_bytes(), file.media_type)}
    response = client._session.post(
        client._get_url(f"issue/{issue_id}/attachments"), files=part, headers=NOT_FROM_A_PAGE
    )
    attached = response.json()
    if not isinstance(attached, list) or not attached:
        raise ValueError("no list of attachments")


def account_of(person: object) -> str:
    """The account id on Cloud, the user's key on Data Center (a name can change). Empty without a person."""
    account = person if isinstance(person, Mapping) else {}
    return str(account.get("accountId") or account.get("key") or "")
