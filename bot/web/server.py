"""The server: one loop that accepts, reads and writes for all connections, and pools of threads for whole requests.

waitress parses HTTP and runs WSGI. Ours are the places for connections, the deadlines and the pools.
"""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

import structlog
from waitress import wasyncore
from waitress.server import TcpWSGIServer

from bot import metrics
from bot.web.clients import Clients
from bot.web.connections import Busy, Connection, Options
from bot.web.limits import HEADER_LIMIT, POOLS, Limits, Pool, pool_for, usual_limits
from bot.web.pools import Threads
from bot.web.watch import Watch

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = structlog.get_logger()
AT_ONCE = 64  # connections accepted in one turn of the loop
FEW = 16  # one in so many makes room at once, so that finding them costs little
TURN = 0.25  # seconds; how soon the loop sees that it is to stop


class Dispatcher:
    """Gives each whole request to the pool of its route. Requests with a ready answer, such as 413, have a separate thread."""

    def __init__(self, pools: tuple[Pool, ...]) -> None:
        self._pools = pools
        self._threads = {pool.name: Threads(pool.name, pool.threads, pool.waiting) for pool in pools}
        self._refusals = Threads("refusals", 1, 1_000_000)  # each holds a place, so there are fewer

    def add_task(self, connection: Connection) -> None:
        request = connection.requests[0]
        if request.error is not None:
            self._refusals.add(connection.client, connection)
            return
        pool = pool_for(request.path, self._pools)
        refused = self._threads[pool.name].add(connection.forwarded_client(), connection)
        if isinstance(refused, Connection):
            refused.refuse(Busy(""))
            self._refusals.add(refused.client, refused)

    def shutdown(self, deadline: float) -> None:
        for threads in (*self._threads.values(), self._refusals):
            threads.stop(deadline)


class Front(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """Listens from the start; `run` serves until `is_stopping` says so. Raises OSError when the port is taken."""

    channel_class = Connection
    active_channels: dict[int, Connection]

    def __init__(
        self,
        application: WSGIApplication,
        host: str,
        port: int,
        *,
        clients: Clients | None = None,
        pools: tuple[Pool, ...] = POOLS,
        limits: Limits | None = None,
    ) -> None:
        self.clients = clients or Clients()
        self.limits = limits or usual_limits()
        self.knocked = False
        self.by_client: dict[str, set[Connection]] = defaultdict(set)
        options = Options(
            pools,
            host=host,
            port=port,
            ident=None,
            max_request_header_size=HEADER_LIMIT,
            max_request_body_size=1,  # each path has its own
            log_socket_errors=False,
            clear_untrusted_proxy_headers=False,
        )
        address = next((one for one in options.listen if one[0] == socket.AF_INET), options.listen[0])
        self._watch = Watch(lambda one: isinstance(one, Connection) and not one.is_waiting())
        super().__init__(application, map={}, dispatcher=Dispatcher(pools), adj=options, sockinfo=address)
        self._watch.add(self)
        self._watch.add(self.trigger)

    def run(self, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """Blocks. When it is to stop, requests that have arrived are still answered, for a few seconds."""
        looked_at = time.monotonic()
        while not is_stopping():
            self._watch.turn(TURN)
            self._let_in()
            if time.monotonic() - looked_at >= self.limits.look_every:
                looked_at = time.monotonic()
                self._look_after_all(looked_at)
        self._leave()

    def readable(self) -> bool:
        return bool(self.accepting)

    def handle_accept(self) -> None:
        """Accepts after all events of this turn: a descriptor that was closed in it may come back for a new connection."""
        self.knocked = True

    def _let_in(self) -> None:
        if not self.knocked:
            return
        self.knocked = False
        for _ in range(AT_ONCE):
            try:
                accepted = self.accept()
            except OSError as trouble:  # no descriptor is left, or the client has already gone
                log.warning("connection_not_accepted", why=str(trouble))
                self._make_room(self.active_channels.values())
                return
            if accepted is None:
                return
            self._seat(*accepted)

    def _seat(self, sock: socket.socket, address: Any) -> None:
        is_proxy = self.clients.is_proxy(str(address[0]))
        theirs = self.by_client.get(self.clients.who(str(address[0])), set())
        crowd: Iterable[Connection] = ()
        if len(theirs) >= self.limits.places_of_one and not is_proxy:
            crowd = theirs
        elif len(self.active_channels) >= self.limits.places:
            crowd = self.active_channels.values()
        if crowd and not self._make_room(crowd):
            metrics.web_refused.labels("no_place").inc()
            sock.close()
            return
        try:
            self.set_socket_options(sock)
        except OSError:
            sock.close()  # macOS says so when the client has already gone
            return
        connection = self.channel_class(self, sock, address, self.adj, map=self._map)
        self.by_client[connection.client].add(connection)
        self._watch.add(connection)

    def reseat(self, connection: Connection, client: str) -> None:
        """The connection takes a place of this client. If the client has no place left, its longest waiting connections go."""
        self._leave_place(connection)
        is_proxy = client == connection.connected_client
        if not is_proxy and len(self.by_client.get(client, ())) >= self.limits.places_of_one:
            self._make_room(self.by_client[client])
        connection.client = client
        self.by_client[client].add(connection)

    def forget(self, connection: Connection, fileno: int | None) -> None:
        self._watch.forget(connection, fileno)
        self._leave_place(connection)

    def _leave_place(self, connection: Connection) -> None:
        theirs = self.by_client.get(connection.client, set())
        theirs.discard(connection)
        if not theirs:
            self.by_client.pop(connection.client, None)

    def _make_room(self, crowd: Iterable[Connection]) -> bool:
        """Closes the connections that have waited longest without a whole request, a few at a time. False when all have one."""
        waiting = [connection for connection in crowd if connection.is_waiting()]
        few = 1 + len(waiting) // FEW
        for connection in nsmallest(few, waiting, key=lambda connection: connection.since):
            connection.make_room()
        return bool(waiting)

    def _look_after_all(self, now: float) -> None:
        for connection in list(self.active_channels.values()):
            connection.look_after(now)
            if not connection.is_waiting():
                self._watch.add(connection)

    def _leave(self) -> None:
        self._watch.forget(self, self._fileno)
        wasyncore.dispatcher.close(self)  # only the listening socket
        began = time.monotonic()
        deadline = began + self.limits.leave_within
        while time.monotonic() < deadline:
            for connection in list(self.active_channels.values()):
                is_half_sent = connection.request is not None and time.monotonic() < began + self.limits.half_sent
                if connection.is_waiting() and not is_half_sent:
                    connection.handle_close()
            if not self.active_channels:
                break
            self._watch.turn(0.05)
        self.task_dispatcher.shutdown(max(deadline, time.monotonic() + 0.1))
        wasyncore.close_all(self._map)
        self._watch.close()
