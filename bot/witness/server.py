"""The witness's HTTP server: two routes, a size limit, a deadline for each connection, and a limit of connections."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Timer

from bot.errors import Refused
from bot.signatures import TrustedKey
from bot.witness.protocol import TEXT_TYPE, Answer, WitnessSigner, add_checkpoint
from bot.witness.state import Seen

LARGEST_BODY = 64 * 1024  # bytes
DEADLINE = 15.0  # seconds for a whole connection
MOST_CONNECTIONS = 32


class WitnessServer(ThreadingHTTPServer):
    """`POST /add-checkpoint` cosigns; `GET /` shows what was cosigned last. A connection too many is closed at once.

    `deadline` is in seconds, for a whole connection, and `most` is how many there are at once.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        logs: Sequence[TrustedKey],
        seen: Seen,
        signer: WitnessSigner,
        *,
        deadline: float = DEADLINE,
        most: int = MOST_CONNECTIONS,
    ) -> None:
        self.logs, self.seen, self.signer = logs, seen, signer
        self._deadline, self._places = deadline, BoundedSemaphore(most)
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        end = Timer(self._deadline, self.shutdown_request, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - as the base class has it
        """One line for a connection that ended in the middle; anything else was answered by 500 before."""
        trouble = sys.exc_info()[1]
        print(f"{client_address}: {type(trouble).__name__}: {trouble}", file=sys.stderr)  # noqa: T201


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    server_version, sys_version = "countersign-witness", ""
    timeout = DEADLINE

    def do_GET(self) -> None:
        self._send(Answer(200, self.server.seen.text()) if self.path == "/" else Answer(404, "There is only / here.\n"))

    def do_POST(self) -> None:
        if self.path != "/add-checkpoint":
            self._send(Answer(404, "There is only /add-checkpoint here.\n"))
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > LARGEST_BODY:
            self._send(Answer(400, f"A body has a Content-Length of at most {LARGEST_BODY}.\n"))
            return
        body = self.rfile.read(int(length))
        server = self.server
        try:
            self._send(add_checkpoint(body, server.logs, server.seen, server.signer, int(time.time())))
        except (Refused, OSError) as trouble:
            self._send(Answer(500, f"Nothing was cosigned: {trouble}.\n"))

    def _send(self, answer: Answer) -> None:
        text = answer.text.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type or TEXT_TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
