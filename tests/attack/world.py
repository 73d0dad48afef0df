"""The real web process beside an installation, and the real clicks, gate questions and webhooks that must get through to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from bot.domain.model import TransitionRequest
from tests.fixtures.installation import (
    API_TOKEN,
    JIRA_SECRET,
    MLFLOW_SECRET,
    PATIENCE,
    SLACK_SECRET,
    Installation,
)

WEB = (sys.executable, "-P", "-m", "bot", "web", "--host", "127.0.0.1")


@dataclass(frozen=True)
class Web:
    process: subprocess.Popen[bytes]
    url: str
    status_url: str
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def resident(self) -> float:
        """MiB of memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def metrics(self) -> str:
        return requests.get(f"{self.status_url}/metrics", timeout=PATIENCE).text


@contextmanager
def running_web(installation: Installation, log: Path) -> Iterator[Web]:
    """Slack's clicks go to it from now on."""
    port, status_port = free_port(), free_port()
    settings = installation.settings
    ours = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "COUNTERSIGN_HOME": str(settings.home),
        "COUNTERSIGN_API_TOKEN": API_TOKEN,
        "PORT": str(port),
        "METRICS_PORT": str(status_port),
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "MLFLOW_WEBHOOK_SECRET": MLFLOW_SECRET,
        "SLACK_BOT_TOKEN": settings.slack_bot_token.get_secret_value(),
        "SLACK_SIGNING_SECRET": SLACK_SECRET,
        "SLACK_API_URL": settings.slack_api_url,
        "JIRA_WEBHOOK_SECRET": JIRA_SECRET,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(WEB, env={**os.environ, **ours}, stdout=output, stderr=subprocess.STDOUT)
    web = Web(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{status_port}", log)
    before, installation.slack.interactivity_url = installation.slack.interactivity_url, f"{web.url}/slack/events"
    try:
        wait_for(web)
        yield web
    finally:
        installation.slack.interactivity_url = before
        process.terminate()
        process.wait(PATIENCE)


def wait_for(web: Web) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert web.process.poll() is None, web.log.read_text()
        try:
            if requests.get(f"{web.url}/readyz", timeout=5).json() == {"ready": True}:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
    raise AssertionError(f"the web process is not ready: {web.log.read_text()[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def attackers(
    port: int, seconds: float, most_requests: int, wanted: Mapping[str, int]
) -> Iterator[Callable[[], dict[str, int]]]:
    """They attack while the block runs, `seconds` at the most. Yields what waits for their end and returns what they counted."""
    words = [str(port), str(seconds), str(most_requests), *(f"{name}={count}" for name, count in wanted.items())]
    command = [sys.executable, "-m", "tests.attack.attackers", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])

    def counted() -> dict[str, int]:
        output, _ = process.communicate(timeout=seconds + PATIENCE)
        assert process.returncode == 0
        return dict(json.loads(output))

    try:
        yield counted
    finally:
        process.kill()
        process.communicate()


@dataclass
class Callers:
    """What must get through. Each call is timed, in seconds."""

    installation: Installation
    web: Web
    request: TransitionRequest
    times: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    deliveries: int = 0

    def click(self, person: str = "ana") -> None:
        self._time("click", lambda: self.installation.click(person, self.request, "approve"), 200)

    def ask_gate(self) -> None:
        version = self.request.version
        url = f"{self.web.url}/gate/{version.model}/{version.version}"
        self._time("gate", lambda: self._get(url, params={"target": "alias:champion"}), 200)

    def deliver(self) -> None:
        self.deliveries += 1
        news = {"entity": "registered_model", "action": "created", "data": {"name": self.installation.model}}
        body = json.dumps(news).encode()
        headers = signed_by_mlflow(body, f"attack-{self.deliveries}")
        self._time(
            "webhook",
            lambda: (
                requests.post(f"{self.web.url}/webhooks/mlflow", body, headers=headers, timeout=PATIENCE).status_code
            ),
            202,
        )

    def probe(self) -> None:
        self._time("healthz", lambda: requests.get(f"{self.web.url}/healthz", timeout=PATIENCE).status_code, 200)

    def everything(self) -> None:
        self.click()
        self.ask_gate()
        self.deliver()
        self.probe()

    def _get(self, url: str, params: dict[str, str]) -> int:
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        return requests.get(url, params=params, headers=headers, timeout=PATIENCE).status_code

    def _time(self, name: str, call: Callable[[], int], wanted: int) -> None:
        began = time.monotonic()
        try:
            status: object = call()
        except requests.RequestException as trouble:
            status = type(trouble).__name__
        self.times.setdefault(name, []).append(time.monotonic() - began)
        if status != wanted:
            self.wrong.append(f"{name}: {status}")


def signed_by_mlflow(body: bytes, delivery: str, now: float | None = None) -> dict[str, str]:
    at = str(int(now or time.time()))
    digest = hmac.new(MLFLOW_SECRET.encode(), f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": at,
        "X-MLflow-Signature": "v1," + base64.b64encode(digest).decode(),
    }
