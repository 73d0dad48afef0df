"""A new user's path: from an empty directory to a card, two approvals, and the alias that moved. Everything runs as its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from bot.database import embedded
from bot.sandbox.slack import Message
from bot.supervisor import COUNTERSIGN
from tests.fixtures.mlflow_seed import new_run
from tests.fixtures.post_office import free_port
from tests.init.conftest import SIGNING_SECRET, Team

Step = Callable[[str], AbstractContextManager[None]]
CHANNEL = "model-approvals"
PROGRAMS = Path(sys.executable).parent
PATIENCE = 120.0  # seconds for one step, on a loaded machine


def in_shell(folder: Path, line: str, environ: Mapping[str, str], programs: Path = PROGRAMS) -> str:
    """Types a line as the guide says it, with its output."""
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env={**os.environ, **environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_for(found: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < give_up
        time.sleep(0.2)


@contextmanager
def serving_in(folder: Path, log: Path, programs: Path = PROGRAMS) -> Iterator[subprocess.Popen[bytes]]:
    script = 'set -a && . ./countersign.env && set +a && exec "$@"'
    command = ["sh", "-c", script, "sh", str(programs / "python"), *COUNTERSIGN[1:], "serve", "--log-format", "text"]
    with log.open("wb") as written, subprocess.Popen(command, cwd=folder, stdout=written, stderr=written) as serve:
        try:
            yield serve
        finally:
            if serve.poll() is None:
                serve.send_signal(signal.SIGTERM)
            serve.wait()
            embedded.stop(folder / "var")


@contextmanager
def no_step(_: str) -> Iterator[None]:
    yield


def first_card(team: Team, log: Path, *, programs: Path = PROGRAMS, step: Step = no_step) -> tuple[str, str]:
    """The way from an empty directory to a moved alias; returns what `init` and `doctor` said. `step` surrounds each of its steps."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    team.slack.interactivity_url = f"{address}/slack/events"
    environ = {name: text for name, text in team.values.items() if name != "SLACK_APP_TOKEN"}
    environ |= {"PORT": str(port), "SLACK_SIGNING_SECRET": SIGNING_SECRET}
    words = f"--models {team.model} --channel {CHANNEL} --approvers @ml-leads --approvers risk=cy@example.com --url {address}"

    with step("countersign init, with doctor at its end"):
        said = in_shell(team.folder, f"countersign init {words}", environ, programs)
    with ExitStack() as until_the_end:
        with step("countersign serve, until it listens"):
            until_the_end.enter_context(serving_in(team.folder, log, programs))
            wait_for(lambda: f"listening on {address}, policy {team.folder}/policy.yaml with 1 rule" in log.read_text())
        with step("the baseline in the channel"):
            wait_for(lambda: any("Baseline" in message.all_text for message in team.slack.messages(CHANNEL)))
        with step("countersign doctor --register-webhook"):
            line = "set -a && . ./countersign.env && set +a && countersign doctor --register-webhook"
            registered = in_shell(team.folder, line, {}, programs)
        version = trained(team)
        with step("from the alias to the card with its buttons"):
            team.mlflow.set_registered_model_alias(team.model, "candidate", version)
            wait_for(lambda: card(team, version))
        with step("two approvals, the alias moved, the ticket done"):
            wait_for(lambda: is_decided(team, version))
            wait_for(lambda: [issue.status.name for issue in team.jira.issues()] == ["Done"])
            wait_for(lambda: team.mlflow.get_model_version_by_alias(team.model, "champion").version == version)
    return said, registered


@pytest.mark.proof
def test_from_an_empty_directory_to_a_moved_alias(team: Team, tmp_path: Path) -> None:
    log = tmp_path / "serve.log"

    said, registered = first_card(team, log)

    assert "0 failed" in said
    assert "0 failed" in registered
    assert log.read_text().splitlines()[-1].endswith("stopped; what waits goes on with the next countersign serve")
    assert team.values["SLACK_BOT_TOKEN"] not in log.read_text() + said


def trained(team: Team) -> str:
    """A version that someone in the policy has trained, who therefore may not approve it."""
    run_id = new_run(team.mlflow, {"mae": 30.0}, user="dora")
    made = team.mlflow.create_model_version(
        team.model, source=f"mlflow-artifacts:/0/{run_id}/artifacts", run_id=run_id, await_creation_for=0
    )
    return str(made.version)


def card(team: Team, version: str) -> Message | None:
    cards = (
        one
        for one in team.slack.messages(CHANNEL)
        if f"{team.model} v{version}" in one.all_text and "approve" in one.buttons
    )
    return next(cards, None)


def is_decided(team: Team, version: str) -> bool:
    """Everyone presses until the card has no buttons: a late press counts for nothing, and a second one changes nothing."""
    for person in ("ana", "ben", "cy"):
        shown = card(team, version)
        if shown is None:
            return True
        team.slack.click(person, CHANNEL, shown.ts, "approve")
        time.sleep(1)
    return card(team, version) is None
