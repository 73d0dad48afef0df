"""How MLflow is called: one attempt a call, one timeout, and what a failed call means. The calls are in `registry`.

MLflow's own client retries each call seven times by default, which turns one lost answer into two versions, and its exceptions forget
the HTTP answer, `Retry-After` included. So its session gets an adapter, for the tracking server's address alone, that sends once and
raises while it still has the answer; MLflow wraps that exception and keeps it as the context of its own.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from bot import tracing
from bot.clients.mlflow.access import Access, of_registry_named
from bot.clients.mlflow.prompts import client_that_sees_all
from bot.domain.workspaces import DEFAULT
from bot.errors import OutcomeUnknown, OutsideError, Permanent, Temporary
from bot.mlflow_addresses import NO_SERVER, NOT_SET, mistake_in
from bot.tracing.routes import shape_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.tracking._model_registry.client import ModelRegistryClient

NOT_THERE = "RESOURCE_DOES_NOT_EXIST"
ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"

KEPT_APART_BY_MLFLOW = frozenset({400, 401, 403, 404, 409})
"""Statuses that MLflow's exceptions still distinguish; the others it turns into INTERNAL_ERROR, or follows."""

TRY_AGAIN = frozenset({408, 429})
"""The statuses below 500 that are temporary."""

NOT_ACCEPTED = frozenset({429, 503})
"""Statuses by which a server says that it has not even tried."""

ANSWERED = re.compile(
    r"API request to endpoint .* failed with error code \d+ != \d+\. Response body: '(.*)'", re.DOTALL
)
LONGEST_WAIT = 72 * 3600.0  # seconds; after that long a job is parked anyway

READS = frozenset({"GET", "HEAD", "OPTIONS"})
GUARD_HEADER = "X-Countersign-Guard"  # plugins/mlflow-countersign-guard
GUARD_STATE = "/api/2.0/countersign-guard"  # what the guard says about itself to those who have its secret

OF_DATABRICKS = "x-databricks-"  # begins headers of a workspace, also under a name of its own

FIXES = {
    301: "Set {uri} to the address that it redirects to.",
    302: "Set {uri} to the address that it redirects to, and check the credentials.",
    307: "Set {uri} to the address that it redirects to.",
    308: "Set {uri} to the address that it redirects to.",
    400: "MLflow finds the call wrong; change what is asked for.",
    401: "Check MLFLOW_TRACKING_USERNAME{end} and MLFLOW_TRACKING_PASSWORD{end}, or MLFLOW_TRACKING_TOKEN{end}.",
    404: "It may have been deleted or renamed; if nothing is found at all, check {uri}.",
    409: "Somebody else changed it meanwhile; look at it in MLflow.",
}
_asked: ContextVar[str] = ContextVar("_asked", default=DEFAULT)
"""The registry that the last request of this thread went to: MLflow's exceptions do not say it."""


class Grant(StrEnum):
    """What an account of MLflow's basic auth needs for a call: https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/"""

    READ = "READ on the model and on the experiment of its run"
    EDIT = "EDIT on the model"
    MANAGE = "MANAGE on the model, which contains the right to delete"
    ADMIN = "an admin's rights, which webhooks need"


class NotThere(Permanent):
    """What we asked for does not exist in the registry."""


class AlreadyThere(Permanent):
    """What we wanted to create exists."""


class OneAttempt(HTTPAdapter):
    """Sends once, follows nothing, and raises for the statuses that MLflow would blur."""

    def __init__(self, timeout: float, access: Access | None = None, guard_secret: str = "") -> None:
        super().__init__(max_retries=0)
        self.timeout = timeout
        self.access = access
        self.guard_secret = guard_secret

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,  # noqa: ARG002 - MLflow's is a whole number of seconds for the whole process; ours is kept instead
        verify: bool | str = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        _asked.set(DEFAULT if self.access is None else self.access.place.registry)
        if self.access is not None:
            self.access.admit(request)
            if self.access.credentials is not None:  # MLflow's variables are about the default registry's server
                verify, cert = verify or True, None
        is_for_guard = request.method not in READS or urlsplit(request.url or "").path.endswith(GUARD_STATE)
        if self.guard_secret and is_for_guard:
            request.headers[GUARD_HEADER] = self.guard_secret
        with tracing.call("mlflow", request.method or "GET", **{"url.template": shape_of(request.url or "")}) as span:
            response = super().send(request, stream, self.timeout, verify, cert, proxies)  # type: ignore[arg-type]  # passed through
            span.set("http.response.status_code", response.status_code)
        kept = response.status_code in KEPT_APART_BY_MLFLOW and _said_by_a_proxy(response) is None
        if response.status_code < 300 or kept:
            return response
        response.content  # noqa: B018 - read to its end, so that the connection goes back to the pool
        raise requests.HTTPError(f"HTTP {response.status_code}", request=request, response=response)


