"""Runs the door with TLS, which Kubernetes demands, on gunicorn: the extra `admission`. A renewed certificate is used at once."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask
from gunicorn.app.base import BaseApplication

THREADS = 16
CONNECTION_SECONDS = 35  # more than the API server waits


class AdmissionServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """One worker process; scale with replicas. `run` blocks until SIGTERM, and then answers what has arrived."""

    def __init__(self, app: Flask, options: Mapping[str, object]) -> None:
        self._app, self._options = app, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


def options_for(listen: str, certificate: str, key: str, client_ca: str = "") -> dict[str, object]:
    """`certificate` and `key` are PEM files. With `client_ca`, only clients with a certificate of it are answered."""
    import ssl

    options: dict[str, object] = {
        "bind": listen,
        "workers": 1,
        "worker_class": "gthread",
        "threads": THREADS,
        "timeout": CONNECTION_SECONDS,
        "graceful_timeout": CONNECTION_SECONDS,
        "keepalive": 30,
        "certfile": certificate,
        "keyfile": key,
        "errorlog": "-",
        "loglevel": "warning",
        "control_socket_disable": True,
    }
    if client_ca:
        options |= {"ca_certs": client_ca, "cert_reqs": int(ssl.CERT_REQUIRED)}
    return options
