"""Sends signed webhooks over kept connections: as fast as they are answered, or at a fixed pace.

At a fixed pace a request's time begins when it was due, not when it was sent, so that a server that hangs cannot hide its queue.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SECRET = "a-secret-for-the-bench"
BODY = (
    b'{"entity":"model_version_alias","action":"created","timestamp":"2026-11-28T10:00:00.000000+00:00",'
    b'"data":{"name":"bike-demand","alias":"candidate","version":"3"}}'
)
PATIENCE = 40.0  # seconds for one answer


@dataclass
class Seen:
    """Seconds of each answer, what was not answered 202, and the ids of what was."""

    seconds: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    took: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.accepted) / self.took

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98]


class Connection:
    """One kept connection that sends a webhook and waits for the answer's status; opened again after an error."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def send(self, request: bytes) -> str:
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(request)
            return self._status(self._socket)
        except OSError as trouble:
            self.close()
            return type(trouble).__name__

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _status(self, connection: socket.socket) -> str:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._some(connection)
        head, _, body = answer.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        while len(body) < int(headers.get(b"content-length", b"0")):
            body += self._some(connection)
        if headers.get(b"connection") == b"close":
            self.close()
        return head.split(b" ", 2)[1].decode()

    def _some(self, connection: socket.socket) -> bytes:
        received = connection.recv(65536)
        if not received:
            raise ConnectionResetError("closed")
        return received


def signed(delivery: str) -> bytes:
    at = str(int(time.time()))
    head = (
        "POST /webhooks/mlflow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-MLflow-Delivery-Id: {delivery}\r\nX-MLflow-Timestamp: {at}\r\n"
        f"X-MLflow-Signature: {signature(delivery, at, BODY)}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    return head.encode() + BODY


def signature(delivery: str, at: str, body: bytes) -> str:
    """As MLflow signs."""
    digest = hmac.new(SECRET.encode(), f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def as_fast_as_possible(ports: Sequence[int], seconds: float, connections: int = 16) -> Seen:
    """The connections are dealt out over the ports."""
    until = time.monotonic() + seconds
    return _together(ports, connections, lambda _: (uuid.uuid4().hex if time.monotonic() < until else "", 0.0))


def exactly(ports: Sequence[int], count: int, connections: int = 16) -> Seen:
    """`count` webhooks, as fast as they are answered."""
    left = iter([uuid.uuid4().hex for _ in range(count)])
    lock = threading.Lock()

    def following(_: int) -> tuple[str, float]:
        with lock:
            return next(left, ""), 0.0

    return _together(ports, connections, following)


def all_of(ports: Sequence[int], deliveries: Sequence[str], connections: int) -> Seen:
    """Each connection sends all of the deliveries: `connections` must be as many as the ports that are to have them."""
    positions = [iter(deliveries) for _ in range(connections)]
    return _together(ports, connections, lambda number: (next(positions[number], ""), 0.0))


def at_a_pace(ports: Sequence[int], seconds: float, a_second: float, connections: int = 32) -> Seen:
    """An open load: webhooks become due at a fixed pace, however long the answers take."""
    began, lock = time.monotonic(), threading.Lock()
    numbers = iter(range(int(seconds * a_second)))

    def following(_: int) -> tuple[str, float]:
        with lock:
            number = next(numbers, None)
        if number is None:
            return "", 0.0
        due = began + number / a_second
        time.sleep(max(0.0, due - time.monotonic()))
        return uuid.uuid4().hex, due

    return _together(ports, connections, following)


def _together(ports: Sequence[int], connections: int, following: Callable[[int], tuple[str, float]]) -> Seen:
    """`following` gives each connection, by its number, the next delivery and the moment that it was due; an empty id is the end."""
    seen, lock, began = Seen(), threading.Lock(), time.monotonic()

    def run(number: int) -> None:
        connection, mine = Connection(ports[number % len(ports)]), Seen()
        while (given := following(number))[0]:
            delivery, due = given
            request, start = signed(delivery), due or time.monotonic()
            status = connection.send(request)
            mine.seconds.append(time.monotonic() - start)
            if status == "202":
                mine.accepted.append(delivery)
            else:
                mine.others.append(status)
        connection.close()
        with lock:
            seen.seconds += mine.seconds
            seen.accepted += mine.accepted
            seen.others += mine.others

    threads = [threading.Thread(target=run, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen.took = time.monotonic() - began
    return seen
