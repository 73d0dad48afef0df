"""A machine is lost after a backup: a new one is set up from it, sees what it does not know, and its people go on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from bot.__main__ import main
from bot.app import flask_app
from bot.database import embedded
from bot.domain.model import State
from bot.sandbox.serving import serving
from tests.fixtures.installation import API_TOKEN, CHANNEL, Installation, services_with

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
MOVING = "### From the embedded database to a PostgreSQL of yours"
KEPT_ELSEWHERE = "keys"  # below COUNTERSIGN_HOME, which a backup does not hold


def countersign(machine: Installation, *words: str) -> Result:
    settings = machine.settings
    environment = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "COUNTERSIGN_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "SLACK_BOT_TOKEN": settings.slack_bot_token.get_secret_value(),
        "SLACK_API_URL": settings.slack_api_url,
    }
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


def done(machine: Installation, *words: str) -> str:
    result = countersign(machine, *words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def new_machine(
    installation: Installation, empty_database_url: str, tmp_path: Path
) -> Iterator[Callable[[], Installation]]:
    """With another database, another home, the keys that were kept elsewhere, and the same vendors."""
    opened = []

    def set_up() -> Installation:
        home = tmp_path / "new-machine"
        shutil.copytree(installation.settings.home / KEPT_ELSEWHERE, home / KEPT_ELSEWHERE)
        settings = installation.settings.model_copy(
            update={"database_url": SecretStr(empty_database_url), "home": home}
        )
        s = services_with(settings, empty_database_url, installation.clock)
        opened.append(s)
        return replace(installation, s=s, settings=settings)

    yield set_up
    for s in opened:
        s.store.engine.dispose()


def lose(machine: Installation) -> None:
    """Nothing of it can be used any more."""
    url = machine.settings.database_url.get_secret_value()
    machine.s.store.engine.dispose()
    with psycopg.connect(url) as connection:
        connection.execute("drop schema public cascade")


def seen_outside(machine: Installation) -> tuple[Counter[str], Counter[str], int | None]:
    """Cards by their key, tickets by their label and status, and what serves."""
    keys = (str((message.metadata or {}).get("event_payload")) for message in machine.slack.messages(CHANNEL))
    cards = Counter(key for key in keys if "card:" in key)
    labels = Counter(
        f"{label} {issue.status.name}"
        for issue in machine.jira.issues()
        for label in issue.labels
        if label != "countersign"
    )
    return cards, labels, machine.champion()


def test_a_lost_machine_is_restored_and_its_people_go_on(
    installation: Installation, new_machine: Callable[[], Installation], tmp_path: Path
) -> None:
    backup, before, since = (str(tmp_path / name) for name in ("house.backup", "before.txt", "since.txt"))
    installation.use_policy(observed="revert")
    first = installation.promoted()
    refused = installation.asked()
    installation.reject(refused, "drifts on Sundays")
    waiting = installation.asked()
    Path(before).write_text(done(installation, "audit", "checkpoint"))
    done(installation, "backup", backup)

    installation.approve(waiting)
    last = installation.promoted()
    Path(since).write_text(done(installation, "audit", "checkpoint"))
    outside = seen_outside(installation)
    lose(installation)
    machine = new_machine()
    done(machine, "restore", backup, "--yes")
    machine.sweep()

    assert seen_outside(machine) == outside, "a restore repeats nothing and undoes nothing"
    done(machine, "audit", "verify", "--checkpoint", before)
    missing = countersign(machine, "audit", "verify", "--checkpoint", since)
    assert missing.exit_code == 1
    listed = done(machine, "registry", "accept", "--dry-run")
    assert f"{machine.model} v{last.version.version} now, {machine.model} v{first.version.version} on record" in listed
    assert last.id in listed
    assert machine.reread(waiting).state is State.WITHDRAWN
    assert machine.reread(refused).state is State.REJECTED

    done(
        machine,
        "registry",
        "accept",
        "--reason",
        "approved on Monday, see #model-approvals",
        "--by",
        "ana@example.com",
        "--yes",
    )
    machine.sweep()
    assert seen_outside(machine) == outside
    with serving(flask_app(machine.s, machine.settings, machine.settings.database_url.get_secret_value())) as url:
        machine.slack.interactivity_url = f"{url}/slack/events"
        newest = machine.promoted()

    cards, tickets, champion = seen_outside(machine)
    assert (newest.state, champion) == (State.APPLIED, newest.version.version)
    assert set(cards.values()) == set(tickets.values()) == {1}
    assert len(cards) == len(outside[0]) + 1
    assert [(job.request_id, job.status, [one.error for one in job.errors]) for job in machine.unfinished()] == []
    done(machine, "audit", "verify")


def moving_as_documented() -> str:
    section = OPERATIONS.read_text().partition(MOVING)[2]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.proof
def test_moving_to_a_postgresql_of_ones_own_goes_as_the_documentation_says(
    installation: Installation, tmp_path: Path, empty_database_url: str
) -> None:
    """The commands of docs/operations.md, word for word, with the address of a database in the place of the three dots."""
    home = tmp_path / "home"
    url = embedded.start(home)
    try:
        environment = _environment(installation, home)
        done(installation, "backup", str(tmp_path / "start.backup"))
        moved = {**environment, "DATABASE_URL": url}
        subprocess.run(
            [sys.executable, "-m", "bot", "restore", str(tmp_path / "start.backup"), "--yes"], env=moved, check=True
        )
        embedded.stop(home)
        script = moving_as_documented().replace("postgresql://...", f"'{empty_database_url}'")
        assert empty_database_url in script

        ran = subprocess.run(
            ["bash", "-euc", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert ran.stdout.count("restored: ") == 1
        assert not (home / "postgres" / "postmaster.pid").exists(), "the old database is stopped"
    finally:
        embedded.stop(home)


def _environment(installation: Installation, home: Path) -> dict[str, str]:
    """As `serve` without DATABASE_URL has it. Git names who accepts."""
    settings = installation.settings
    author = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.email", "GIT_CONFIG_VALUE_0": "ana@example.com"}
    return {
        **os.environ,
        **author,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_API_TOKEN": API_TOKEN,
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "SLACK_BOT_TOKEN": settings.slack_bot_token.get_secret_value(),
        "SLACK_API_URL": settings.slack_api_url,
    }
