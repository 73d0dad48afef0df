"""The web server: deadlines, places for connections, pools of threads, and the way it ends."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
import requests
from prometheus_client import CollectorRegistry

from bot import metrics
from bot.web.clients import Clients
from bot.web.limits import HEADER_LIMIT, KIB, Limits, Pool
from bot.web.server import Front

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

PATIENCE = 60.0  # seconds; how long a loaded machine may take
SOON = 0.3  # seconds; a deadline that passes soon
POOLS = (
    Pool("slack", ("/slack",), threads=2, waiting=3, body=KIB),
    Pool("pages", ("/pages",), threads=1, waiting=2, body=KIB),
    Pool("others", ("",), threads=1, waiting=20, body=10),
)
PATIENT = Limits(places=20, places_of_one=10, whole_request=PATIENCE, look_every=0.05)


@dataclass
class App:
    """Answers with the length of the body; /pages waits until the test lets it go."""

    let_go: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError("a bug of ours")
        if environ["PATH_INFO"].startswith("/pages"):
            self.entered.release()
            self.let_go.wait(PATIENCE)
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(len(body)).encode()]


@dataclass
class Served:
    app: App
    front: Front
    stopping: threading.Event
    loop: threading.Thread

    @property
    def port(self) -> int:
        return int(self.front.effective_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE, source_address=(source, 0))
        sock.sendall(sent)
        return sock

    def until(self, came_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not came_true():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def serve(limits: Limits = PATIENT, clients: Clients | None = None) -> Iterator[Served]:
    app, stopping = App(), threading.Event()
    front = Front(app, "127.0.0.1", 0, clients=clients, pools=POOLS, limits=limits)
    loop = threading.Thread(target=front.run, args=(stopping.is_set,))
    loop.start()
    try:
        yield Served(app, front, stopping, loop)
    finally:
        app.let_go.set()
        stopping.set()
        loop.join(PATIENCE)


@pytest.fixture
def served() -> Iterator[Served]:
    with serve() as it:
        yield it


def is_closed(sock: socket.socket) -> bool:
    """Reads to the end; what the server said before does not matter."""
    try:
        while sock.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    return True


def drip_until_closed(sock: socket.socket) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            sock.sendall(b"x")
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail("the server let it send for ever")


def answer_on(sock: socket.socket) -> tuple[int, dict[str, str]]:
    """The status and the JSON body of an answer that closes the connection."""
    whole = b""
    while piece := sock.recv(65_536):
        whole += piece
    head, _, body = whole.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def post(path: str, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: bot\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "sent",
    [post("/slack", 1000), post("/slack", 1000) + b"x" * 999, b"POST /slack HTTP/1.1\r\nHo", b"P"],
    ids=["headers only", "all but a byte", "half the headers", "one byte"],
)
def test_a_request_that_does_not_arrive_in_time_is_answered_408(sent: bytes) -> None:
    with serve(Limits(places=9, whole_request=SOON, look_every=0.05)) as served, served.connect(sent) as slow:
        status, body = answer_on(slow)

    assert (status, body["reason"]) == (408, "slow")


def test_bytes_that_arrive_now_and_then_do_not_extend_the_deadline() -> None:
    with (
        serve(Limits(places=9, whole_request=SOON, look_every=0.05)) as served,
        served.connect(post("/slack", 1000)) as slow,
    ):
        drip_until_closed(slow)


def test_a_connection_that_sends_nothing_is_closed() -> None:
    with serve(Limits(places=9, whole_request=SOON, look_every=0.05)) as served, served.connect() as silent:
        assert is_closed(silent)


def test_an_idle_connection_is_kept_for_longer_than_a_request_may_take() -> None:
    with (
        serve(Limits(places=9, whole_request=SOON, idle=PATIENCE, look_every=0.05)) as served,
        requests.Session() as session,
    ):
        session.get(f"{served.url}/", timeout=PATIENCE)
        time.sleep(2 * SOON)
        (kept,) = served.front.active_channels.values()
        session.get(f"{served.url}/", timeout=PATIENCE)

        assert list(served.front.active_channels.values()) == [kept]


def test_slow_senders_take_no_threads(served: Served) -> None:
    with ExitStack() as attack:
        for _ in range(9):
            attack.enter_context(served.connect(post("/slack", 1000) + b"{"))
        answer = requests.post(f"{served.url}/slack", data=b"click", timeout=PATIENCE)

    assert (answer.status_code, answer.text) == (200, "5")


def test_when_one_client_has_all_its_places_the_longest_waiting_of_its_connections_goes(served: Served) -> None:
    with ExitStack() as attack:
        lines = [attack.enter_context(served.connect()) for _ in range(PATIENT.places_of_one)]
        served.until(lambda: len(served.front.active_channels) == PATIENT.places_of_one)
        other = attack.enter_context(served.connect())

        other.sendall(post("/slack", 0))
        assert b"200 OK" in other.recv(1000)
        assert is_closed(lines[0])
        assert len(served.front.active_channels) == PATIENT.places_of_one


def test_when_all_places_are_taken_a_new_connection_gets_that_of_the_longest_waiting(served: Served) -> None:
    with ExitStack() as attack:
        for host in range(PATIENT.places):
            attack.enter_context(served.connect(b"P", source=f"127.0.2.{1 + host}"))
        served.until(lambda: len(served.front.active_channels) == PATIENT.places)

        answer = requests.post(f"{served.url}/slack", data=b"click", timeout=PATIENCE)

    assert answer.status_code == 200


def test_a_trusted_proxy_may_open_more_connections_than_one_client() -> None:
    with serve(clients=Clients([ip_network("127.0.0.1/32")])) as served, ExitStack() as proxy:
        lines = [proxy.enter_context(served.connect()) for _ in range(PATIENT.places_of_one + 5)]

        served.until(lambda: len(served.front.active_channels) == len(lines))


def test_one_client_behind_a_trusted_proxy_cannot_take_all_places_of_the_others() -> None:
    half = "POST /slack HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nContent-Length: 4\r\n\r\nab"
    most = PATIENT.places_of_one
    with serve(clients=Clients([ip_network("127.0.0.1/32")])) as served, ExitStack() as lines:

        def places_of(client: str) -> int:
            return len(served.front.by_client.get(client, ()))

        other = lines.enter_context(served.connect(half.format(client="192.0.2.2").encode()))
        served.until(lambda: places_of("192.0.2.2") == 1)
        attack = []
        for number in range(1, most + 4):
            attack.append(lines.enter_context(served.connect(half.format(client="192.0.2.1").encode())))
            if number <= most:
                served.until(lambda number=number: places_of("192.0.2.1") == number)
            else:
                assert is_closed(attack[number - most - 1])

        other.sendall(b"cd")
        assert b"200 OK" in other.recv(1000)
        assert places_of("192.0.2.1") == most
        assert places_of("192.0.2.2") == 0


def test_a_slow_route_does_not_take_the_threads_of_another(served: Served) -> None:
    with ExitStack() as readers:
        for _ in range(3):
            readers.enter_context(served.connect(b"GET /pages HTTP/1.1\r\n\r\n"))
        served.app.entered.acquire(timeout=PATIENCE)

        answer = requests.post(f"{served.url}/slack", data=b"click", timeout=PATIENCE)

    assert answer.status_code == 200


def test_when_too_many_wait_for_a_route_the_newest_is_asked_to_come_back(served: Served) -> None:
    with ExitStack() as readers:
        readers.enter_context(served.connect(b"GET /pages HTTP/1.1\r\n\r\n"))
        served.app.entered.acquire(timeout=PATIENCE)
        for _ in range(POOLS[1].waiting):
            readers.enter_context(served.connect(b"GET /pages HTTP/1.1\r\n\r\n"))
        served.until(lambda: sum(not line.is_waiting() for line in list(served.front.active_channels.values())) == 3)

        answer = requests.get(f"{served.url}/pages", timeout=PATIENCE)

    assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
    assert answer.headers["Retry-After"] == "5"


def test_a_body_larger_than_its_route_takes_is_refused_before_it_is_sent(served: Served) -> None:
    with served.connect(post("/slack", KIB + 1)) as sender:
        too_large = answer_on(sender)
    as_large_as_allowed = requests.post(f"{served.url}/slack", data=b"x" * KIB, timeout=PATIENCE)
    on_another_route = requests.post(f"{served.url}/x", data=b"x" * 11, timeout=PATIENCE)

    assert (too_large[0], too_large[1]["reason"]) == (413, "too_large")
    assert (as_large_as_allowed.status_code, as_large_as_allowed.text) == (200, str(KIB))
    assert on_another_route.status_code == 413


def test_a_body_in_chunks_has_the_same_limit(served: Served) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 600
        yield b"x" * 600

    answer = requests.post(f"{served.url}/slack", data=pieces(), timeout=PATIENCE)

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\r\n\r\n",  # TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: bot\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n",
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEADER_LIMIT)[:HEADER_LIMIT],
        b"POST /slack HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n",
    ],
)
def test_what_is_not_http_is_refused_in_json_and_not_with_a_500(served: Served, sent: bytes) -> None:
    with served.connect(sent) as sender:
        status, body = answer_on(sender)

    assert status in (400, 413, 431, 501)
    assert body["reason"] in ("malformed_http", "too_large")


def test_a_client_that_does_not_read_its_answer_is_dropped_and_its_thread_goes_on() -> None:
    class Large(App):
        def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", [])
            return iter([b"x" * 2**20] * 64)

    stopping = threading.Event()
    front = Front(Large(), "127.0.0.1", 0, pools=POOLS, limits=Limits(places=9, answer_taken=SOON, look_every=0.05))
    loop = threading.Thread(target=front.run, args=(stopping.is_set,))
    loop.start()
    try:
        with socket.create_connection(("127.0.0.1", int(front.effective_port)), PATIENCE) as reader:
            reader.sendall(b"GET /pages HTTP/1.1\r\n\r\n")
            deadline = time.monotonic() + PATIENCE
            while not front.active_channels or time.monotonic() > deadline:
                time.sleep(0.01)
            while front.active_channels:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        stopping.set()
        loop.join(PATIENCE)

    assert not loop.is_alive()


def test_after_a_bug_of_ours_the_thread_serves_the_next_request(served: Served) -> None:
    broken = requests.get(f"{served.url}/broken", timeout=PATIENCE)
    after = requests.get(f"{served.url}/", timeout=PATIENCE)

    assert (broken.status_code, after.status_code) == (500, 200)
    assert "a bug of ours" not in broken.text


def test_requests_in_progress_are_answered_before_the_process_ends(served: Served) -> None:
    with served.connect(b"GET /pages HTTP/1.1\r\n\r\n") as reader:
        served.app.entered.acquire(timeout=PATIENCE)
        served.stopping.set()
        served.app.let_go.set()
        answer = reader.recv(1000)
        served.loop.join(PATIENCE)

    assert b"200 OK" in answer
    assert not served.loop.is_alive()
    with pytest.raises(ConnectionRefusedError):
        served.connect()


def test_what_was_refused_is_counted() -> None:
    def count() -> float:
        registry: CollectorRegistry = metrics.REGISTRY
        return registry.get_sample_value("countersign_web_refused_total", {"reason": "slow"}) or 0.0

    before = count()
    with serve(Limits(places=9, whole_request=SOON, look_every=0.05)) as served, served.connect(b"P") as slow:
        answer_on(slow)

    assert count() == before + 1
