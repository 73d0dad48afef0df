"""The processes of an installation, started again a second after their death, and one address before several web processes."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from bot.supervisor import COUNTERSIGN, FIRST_PAUSE

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

HOP = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive"})
START_PATIENCE = 120.0  # seconds


def web_command() -> Sequence[str]:
    return (*COUNTERSIGN, "web", "--host", "127.0.0.1")


@dataclass
class Kept:
    """One process. `address` is where a web process answers, empty for others. `ready_after` are seconds from each restart to ready.

    `gone_after` are those from each SIGTERM to its end.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    address: str = ""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    died_at: float | None = None
    starts: int = 0
    waits_for_ready: bool = False
    ready_after: list[float] = field(default_factory=list)
    gone_after: list[float] = field(default_factory=list)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.started, self.died_at = time.monotonic(), None
        self.starts += 1
        self.waits_for_ready = bool(self.address)

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> float:
        """SIGTERM; returns the seconds until it was gone. It is killed after half a minute."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self.gone_after.append(time.monotonic() - began)
        return self.gone_after[-1]

    @property
    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.address}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False


class Keeper(threading.Thread):
    """Starts again what has died, as a platform does, and measures how long a restarted web process takes to be ready."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        super().__init__(name="keeper", daemon=True)
        self.kept = kept
        self.is_paused = threading.Event()
        self._stopping = threading.Event()

    def run(self) -> None:
        for one in self.kept:
            one.start()
        while not self._stopping.wait(0.1):
            for one in self.kept:
                self._look_after(one)

    def _look_after(self, one: Kept) -> None:
        now = time.monotonic()
        if one.lives:
            if one.waits_for_ready and one.is_ready:
                one.ready_after.append(time.monotonic() - one.started)
                one.waits_for_ready = False
        elif one.died_at is None:
            one.died_at = now
        elif now - one.died_at >= FIRST_PAUSE and not self.is_paused.is_set():
            one.start()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while any(one.address and not one.ready_after for one in self.kept):
            if time.monotonic() > deadline:
                raise RuntimeError("the web processes do not get ready: look into their logs")
            time.sleep(0.1)
        for one in self.kept:
            one.ready_after.clear()  # the first start is no restart

    def stop(self) -> None:
        self._stopping.set()
        self.join()
        for one in self.kept:
            if one.lives and one.process is not None:
                one.process.terminate()
        for one in self.kept:
            if one.process is not None:
                one.stop()


class Balancer:
    """A WSGI application. What cannot connect to one web process is sent to the other, as in a load balancer; nothing else is repeated."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = list(addresses)
        self.answers: list[tuple[float, str, int]] = []  # when (monotonic), path, status; 0 when the connection broke
        self._turn = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        given = {name[5:].replace("_", "-"): text for name, text in environ.items() if name.startswith("HTTP_")}
        given.pop("HOST", None)
        headers = {**given, "Content-Type": environ.get("CONTENT_TYPE", ""), "Connection": "close"}
        path = environ["PATH_INFO"] + (f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else "")
        status, reason, content = self._forward(environ["REQUEST_METHOD"], path, headers, body)
        self.answers.append((time.monotonic(), environ["PATH_INFO"], status))
        start_response(f"{status or 502} {reason}", [("Content-Type", "application/json")])
        return [content]

    def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        self._turn += 1
        for place in range(len(self.addresses)):
            address = self.addresses[(self._turn + place) % len(self.addresses)]
            try:
                answer = requests.request(method, f"{address}{path}", headers=headers, data=body, timeout=30)
            except requests.ConnectionError as trouble:
                if "NewConnectionError" in str(trouble):
                    continue
                return 0, "Bad Gateway", b"{}"
            except requests.RequestException:
                return 0, "Bad Gateway", b"{}"
            return answer.status_code, answer.reason, answer.content
        return 503, "Service Unavailable", b"{}"
