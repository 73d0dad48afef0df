"""Runs the web process: the doors on PORT and, if METRICS_PORT is set, what monitoring reads on a port of its own.

A separate module, so that no other command imports the web server.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

import structlog

from bot import metrics, tracing
from bot.app import create_apps
from bot.web.clients import Clients
from bot.web.limits import STATUS_POOLS
from bot.web.server import Front
from config.settings import Settings

log = structlog.get_logger()
FAIR = 0.0005  # seconds until a busy thread lets another run; Python's 0.005 add up in a click that waits for the database ten times


def run_web(settings: Settings, host: str) -> None:
    """One process, because the counters of /metrics live in it. To scale out, run `countersign web` several times.

    Blocks until SIGTERM or SIGINT, then answers what has arrived and returns.
    """
    sys.setswitchinterval(FAIR)
    doors, status = create_apps(settings)
    tracing.start(os.environ, "web")
    stopping = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stopping.set())
    front = Front(doors, host, settings.port, clients=Clients(settings.proxies))
    watched = (
        _start_status(Front(status, *settings.metrics_address, pools=STATUS_POOLS), stopping)
        if settings.metrics_address
        else None
    )
    metrics.web_connections.set_function(lambda: len(front.active_channels))
    log.info("listening", host=host, port=settings.port, metrics=settings.metrics_address)
    front.run(stopping.is_set)
    if watched:
        watched.join()
    tracing.finish()


def _start_status(front: Front, stopping: threading.Event) -> threading.Thread:
    """A loop of its own, so that monitoring gets answers however busy the doors are."""
    thread = threading.Thread(target=front.run, args=(stopping.is_set,), name="status", daemon=True)
    thread.start()
    return thread