def open_client(
    tracking_uri: str, timeout: float, access: Access | None = None, guard_secret: str = ""
) -> MlflowClient:
    """Imports MLflow (about a second) and returns its client with our adapter in place; calls nothing yet. Raises Permanent.

    Without `access` MLflow's own variables say how the server is reached. `guard_secret` goes with each write, for a server that our
    guard protects (plugins/mlflow-countersign-guard).
    """
    mistake = mistake_in(tracking_uri) if tracking_uri.strip() else NOT_SET
    if mistake:
        raise _no_address(mistake)
    if access is not None:
        tracking_uri = access.address(tracking_uri)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # the bot calls the addresses it was given, and no others
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    _settle_that_these_are_missing()
    _session().mount(tracking_uri.rstrip("/") + "/", OneAttempt(timeout, access, guard_secret))
    return client_that_sees_all(tracking_uri)


def plainly(client: MlflowClient) -> ModelRegistryClient:
    """Beneath the client's own methods, many of which ask the server something first, or warn."""
    return client._get_registry_client()  # type: ignore[no-untyped-call,no-any-return]  # MLflow's has no types


def get(address: str, path: str, what: str) -> requests.Response:
    """A path that MLflow's client has no method for, of an address that `open_client` has seen. Raises as `reading` does."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    with reading(what):
        return http_request(get_default_host_creds(address), path, "GET")  # type: ignore[no-untyped-call,no-any-return]


def has_workspaces(address: str) -> bool:
    """Without them MLflow answers 503 to all calls about workspaces; servers before 3.10 know neither."""
    answer = get(address, "/api/3.0/mlflow/server-info", "asking what it offers")
    try:
        return answer.status_code == 200 and answer.json().get("workspaces_enabled") is True
    except (ValueError, AttributeError):
        return False


def _settle_that_these_are_missing() -> None:
    """Before every call MLflow tries a dozen times to import what only a notebook has; each failure costs a search of the whole path."""
    for name in ("dbruntime", "IPython", "pyspark"):
        if name not in sys.modules and find_spec(name) is None:
            sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say that it is not there


def _no_address(mistake: str = NO_SERVER) -> Permanent:
    return Permanent(f"MLFLOW_TRACKING_URI {mistake}")


def _session() -> requests.Session:
    """The session that `mlflow.utils.rest_utils.http_request` will use: MLflow caches it by just these values."""
    from mlflow import environment_variables
    from mlflow.utils import request_utils

    def setting(name: str) -> object:
        return getattr(environment_variables, name).get()

    session: requests.Session = request_utils._get_request_session(  # type: ignore[no-untyped-call]
        setting("MLFLOW_HTTP_REQUEST_MAX_RETRIES"),
        setting("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"),
        setting("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER"),
        request_utils._TRANSIENT_FAILURE_RESPONSE_CODES,
        True,
        setting("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER"),
    )
    return session


def fix_for(status: int) -> str:
    """What to do about a refusal by the registry that the last request of this thread went to."""
    registry = _asked.get()
    fix = FIXES.get(status, "Look at the MLflow server and at what stands before it.")
    if registry == DEFAULT:
        return fix.format(uri="MLFLOW_TRACKING_URI", end="")
    return fix.format(uri=f'`uri` of the registry "{registry}" in the policy', end=of_registry_named(registry))


@dataclass(frozen=True)
class Call:
    """`what` is done, the account needs the grant, and `changes` says whether a lost answer leaves the outcome unknown."""

    what: str
    needs: Grant
    changes: bool


@contextmanager
def reading(what: str, needs: Grant = Grant.READ) -> Iterator[None]:
    """`what` completes "MLflow … while …", such as `reading model "bike"`. Raises Temporary or Permanent."""
    with _translated(Call(what, needs, changes=False)):
        yield


@contextmanager
def writing(what: str, needs: Grant = Grant.EDIT) -> Iterator[None]:
    """Like `reading`; a write whose answer was lost raises OutcomeUnknown."""
    with _translated(Call(what, needs, changes=True)):
        yield


@contextmanager
def _translated(call: Call) -> Iterator[None]:
    try:
        yield
    except _failures_of_mlflow() as error:
        raise _meaning_of(error, call) from error


def _failures_of_mlflow() -> tuple[type[Exception], ...]:
    """What MLflow's client raises: its own exception, or, for an answer of another shape, that of its parser."""
    from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]
    from mlflow.exceptions import MlflowException

    return MlflowException, ParseError, json.JSONDecodeError


