"""gunicorn around the Flask app, started from our own process.

gunicorn's own command line puts the current directory first on the import path; there a team may well have a `config` package of its own.
"""

from __future__ import annotations

from flask import Flask
from gunicorn.app.base import BaseApplication

from bot.app import create_app


class WebServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """One process on purpose: the counters of /metrics live in it. More of it is more `countersign web`."""

    def __init__(self, host: str, port: int) -> None:
        self.address = f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": self.address,
            "workers": 1,
            "worker_class": "gthread",
            "threads": 8,
            "timeout": 30,  # seconds until a hung worker is replaced
            "graceful_timeout": 8,  # seconds; within the 10 s that SIGTERM may take
            "accesslog": None,
            "loglevel": "warning",
            "proc_name": "countersign-web",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app()
