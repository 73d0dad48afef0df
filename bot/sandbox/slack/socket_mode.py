"""Socket Mode: while a bot's socket is connected, interactions and events go there instead of to an address."""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from .answers import Answer, not_reached, timed_out
from .wire import Json, object_at, parsed, text_at

DISCONNECT_REASONS = ("warning", "refresh_requested", "link_disabled")


class EnvelopeKind(StrEnum):
    INTERACTIVE = "interactive"
    SLASH_COMMANDS = "slash_commands"
    EVENTS_API = "events_api"


class Socket(Protocol):
    """The part of `simple_websocket.Server` that we use."""

    def send(self, data: str) -> None: ...
    def receive(self, timeout: float | None = None) -> str | bytes | None: ...
    def close(self, reason: int | None = None, message: str | None = None) -> None: ...


@dataclass
class _Waiting:
    arrived: threading.Event = field(default_factory=threading.Event)
    payload: Json = field(default_factory=dict)


class Sockets:
    """Tickets for connecting, connected sockets, and envelopes that wait for their acknowledgement."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._tickets: set[str] = set()
        self._connected: list[Socket] = []
        self._retired: list[Socket] = []
        self._waiting: dict[str, _Waiting] = {}
        self._change = threading.Condition()

    def __bool__(self) -> bool:
        return bool(self._connected)

    def issue_ticket(self) -> str:
        ticket = secrets.token_urlsafe()
        self._tickets.add(ticket)
        return ticket

    def redeem(self, ticket: str) -> bool:
        """A ticket is valid once."""
        with self._change:
            is_good = ticket in self._tickets
            self._tickets.discard(ticket)
            return is_good

    def serve(self, socket: Socket) -> None:
        """Blocks until the bot disconnects, which raises from `receive`."""
        hello = {
            "type": "hello",
            "num_connections": len(self._connected) + 1,
            "connection_info": {"app_id": self._app_id},
        }
        with self._change:
            socket.send(json.dumps({**hello, "debug_info": {"host": "sandbox", "approximate_connection_time": 3600}}))
            self._connected.append(socket)
            retired, self._retired = self._retired, []
            self._change.notify_all()
        _close(retired)
        try:
            while True:
                self._take_in(socket.receive())
        finally:
            self._forget(socket)

    def wait_until_connected(self, seconds: float) -> bool:
        """For tests: a bot's `connect()` returns a moment before its socket is registered here."""
        with self._change:
            return self._change.wait_for(lambda: bool(self._connected), seconds)

    def deliver(
        self, kind: EnvelopeKind, payload: Json, within: float, retry: int = 0, retry_reason: str = ""
    ) -> Answer:
        """Sends one envelope to one of the sockets and waits for its acknowledgement."""
        envelope_id, waiting = secrets.token_hex(16), _Waiting()
        envelope: Json = {"type": kind.value, "envelope_id": envelope_id, "payload": payload}
        envelope["accepts_response_payload"] = kind is not EnvelopeKind.EVENTS_API
        if kind is EnvelopeKind.EVENTS_API:
            envelope |= {"retry_attempt": retry, "retry_reason": retry_reason}
        self._waiting[envelope_id] = waiting
        try:
            if not self._send(envelope):
                return not_reached()
            answered = waiting.arrived.wait(within)
        finally:
            del self._waiting[envelope_id]
        return Answer(200, waiting.payload) if answered else timed_out(within)

    def disconnect(self, reason: str = "refresh_requested") -> None:
        """Asks every bot to reconnect, as Slack does every few hours; closes the old socket afterwards."""
        if reason not in DISCONNECT_REASONS:
            raise ValueError(f"Slack disconnects for one of {', '.join(DISCONNECT_REASONS)}, not {reason!r}")
        with self._change:
            leaving, self._connected = self._connected, []
            self._retired += leaving
        for socket in leaving:
            socket.send(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}))

    def hang_up(self) -> None:
        """Closes every socket without warning, as a network failure or a restart does."""
        with self._change:
            leaving, self._connected = self._connected, []
        _close(leaving)

    def _forget(self, socket: Socket) -> None:
        with self._change:
            self._connected = [other for other in self._connected if other is not socket]

    def _send(self, envelope: Json) -> bool:
        """Sends to the first socket that accepts it; a disconnected one raises."""
        with self._change:
            for socket in self._connected:
                with suppress(OSError, RuntimeError):  # simple_websocket's ConnectionClosed is a RuntimeError
                    socket.send(json.dumps(envelope))
                    return True
        return False

    def _take_in(self, message: str | bytes | None) -> None:
        acknowledgement = parsed(message if isinstance(message, str) else None)
        if not isinstance(acknowledgement, dict):
            return
        waiting = self._waiting.get(text_at(acknowledgement, "envelope_id"))
        if waiting is not None:
            waiting.payload = object_at(acknowledgement, "payload")
            waiting.arrived.set()


def _close(sockets: list[Socket]) -> None:
    for socket in sockets:
        with suppress(OSError, RuntimeError):  # the other side may have been quicker
            socket.close()