def _meaning_of(error: Exception, call: Call) -> OutsideError:
    from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException

    if not isinstance(error, MlflowException):
        return _unclear("answered something that cannot be read", call)
    if error.error_code != "INTERNAL_ERROR":
        status = int(ERROR_CODE_TO_HTTP_STATUS.get(error.error_code, 400))
        return _by_status(status, error.message, call, code=error.error_code)
    cause = error.__context__
    if isinstance(cause, requests.HTTPError) and cause.response is not None:
        answer = cause.response
        return _by_status(answer.status_code, _reason_in(answer), call, retry_after=_retry_after(answer))
    if isinstance(cause, requests.exceptions.InvalidURL):
        return _no_address()
    if isinstance(cause, requests.RequestException):
        return _by_transport(cause, call)
    return _unclear("answered something that cannot be read", call)


def _by_status(status: int, reason: str, call: Call, *, code: str = "", retry_after: float = 0.0) -> OutsideError:
    if (status < 500 and status not in TRY_AGAIN) or status == 501:
        return _refusal(status, reason, call, code)
    if call.changes and status not in NOT_ACCEPTED:
        return _unclear(f"answered {status}", call)
    return Temporary(f"MLflow answered {status} while {call.what}. It will be tried again.", retry_after)


def _by_transport(cause: requests.RequestException, call: Call) -> OutsideError:
    if _was_never_sent(cause):
        return Temporary(f"MLflow cannot be reached at {_address(cause)} while {call.what}. It will be tried again.")
    slow = isinstance(cause, requests.Timeout)
    return _unclear("did not answer in time" if slow else "closed the connection instead of answering", call)


def _was_never_sent(cause: requests.RequestException) -> bool:
    if isinstance(cause, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return True
    inner = cause.args[0] if cause.args else None
    return isinstance(getattr(inner, "reason", inner), NewConnectionError | ConnectTimeoutError)


def _refusal(status: int, reason: str, call: Call, code: str) -> Permanent:
    kind = {NOT_THERE: NotThere, ALREADY_THERE: AlreadyThere}.get(code, Permanent)
    fix = f"Give the account that Countersign uses {call.needs}." if status == 403 else fix_for(status)
    return kind(f"MLflow refused {call.what} ({status}): {_shortened(reason)} {fix}")


def _unclear(how: str, call: Call) -> OutsideError:
    if call.changes:
        return OutcomeUnknown(
            f"MLflow {how} while {call.what}, so it may or may not have been done. Look before repeating it."
        )
    return Temporary(f"MLflow {how} while {call.what}. It will be tried again.")


def _said_by_a_proxy(response: requests.Response) -> str | None:
    """What a JSON answer without MLflow's error code says, such as an API gateway's: MLflow's client takes it for an error within."""
    try:
        body = response.json()
    except ValueError:
        return None
    if any(name.lower().startswith(OF_DATABRICKS) for name in response.headers):
        return None  # no proxy, but a workspace: `bot.clients.mlflow.checkup` says so
    if isinstance(body, Mapping) and "error_code" in body:
        return None
    texts = (body.get(name) for name in ("message", "error", "detail")) if isinstance(body, Mapping) else ()
    return next((text for text in texts if isinstance(text, str)), "")


def _reason_in(response: requests.Response) -> str:
    location = response.headers.get("Location")
    return f"redirected to {location}." if location else _said_by_a_proxy(response) or response.reason or ""


def _shortened(reason: str) -> str:
    """MLflow's client puts its own words around what a server answered in another shape than its own, as basic auth does."""
    said = ANSWERED.fullmatch(reason)
    line = " ".join((said[1] if said else reason).split())
    line = line if len(line) <= 300 else line[:299] + "…"
    return line if line.endswith((".", "!", "?", "…")) or not line else line + "."


def _retry_after(response: requests.Response) -> float:
    """Seconds; the header may also hold a date, which counts from the answer's own date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(response.headers["Date"])
    except (KeyError, TypeError, ValueError):
        return 0.0
    return min(max(0.0, wait.total_seconds()), LONGEST_WAIT)


def _address(cause: requests.RequestException) -> str:
    """Scheme, host and port: an address may carry a password."""
    parts = urlsplit(str(cause.request.url)) if cause.request is not None else None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts else "its address"
