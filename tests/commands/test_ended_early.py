"""Commands that start the embedded database and stop it, also when they are ended early, and never one that another works with."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.commands.operating.backups import _database
from bot.database import embedded
from bot.errors import AlreadyRunning, NoDatabase
from bot.supervisor import only_one
from config.settings import read_settings
from tests.commands.test_serve import POLICY

WITHIN = """
import sys, time
from pathlib import Path
from bot.commands.operating.backups import _database, _empty_database
from bot.supervisor import tidying_up
from config.settings import read_settings
settings = read_settings({"COUNTERSIGN_HOME": sys.argv[2]}, frozenset())
with tidying_up(), {"backup": _database, "restore": _empty_database}[sys.argv[1]](settings):
    print("started", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    embedded.stop(tmp_path / "home")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_command_that_is_ended_stops_the_server_that_it_started(home: Path, command: str) -> None:
    if command == "backup":
        embedded.start(home, {"fsync": "off"})
        embedded.stop(home)
    with subprocess.Popen([sys.executable, "-c", WITHIN, command, str(home)], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        os.kill(running.pid, signal.SIGTERM)

    assert running.returncode == 128 + signal.SIGTERM
    assert not (home / "postgres" / "postmaster.pid").exists()
    assert (home / "postgres").exists() is (command == "backup")


@pytest.mark.parametrize("at", ["postgres.new", "postgres/postmaster.pid"])
def test_a_restore_that_is_ended_while_its_server_starts_leaves_nothing(home: Path, at: str) -> None:
    with subprocess.Popen([sys.executable, "-c", WITHIN, "restore", str(home)], stdout=subprocess.PIPE) as running:
        wait_for(home / at)
        os.kill(running.pid, signal.SIGTERM)

    assert running.returncode == 128 + signal.SIGTERM
    assert sorted(path.name for path in home.iterdir()) == [embedded.LOCK]


def test_a_second_backup_does_not_work_with_the_server_that_the_first_will_stop(home: Path) -> None:
    embedded.start(home, {"fsync": "off"})
    embedded.stop(home)
    settings = read_settings({"COUNTERSIGN_HOME": str(home)}, frozenset())
    refused = rf"countersign backup runs in {home} already \(process {os.getpid()}\)"

    with _database(settings):
        with pytest.raises(AlreadyRunning, match=refused), _database(settings):
            pass
        with pytest.raises(AlreadyRunning, match=refused), only_one(home / "serve.lock", "countersign serve runs"):
            pass
        embedded.attach(home)

    with pytest.raises(NoDatabase):
        embedded.attach(home)


@pytest.mark.parametrize("at", ["serve.lock", "postgres/postmaster.pid"])
def test_a_serve_that_is_ended_while_it_starts_leaves_no_server_and_ends_well(
    home: Path, tmp_path: Path, at: str
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_POLICY": str(tmp_path / "policy.yaml"),
        "PORT": str(port),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "SLACK_BOT_TOKEN": "xoxb-1-2-abc",
        "SLACK_SIGNING_SECRET": "0" * 32,
    }
    with subprocess.Popen([sys.executable, "-m", "bot", "serve"], env=environment) as running:
        wait_for(home / at)
        os.kill(running.pid, signal.SIGTERM)

    assert running.returncode == 0
    assert not (home / "postgres" / "postmaster.pid").exists()
    assert (home / "serve.lock").read_text() == ""


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not (path.exists() and (path.is_dir() or path.read_text())) and time.monotonic() < until:
        time.sleep(0.01)
