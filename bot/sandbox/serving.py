"""Serves a sandbox application on loopback, in a thread of this process."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import WSGIApplication


@contextmanager
def serving(application: WSGIApplication, port: int = 0) -> Iterator[str]:
    """Yields the base URL, such as `http://127.0.0.1:43121`; port 0 takes a free one."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", port, application, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]  # socketserver.ThreadingMixIn's switch; the stub types the base class
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def for_people(url: str) -> str:
    """The same address under a name for which browsers allow passkeys without https."""
    return url.replace("127.0.0.1", "localhost")
