"""`countersign serve` after it was killed: what it left ends or is waited for, and the next one starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from bot.commands.context import Mistake
from bot.commands.ports import check_ports
from bot.database import embedded
from bot.errors import AlreadyRunning
from bot.supervisor import only_one
from config.settings import read_settings

HOLD_AND_DIE = """
import os, sys
from pathlib import Path
from bot.supervisor import only_one
with only_one(Path(sys.argv[1]), "it runs"):
    os.kill(os.getpid(), 9)
"""
POLICY = """
version: 1
groups: {risk: {people: [cy@example.com]}}
rules:
  - models: "*"
    target: {alias: champion}
    notify: {slack: "#models"}
    approve: {all_of: [{group: risk, quorum: 1}]}
"""


def test_the_next_one_knows_that_the_one_before_was_killed(tmp_path: Path) -> None:
    lock = tmp_path / "home" / "serve.lock"
    seen = []

    with only_one(lock, "it runs") as was_killed:
        seen.append(was_killed)
        with (
            pytest.raises(AlreadyRunning, match=rf"it runs already \(process {os.getpid()}\)"),
            only_one(lock, "it runs"),
        ):
            pass
    subprocess.run([sys.executable, "-c", HOLD_AND_DIE, str(lock)], check=False)
    for _ in range(2):
        with only_one(lock, "it runs") as was_killed:
            seen.append(was_killed)

    assert seen == [False, True, False]


def test_a_port_that_a_killed_one_left_is_waited_for_and_said_when_it_stays() -> None:
    with closing(socket.socket()) as left:
        left.bind(("127.0.0.1", 0))
        left.listen()
        port = left.getsockname()[1]
        settings = read_settings({"PORT": str(port)}, frozenset())

        with pytest.raises(Mistake, match=rf"PORT {port} cannot be used on 127\.0\.0\.1 \([^)]+\)\. End what listens"):
            check_ports("127.0.0.1", settings)
        with pytest.raises(
            Mistake, match=rf"was killed, and what it left does not end: `lsof -ti tcp:{port}` names it"
        ):
            check_ports("127.0.0.1", settings, patience=0.01)
        threading.Timer(0.3, left.close).start()

        check_ports("127.0.0.1", settings, patience=60)


@pytest.mark.parametrize("address", ["", "127.0.0.1:", "0.0.0.0:"])
def test_two_settings_with_one_port_are_refused_before_anything_starts(address: str) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = read_settings({"PORT": str(port), "METRICS_PORT": f"{address}{port}"}, frozenset())

    with pytest.raises(Mistake, match=f"PORT and METRICS_PORT are both {port}. Set one of them to another port"):
        check_ports("127.0.0.1", settings, patience=60)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    embedded.stop(tmp_path / "home")


@pytest.mark.proof
def test_serve_starts_again_after_its_whole_group_was_killed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_POLICY": str(tmp_path / "policy.yaml"),
        "PORT": str(port),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "SLACK_BOT_TOKEN": "xoxb-1-2-abc",
        "SLACK_SIGNING_SECRET": "0" * 32,
        "SLACK_API_URL": "http://127.0.0.1:9/api/",
    }

    for end in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        command = [sys.executable, "-m", "bot", "serve"]
        with subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL) as serve:
            wait_until_it_answers(port)
            os.killpg(serve.pid, end)
            serve.wait()

    assert serve.returncode == 0
    assert (home / "serve.lock").read_text() == ""


def wait_until_it_answers(port: int) -> None:
    give_up = time.monotonic() + 120
    while not answers(port):
        assert time.monotonic() < give_up
        time.sleep(0.2)


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1).status_code == 200
    except requests.RequestException:
        return False
