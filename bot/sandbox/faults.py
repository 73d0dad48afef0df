"""Faults on demand, as WSGI middleware: a sandbox server misbehaves the way real vendors do.

A fault matches requests by method and path, and acts a given number of times. Tests add faults with `Faults.add`, other processes with
`POST /_sandbox/faults`. Each kind has its own effect on the vendor's state:

| kind      | the write happens | the client sees                                 |
|-----------|-------------------|-------------------------------------------------|
| down      | no                | the connection closed                           |
| slow      | yes               | the answer after `seconds`                      |
| status    | no                | `status`, with `Retry-After: seconds` on a 429  |
| cut       | yes               | the connection closed instead of the answer     |
| malformed | yes               | 200 with half of the answer's body              |
| refused   | no                | 200, `ok: false` and `error`, as Slack refuses  |
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

FAULTS_PATH = "/_sandbox/faults"


class FaultKind(StrEnum):
    DOWN = "down"
    SLOW = "slow"
    STATUS = "status"
    CUT = "cut"
    MALFORMED = "malformed"
    REFUSED = "refused"


@dataclass
class Fault:
    """`path` is a regular expression that the request's path must contain; `times` counts down to zero."""

    kind: FaultKind
    path: str = ""
    method: str = ""
    times: int = 1
    status: int = 500
    seconds: float = 1.0
    error: str = ""

    def matches(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in ("", method) and re.search(self.path, path) is not None


class Faults:
    """Wraps a WSGI application; needs a server that puts its socket into the environ, as werkzeug does."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, kind: FaultKind | str, path: str = "", **options: object) -> None:
        fault = Fault(FaultKind(kind), path, **options)  # type: ignore[arg-type]  # checked by the dataclass's own signature
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == FAULTS_PATH:
            return self._control(environ, start_response)
        fault = self._take(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if fault is None:
            return self.application(environ, start_response)
        return self._misbehave(fault, environ, start_response)

    def _take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            fault = next((fault for fault in self._faults if fault.matches(method, path)), None)
            if fault is not None:
                fault.times -= 1
            return fault

    def _misbehave(self, fault: Fault, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if fault.kind is FaultKind.DOWN:
            return _hang_up(environ)
        if fault.kind is FaultKind.STATUS:
            retry_after = [("Retry-After", str(max(1, round(fault.seconds))))] if fault.status == 429 else []
            start_response(f"{fault.status} fault", [("Content-Type", "application/json"), *retry_after])
            return [b'{"ok": false, "error": "ratelimited"}' if fault.status == 429 else b"fault"]
        if fault.kind is FaultKind.REFUSED:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"ok": False, "error": fault.error}).encode()]
        if fault.kind is FaultKind.SLOW:
            time.sleep(fault.seconds)
            return self.application(environ, start_response)
        body = self._run_to_the_end(environ)
        if fault.kind is FaultKind.CUT:
            return _hang_up(environ)
        half = body[: len(body) // 2]
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(half)))])
        return [half]

    def _run_to_the_end(self, environ: WSGIEnvironment) -> bytes:
        parts = self.application(environ, lambda *_: lambda _body: None)
        try:
            return b"".join(parts)
        finally:
            getattr(parts, "close", lambda: None)()

    def _control(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "DELETE":
            self.clear()
        else:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            self.add(**json.loads(environ["wsgi.input"].read(length)))
        start_response("204 No Content", [])
        return []


def _hang_up(environ: WSGIEnvironment) -> Iterable[bytes]:
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("a fault cut this connection")
