"""Waiting for events on many sockets while threads of the pools change what they wait for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from waitress import wasyncore

from bot.web.watch import Watch


class Served(wasyncore.dispatcher):  # type: ignore[misc]  # waitress has no types
    """A connection whose request a thread is answering. The thread ends at the worst moment: just after we asked what it waits for."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, map={})
        self.is_served = True
        self.received = b""

    def readable(self) -> bool:
        was_served, self.is_served = self.is_served, False
        return not was_served

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.received += self.recv(100)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield ours, theirs


def test_a_connection_whose_request_is_answered_while_it_is_looked_at_is_read_again(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    connection = Served(ours)
    with closing(Watch(lambda one: bool(getattr(one, "is_served", False)))) as watch:
        watch.add(connection)
        watch.turn(0)
        theirs.sendall(b"the next request")
        watch.turn(1)

    assert connection.received == b"the next request"
