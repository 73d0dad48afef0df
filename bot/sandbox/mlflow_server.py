"""Runs a real `mlflow server` on loopback, for the demo and the tests. It needs the full `mlflow` (extra `demo`)."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import requests

from bot.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NOTHING_MORE: Mapping[str, str] = MappingProxyType({})
START_PATIENCE = 120.0  # seconds; the very first start compiles a lot of Python
STOP_PATIENCE = 10.0
PORT_TRIES = 3


class ServerFailed(NotReady):
    """The server did not come up; the message ends with its log's last lines."""


@contextmanager
def running_mlflow(
    directory: Path,
    port: int = 0,
    options: Sequence[str] = (),
    environ: Mapping[str, str] = NOTHING_MORE,
    python: str = sys.executable,
    below: str = "",
) -> Iterator[str]:
    """Yields the base URL of a server that stores everything in `directory`; port 0 picks a free one. Raises ServerFailed.

    `options` are more words for `mlflow server`, `environ` more variables for it, `python` is the interpreter whose MLflow serves,
    and `below` the path at which everything begins, as in "/ml".
    """
    directory.mkdir(parents=True, exist_ok=True)
    command = [python, *_command(directory), *(("--static-prefix", below) if below else ()), *options]
    server, url = _start(directory, port, command, {**_environment(directory), **environ}, below)
    try:
        yield url
    finally:
        _stop(server)


def _start(
    directory: Path, port: int, command: Sequence[str], environ: Mapping[str, str], below: str
) -> tuple[subprocess.Popen[bytes], str]:
    for tries_left in reversed(range(1 if port else PORT_TRIES)):  # a free port may be taken before the server binds it
        chosen = port or _free_port()
        url = f"http://127.0.0.1:{chosen}{below}"
        with (directory / "mlflow.log").open("wb") as output:
            server = subprocess.Popen(
                [*command, "--port", str(chosen)],
                cwd=directory,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that the terminal's Ctrl-C does not reach it, and we end it
            )
        try:
            is_up = _comes_up(server, url)
        except BaseException:  # Ctrl-C during the start must not leave it running
            _stop(server)
            raise
        if is_up:
            return server, url
        _stop(server)
        if not tries_left:
            break
    tail = "\n".join((directory / "mlflow.log").read_text(errors="replace").splitlines()[-15:])
    raise ServerFailed(f"mlflow server did not answer on {url}. Its log ends with:\n{tail}")


def _command(directory: Path) -> list[str]:
    options = {
        "--backend-store-uri": f"sqlite:///{directory / 'mlflow.db'}",
        "--artifacts-destination": str(directory / "artifacts"),
        "--host": "127.0.0.1",
        "--workers": "1",
    }
    return ["-m", "mlflow", "server", *(word for option in options.items() for word in option)]


def _environment(directory: Path) -> dict[str, str]:
    """Our environment, without its MLflow settings, and with those that webhooks to loopback need."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return inherited | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves nine processes that are not needed here
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": _encryption_key(directory),
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",
    }


def _encryption_key(directory: Path) -> str:
    """A Fernet key that outlives the server: with another key, MLflow can neither list nor send its webhooks."""
    kept = directory / "webhook-encryption.key"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
    return kept.read_text()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _comes_up(server: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + START_PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/health", timeout=2).ok:
                return server.poll() is None
        except requests.RequestException:
            time.sleep(0.1)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ends the launcher, which ends its worker, and kills what is left of the process group."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
