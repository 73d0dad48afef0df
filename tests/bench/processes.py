"""The processes of an installation whose vendors are somewhere else: `web`, `worker` and `clock` on a separate database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bot.assembly import build_services
from config.settings import Settings
from handlers.policy.activation import activate_policy
from tests.attack.world import free_port
from tests.bench.database import database
from tests.bench.load import SECRET
from tests.bench.machine import processor_time_of
from tests.fixtures import quick_directory
from tests.fixtures.installation import keys_below, policy_text

NOWHERE = "http://127.0.0.1:1"
PATIENCE = 120.0  # seconds until a process listens


@dataclass(frozen=True)
class Stage:
    """A migrated database with a policy in force, and the environment for processes on it."""

    url: str
    home: Path
    environ: Mapping[str, str]

    @property
    def postmaster(self) -> int:
        return int(next(self.home.rglob("postmaster.pid")).read_text().split("\n", 1)[0])

    def count(self, query: str) -> int:
        with psycopg.connect(self.url) as connection:
            found = connection.execute(query.encode()).fetchone()
        assert found is not None
        return int(found[0])


@contextmanager
def stage(vendors: str = NOWHERE, *, has_policy: bool = True) -> Iterator[Stage]:
    """`vendors` is the address at which MLflow, Slack and Jira are said to be."""
    with quick_directory() as home, database(home) as url:
        ours = {
            "DATABASE_URL": url,
            **keys_below(home),
            "COUNTERSIGN_API_TOKEN": "a-token-for-the-bench-0123456789",
            "MLFLOW_TRACKING_URI": vendors,
            "MLFLOW_WEBHOOK_SECRET": SECRET,
            "SLACK_BOT_TOKEN": "xoxb-bench",
            "SLACK_SIGNING_SECRET": "a-slack-secret-for-the-bench",
            "SLACK_API_URL": f"{vendors}/api/",
            "JIRA_URL": vendors,
            "JIRA_EMAIL": "bot@example.com",
            "JIRA_API_TOKEN": "a-jira-token",
            "JIRA_WEBHOOK_SECRET": "a-jira-secret-for-the-bench",
        }
        if has_policy:
            services = build_services(Settings.model_validate(ours), url)
            activate_policy(policy_text("bike-*"), "bench", services)
            services.store.engine.dispose()
        yield Stage(url, home, {**os.environ, **ours})


@dataclass(frozen=True)
class Running:
    """A process that listens on `port`; `start_cost` is its processor time until then."""

    pid: int
    port: int
    start_cost: float


@contextmanager
def web(on: Stage, python: str = sys.executable) -> Iterator[Running]:
    port = free_port()
    command = [python, "-m", "bot", "web", "--host", "127.0.0.1"]
    with listening(command, {**on.environ, "PORT": str(port)}, port, on.home / f"web-{port}.log") as running:
        yield running


@contextmanager
def floor_web(url: str, home: Path) -> Iterator[Running]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.floor_web", url, str(port)]
    with listening(command, os.environ, port, home / f"floor-{port}.log") as running:
        yield running


@contextmanager
def listening(command: Sequence[str], environ: Mapping[str, str], port: int, log: Path) -> Iterator[Running]:
    with child(command, environ, log) as process:
        wait_until(lambda: _listens(port), process, log)
        yield Running(process.pid, port, processor_time_of(process.pid))


@contextmanager
def child(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Raises RuntimeError with the end of the log when the process ends, or does not get there."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"a process ended or hangs: {log.read_text()[-2000:]}")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    """From the table of sockets, so that the server need not answer a probe."""
    address = f"0100007F:{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1] == address and row[3] == "0A" for row in rows)
