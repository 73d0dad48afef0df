"""The attackers: a process of its own with one loop for all its connections. It speaks to loopback only.

Each kind keeps a number of connections open and opens a new one for each that the server closes.
"""

from __future__ import annotations

import errno
import json
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

DRIPS = 0.5  # seconds between two bytes of a slow sender
OPEN_AT_ONCE = 200  # connections opened in one turn
PATHS = ("/slack/events", "/webhooks/mlflow", "/webhooks/jira", "/api/requests", "/gate/m/1?target=alias:champion")


@dataclass(frozen=True)
class Kind:
    """`opening` is sent at once, `drips` say byte by byte, `again` after each answer."""

    name: str
    opening: bytes = b""
    drip: bytes = b""
    again: bool = False


def _post(path: str, length: int, more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: bot\r\nContent-Length: {length}\r\n{more}\r\n".encode()


SIGNED_WRONGLY = "X-Slack-Request-Timestamp: 1795384800\r\nX-Slack-Signature: v0=" + "a" * 64 + "\r\n"
BAD = tuple(_post(path, 200, SIGNED_WRONGLY + "Authorization: Bearer x\r\n") + b"{" * 200 for path in PATHS)
KINDS = {
    "half-open": Kind("half-open"),
    "slow-headers": Kind("slow-headers", b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nX: ", b"a"),
    "slow-bodies": Kind("slow-bodies", _post("/slack/events", 60_000) + b"payload=", b"{"),
    "slow-chunks": Kind(
        "slow-chunks", b"POST /webhooks/jira HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"
    ),
    "kept-alive": Kind("kept-alive", b"GET /healthz HTTP/1.1\r\nHost: bot\r\n\r\n"),
    "flood": Kind("flood", BAD[0], again=True),
}


@dataclass(eq=False)
class Line:
    """One connection of an attacker."""

    kind: Kind
    sock: socket.socket
    to_send: bytes
    drips_at: float


@dataclass
class Attack:
    port: int
    wanted: dict[str, int]
    most_requests: int
    counts: Counter[str] = field(default_factory=Counter)
    lines: dict[str, set[Line]] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    addresses: int = 8

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self.lines = {name: set() for name in self.wanted}
        while time.monotonic() < until:
            for name, count in self.wanted.items():
                for _ in range(min(OPEN_AT_ONCE, count - len(self.lines[name]))):
                    self._open(KINDS[name])
            for key, events in self.selector.select(0.05):
                self._on(key.data, events)
            self._drip(time.monotonic())
        for line in [line for lines in self.lines.values() for line in lines]:
            self._close(line)

    def _open(self, kind: Kind) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        self.counts["opened"] += 1
        if sys.platform == "linux":  # where all of 127/8 is loopback: several clients
            sock.bind((f"127.0.1.{1 + self.counts['opened'] % self.addresses}", 0))
        if sock.connect_ex(("127.0.0.1", self.port)) not in (0, errno.EINPROGRESS):
            self.counts["not opened"] += 1
            sock.close()
            return
        line = Line(kind, sock, kind.opening, time.monotonic() + DRIPS)
        self.lines[kind.name].add(line)
        self.selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, line)

    def _on(self, line: Line, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._send(line)
            if events & selectors.EVENT_READ:
                self._receive(line)
        except OSError:
            self._lose(line)

    def _send(self, line: Line) -> None:
        if line.to_send:
            line.to_send = line.to_send[line.sock.send(line.to_send) :]
        if not line.to_send:
            self.selector.modify(line.sock, selectors.EVENT_READ, line)

    def _receive(self, line: Line) -> None:
        answer = line.sock.recv(65_536)
        if not answer:
            self._lose(line)
            return
        if answer.startswith(b"HTTP/1.1 "):
            self.counts[f"answer {answer[9:12].decode()}"] += 1
        if line.kind.again and self.counts["requests"] < self.most_requests:
            self.counts["requests"] += 1
            line.to_send = BAD[self.counts["requests"] % len(BAD)]
            self.selector.modify(line.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, line)

    def _drip(self, now: float) -> None:
        for line in [line for lines in self.lines.values() for line in lines]:
            if line.kind.drip and not line.to_send and now >= line.drips_at:
                line.drips_at = now + DRIPS
                self._send_drip(line)

    def _send_drip(self, line: Line) -> None:
        try:
            line.sock.send(line.kind.drip)
        except BlockingIOError:
            return
        except OSError:
            self._lose(line)

    def _lose(self, line: Line) -> None:
        self.counts["closed by the server"] += 1
        self._close(line)

    def _close(self, line: Line) -> None:
        self.lines[line.kind.name].discard(line)
        self.selector.unregister(line.sock)
        line.sock.close()


def main(arguments: list[str]) -> Iterator[str]:
    """PORT SECONDS MOST_REQUESTS KIND=COUNT..."""
    port, seconds, most = int(arguments[0]), float(arguments[1]), int(arguments[2])
    wanted = {name: int(count) for name, count in (pair.split("=") for pair in arguments[3:])}
    attack = Attack(port, wanted, most)
    attack.run(seconds)
    yield json.dumps(dict(sorted(attack.counts.items())))


if __name__ == "__main__":
    for text in main(sys.argv[1:]):
        print(text)  # noqa: T201
