"""The witness over HTTP: what is no submission, and senders that are slow or many."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.witness.protocol import WitnessSigner
from bot.witness.server import LARGEST_BODY, WitnessServer
from bot.witness.state import Seen


@contextmanager
def served(state: Path, **limits: Any) -> Iterator[int]:
    """Its port."""
    signer = WitnessSigner("witness.example.com", Ed25519PrivateKey.generate())
    with WitnessServer(("127.0.0.1", 0), [], Seen(state), signer, **limits) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def is_closed(connection: socket.socket) -> bool:
    """Waits until the other side ends it; whatever it says before is passed over."""
    try:
        while connection.recv(1000):
            continue
    except ConnectionResetError:
        return True
    return True


def test_what_is_no_submission_has_its_sentence(tmp_path: Path) -> None:
    with served(tmp_path / "seen") as port:
        url = f"http://127.0.0.1:{port}"
        nothing_yet = requests.get(url, timeout=10)
        elsewhere = requests.post(f"{url}/admin", data=b"", timeout=10)
        page = requests.get(f"{url}/add-checkpoint", timeout=10)
        rubbish = requests.post(f"{url}/add-checkpoint", data=b"rubbish", timeout=10)
        large = requests.post(f"{url}/add-checkpoint", headers={"Content-Length": str(LARGEST_BODY + 1)}, timeout=10)

    assert (nothing_yet.status_code, nothing_yet.text) == (200, "")
    assert [answer.status_code for answer in (elsewhere, page, rubbish, large)] == [404, 404, 400, 400]
    assert "does not begin with" in rubbish.text


@pytest.mark.parametrize(
    "sent", [b"", b"POST /add-ch", b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 60\r\n\r\nold"]
)
def test_a_sender_that_never_ends_is_cut_off(tmp_path: Path, sent: bytes) -> None:
    with served(tmp_path / "seen", deadline=0.2) as port, socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(sent)

        assert is_closed(slow)


def test_one_sender_too_many_is_turned_away_and_the_others_are_served(tmp_path: Path) -> None:
    with served(tmp_path / "seen", most=1) as port, socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(b"GET / HTTP/1.1\r\n")
        with socket.create_connection(("127.0.0.1", port)) as second:
            assert is_closed(second)
        first.sendall(b"\r\n")
        assert b"200 OK" in first.recv(1000)
        assert is_closed(first)
