"""One HTTP request: one attempt, a deadline, a size limit, and no redirects, which could send the credentials elsewhere.

Uses only the standard library, because the gate must start quickly. The requests themselves are in `registry` and `online`.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from bot.errors import NoAnswer

TIMEOUT = 10.0  # seconds without any data
DEADLINE = 30.0  # seconds for the whole answer
LARGEST_ANSWER = 16 * 2**20  # bytes; more than a version with all the tags that MLflow allows
CHUNK = 64 * 1024


class Down(NoAnswer):
    """The server was not reached in time, or answers 5xx. Any other answer means that it is up."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, object]


@dataclass(frozen=True)
class Server:
    """A server. `name` starts error sentences, `setting` is the variable to fix; `authorization` is a whole header, or empty.

    `certificates` is a file of CAs to trust instead of the default ones; `client_certificate` a file with certificate and key.
    `workspace` is the one of an MLflow server; empty for its default one.
    """

    name: str
    setting: str
    address: str
    authorization: str = ""
    certificates: str = ""
    client_certificate: str = ""
    verifies: bool = True
    workspace: str = ""

    @property
    def shown(self) -> str:
        """The address without a password."""
        parts = urlsplit(self.address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def ask(server: Server, path: str, parameters: Mapping[str, str]) -> Answer:
    """GET. A JSON object is an answer, with any status; so is 401 or 403 with anything. Raises Down and NoAnswer."""
    query = f"?{urlencode(parameters)}" if parameters else ""
    request = Request(f"{server.shown.rstrip('/')}{path}{query}", headers={"Accept": "application/json"})
    if server.workspace:
        request.add_header("X-MLFLOW-WORKSPACE", server.workspace)
    if server.authorization:
        request.add_unredirected_header("Authorization", server.authorization)
    try:
        with _opener(server).open(request, timeout=TIMEOUT) as response:
            return _answer(server, response.status, _body(server, response))
    except HTTPError as error:
        with error:
            return _refusal(server, error)
    except (OSError, IncompleteRead) as trouble:
        raise Down(_unanswered(server, trouble)) from None
    except (HTTPException, ValueError) as trouble:
        raise NoAnswer(_unanswered(server, trouble)) from None


def _unanswered(server: Server, trouble: Exception) -> str:
    why = str(getattr(trouble, "reason", trouble)) or type(trouble).__name__
    return f"{server.name} at {server.shown} does not answer ({why}). Check {server.setting}."


def _opener(server: Server) -> OpenerDirector:
    """Supports proxies, http and https, but not files, ftp or redirects."""
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    if server.address.startswith("https:"):
        opener.add_handler(HTTPSHandler(context=_trust(server)))
    return opener


def _trust(server: Server) -> ssl.SSLContext:
    """The system's CAs and, where `certifi` is installed, those that MLflow's client trusts."""
    context = ssl.create_default_context(cafile=server.certificates or None)
    if not server.certificates:
        import certifi

        context.load_verify_locations(certifi.where())
    if server.client_certificate:
        context.load_cert_chain(server.client_certificate)
    if not server.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _body(server: Server, response: HTTPResponse | HTTPError) -> bytes:
    """Reads with a deadline, so that a server that sends one byte a second cannot block the gate."""
    not_after, read = time.monotonic() + DEADLINE, bytearray()
    while chunk := response.read(CHUNK):
        read += chunk
        if len(read) > LARGEST_ANSWER:
            raise NoAnswer(f"{server.name} at {server.shown} answers with more than {LARGEST_ANSWER // 2**20} MiB.")
        if time.monotonic() > not_after:
            raise Down(f"{server.name} at {server.shown} takes more than {DEADLINE:g} seconds to answer. Try again.")
    return bytes(read)


def _refusal(server: Server, error: HTTPError) -> Answer:
    location = error.headers.get("Location") if 300 <= error.code < 400 else None
    if location is not None:
        raise NoAnswer(
            f"{server.name} at {server.shown} redirects to {_without_secrets(location)}, and the credentials go nowhere else. "
            f"Set {server.setting} to the right address."
        )
    return _answer(server, error.code, _body(server, error))


def _answer(server: Server, status: int, body: bytes) -> Answer:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) and status in (401, 403):  # MLflow's basic auth refuses in plain text
        return Answer(status, {})
    if not isinstance(said, dict):
        raise fault_with(status)(
            f"{server.name} at {server.shown} answered {status} and no JSON. Check {server.setting}."
        )
    return Answer(status, said)


def fault_with(status: int) -> type[NoAnswer]:
    """The error for a status that is not an answer: Down for a broken server, else NoAnswer."""
    return Down if status >= 500 else NoAnswer


def _without_secrets(location: str) -> str:
    parts = urlsplit(location)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))[:200]
