"""Runs the Flask app under gunicorn, started from our own process.

A separate module, so that no other command imports gunicorn. gunicorn's command line is not used: it puts the current directory first on
the import path, and a team may have a package named `config` there.
"""

from __future__ import annotations

from flask import Flask
from gunicorn.app.base import BaseApplication

from bot.app import create_app


class WebServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """One process, because the counters of /metrics live in it. To scale out, run `countersign web` several times."""

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
