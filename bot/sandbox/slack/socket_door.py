"""WSGI middleware for WebSockets: takes over the connection of a bot that uses Socket Mode."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from simple_websocket import ConnectionClosed, Server  # type: ignore[import-untyped]

from .socket_mode import Sockets

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SOCKET_PATH = "/link/"


class SocketDoor:
    def __init__(self, sockets: Sockets, application: WSGIApplication) -> None:
        self._sockets, self._application = sockets, application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != SOCKET_PATH:
            return self._application(environ, start_response)
        ticket, *_ = parse_qs(environ.get("QUERY_STRING", "")).get("ticket", [""])
        if not self._sockets.redeem(ticket):
            start_response("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"this ticket is unknown or was used before; ask apps.connections.open for a new one"]
        with suppress(ConnectionClosed):
            self._sockets.serve(Server(environ))
        raise ConnectionAbortedError("the socket has ended")  # werkzeug must not write an HTTP answer into it
