"""One connection: requests are parsed as their bytes arrive, within a deadline, and take a thread only when they are whole."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import Error

from bot import metrics
from bot.web.limits import HEADER_LIMIT, Pool, pool_for

if TYPE_CHECKING:
    from bot.web.server import Front

RETRY_AFTER = 5  # seconds
REFUSALS: Mapping[int, tuple[str, str]] = {
    400: ("malformed_http", "this is not an HTTP request that can be read"),
    408: ("slow", "the request did not arrive in time. Send it again, faster"),
    413: ("too_large", "the body is larger than this route takes"),
    431: ("too_large", f"the headers are larger than {HEADER_LIMIT} bytes"),
    501: ("malformed_http", "of the transfer encodings only chunked is understood"),
    503: ("busy", "too many requests wait for this route; nothing was recorded. Send it again later"),
}


class TooSlow(Error):  # type: ignore[misc]  # waitress has no types
    code, reason = 408, "Request Timeout"


class Busy(Error):  # type: ignore[misc]
    code, reason = 503, "Service Unavailable"


class Options(Adjustments):  # type: ignore[misc]
    """waitress's options, with a limit of the body for each pool."""

    pools: tuple[Pool, ...]

    def __init__(self, pools: tuple[Pool, ...], **options: Any) -> None:
        super().__init__(**options)
        self.pools = pools

    def for_path(self, path: str) -> Options:
        narrowed = copy.copy(self)
        narrowed.max_request_body_size = pool_for(path, self.pools).body + 1  # waitress refuses this size
        return narrowed


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Knows the limit of the body as soon as the headers are there."""

    adj: Options
    path = ""  # until the first line is read

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as trouble:  # urlsplit on `http://[`, int() on thousands of digits: waitress catches neither
            raise ParsingError(str(trouble)) from None
        self.adj = self.adj.for_path(self.path)


class Refusal(ErrorTask):  # type: ignore[misc]
    """Answers in JSON, as the doors do, and closes the connection."""

    def execute(self) -> None:
        error = self.request.error
        reason, sentence = REFUSALS.get(error.code, REFUSALS[400])
        metrics.web_refused.labels(reason).inc()
        body = json.dumps({"error": sentence, "reason": reason}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        if isinstance(error, Busy):
            self.response_headers.append(("Retry-After", str(RETRY_AFTER)))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]
    """Times are those of time.monotonic."""

    server: Front
    parser_class = Parser
    error_task_class = Refusal
    request: HTTPRequestParser | None
    client = ""  # whose place it takes: the connected address, or the client behind a proxy while its request arrives

    def __init__(self, server: Front, sock: Any, addr: Any, adj: Options, map: Any) -> None:
        self.since = time.monotonic()  # of the state it is in: connecting, receiving, idle
        self.sending_since: float | None = None
        self.has_served = False
        self.client = self.connected_client = server.clients.who(str(addr[0]))
        self.is_proxied = server.clients.is_proxy(str(addr[0]))
        super().__init__(server, sock, addr, adj, map=map)

    def received(self, data: bytes) -> bool:
        is_first = self.request is None
        taken: bool = super().received(data)
        if is_first and self.request is not None:
            self.since = time.monotonic()
        if self.is_proxied:
            self._take_place()
        return taken

    def _take_place(self) -> None:
        """Behind a proxy the client is known once the headers are there. Before, and between two requests, the place is the proxy's."""
        client = self.connected_client
        if self.request is not None and self.request.headers_finished:
            client = self._client_of(self.request)
        if client != self.client:
            self.server.reseat(self, client)

    def service(self) -> None:
        super().service()
        self.since, self.has_served = time.monotonic(), True

    def del_channel(self, map: Any = None) -> None:
        self.server.forget(self, self._fileno)
        super().del_channel(map)

    def is_waiting(self) -> bool:
        """Has sent no whole request that is still to be answered."""
        return not (self.requests or self.total_outbufs_len or self.close_when_flushed or self.will_close)

    def forwarded_client(self) -> str:
        """The client of the request whose turn it is."""
        return self._client_of(self.requests[0])

    def _client_of(self, request: HTTPRequestParser) -> str:
        headers = getattr(request, "headers", {})
        return self.server.clients.who(str(self.addr[0]), headers.get("X_FORWARDED_FOR", ""))

    def look_after(self, now: float) -> None:
        """Closes the connection when the client is slower than it may be. Called about once a second."""
        limits = self.server.limits
        if self.total_outbufs_len:
            self.sending_since = self.sending_since or now
            if now - self.sending_since > limits.answer_taken:
                self._drop("slow_reader")
            return
        self.sending_since = None
        if not self.is_waiting():
            return
        age = now - self.since
        if self.request is not None and age > limits.whole_request:
            self._say_too_slow()
        elif self.request is None and age > (limits.idle if self.has_served else limits.whole_request):
            self._drop("idle" if self.has_served else "slow")

    def make_room(self) -> None:
        """Closes it at once, for a connection that needs the place."""
        metrics.web_refused.labels("no_place").inc()
        self.handle_close()

    def refuse(self, error: Error) -> None:
        """Sets the answer to the request whose turn it is."""
        self.requests[0].error = error

    def _drop(self, reason: str) -> None:
        if reason != "idle":
            metrics.web_refused.labels(reason).inc()
        self.handle_close()  # at once: a client that does not read never becomes writable; a waiting thread is woken

    def _say_too_slow(self) -> None:
        with self.requests_lock:
            request, self.request = self.request, None
            # Only this thread takes it away.
            assert request is not None  # nosec B101
            request.error = TooSlow("")
            self.requests.append(request)
        self.server.add_task(self)
