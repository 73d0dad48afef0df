"""Release 0.1.0 runs on while this release migrates: what it does is whole or refused, and what it left is carried out once.

The old release is taken from the repository's history, with the packages that are installed. Its processes share the database and the
vendors with those of this release.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from bot.database.connect import connect
from bot.database.schema import Schema, schema_of
from bot.sandbox.slack import Message
from tests.fixtures.installation import CHANNEL, Installation, installation_on
from tests.fixtures.post_office import free_port

ROOT = Path(__file__).parents[2]
OLD_COMMIT = "7fbbf3a"  # became release 0.1.0
PATIENCE = 600.0  # seconds; how long a loaded machine may take, not how long we expect
PROGRAM = "import sys; from bot.__main__ import main; sys.argv[0] = 'countersign'; main()"
POLICY = """
version: 1
poll: {{versions: 5s, aliases: 5s}}
people:
  - {{name: Ana Ruiz, email: ana@example.com, mlflow_user: ana}}
  - {{name: Bea Baker, email: bea@example.com, mlflow_user: bea}}
groups:
  ml-leads: {{slack_group: ml-leads}}
rules:
  - models: "{model}*"
    target: {{alias: champion}}
    ask_on: [{{alias: candidate}}]
    observed: ask
    notify: {{slack: "#model-approvals"}}
    ticket: {{project: GOV, type: Task, approved: Done, rejected: "Won't Do"}}
    approve: {{all_of: [{{group: ml-leads, quorum: 1}}], unknown_requester: author_only}}
    expire_after: 3d
default: report
"""


@dataclass
class Release:
    """The code of one release in `tree`, and its processes."""

    tree: Path
    environ: dict[str, str]
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*words), cwd=self.tree, env=self._environ, capture_output=True, text=True, check=False
        )

    def start(self, *words: str) -> None:
        with (self.logs / f"{self.tree.name}-{words[0]}.log").open("ab") as log:
            self.processes[words[0]] = subprocess.Popen(
                self._command(*words), cwd=self.tree, env=self._environ, stdout=log, stderr=log
            )

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait()

    @property
    def _environ(self) -> dict[str, str]:
        return {**os.environ, **self.environ, "PYTHONPATH": str(self.tree)}

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", PROGRAM, *words]


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    packed = subprocess.run(["git", "archive", OLD_COMMIT], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"the history of this clone lacks {OLD_COMMIT}: git fetch --unshallow")
    tree = tmp_path_factory.mktemp("release") / "old"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(tree, filter="data")
    return tree


@dataclass
class Beside:
    """Both releases on one database, with the vendors of `vendors`, and two models that one rule covers."""

    old: Release
    new: Release
    vendors: Installation
    url: str
    port: int

    def held(self, model: str) -> str | None:
        found = self.vendors.mlflow.get_registered_model(model).aliases.get("champion")
        return str(found) if found else None

    def card(self, model: str) -> Message | None:
        cards = (one for one in self.vendors.slack.messages(CHANNEL) if f"{model} v1" in one.all_text)
        return next((one for one in cards if "approve" in one.buttons), None)

    def press(self, model: str) -> bool:
        """Whether the card takes no vote any more. Late presses count for nothing."""
        for person in ("ana", "ben"):
            shown = self.card(model)
            if shown is not None:
                self.vendors.slack.click(person, CHANNEL, shown.ts, "approve")
        return self.card(model) is None

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with connect(self.url) as plain:
            return plain.execute(query.encode()).fetchall()

    def entries(self, kind: str) -> list[dict[str, object]]:
        return [
            json.loads(str(body))
            for (body,) in self.rows(f"select body from ledger where kind = '{kind}' order by seq")
        ]


@pytest.fixture
def beside(
    old_tree: Path, empty_database_url: str, mlflow_server: str, model_name: str, tmp_path: Path
) -> Iterator[Beside]:
    policy, port = tmp_path / "policy.yaml", free_port()
    policy.write_text(POLICY.format(model=model_name))
    with installation_on(empty_database_url, mlflow_server, mlflow_server, model_name, tmp_path / "home") as vendors:
        vendors.slack.interactivity_url = f"http://127.0.0.1:{port}/slack/events"
        environ = {**as_environ(vendors), "COUNTERSIGN_POLICY": str(policy), "PORT": str(port)}
        releases = [Release(tree, environ, tmp_path) for tree in (old_tree, ROOT)]
        try:
            yield Beside(*releases, vendors, empty_database_url, port)
        finally:
            for release in releases:
                for name in list(release.processes):
                    release.stop(name, signal.SIGKILL)


def as_environ(vendors: Installation) -> dict[str, str]:
    settings = vendors.settings
    secret = {
        "DATABASE_URL": settings.database_url,
        "COUNTERSIGN_API_TOKEN": settings.api_token,
        "SLACK_BOT_TOKEN": settings.slack_bot_token,
        "SLACK_SIGNING_SECRET": settings.slack_signing_secrets[0],
        "JIRA_API_TOKEN": settings.jira_api_token,
    }
    plain = {
        "COUNTERSIGN_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "SLACK_API_URL": settings.slack_api_url,
        "JIRA_URL": settings.jira_url,
        "JIRA_EMAIL": settings.jira_email,
    }
    return {**plain, **{name: value.get_secret_value() for name, value in secret.items()}}


def eventually(look: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10).ok
    except requests.RequestException:
        return False


@contextmanager
def held_up(release: Release, name: str) -> Iterator[None]:
    """The process stands still, as on a machine that is busy with something else."""
    release.processes[name].send_signal(signal.SIGSTOP)
    yield
    release.processes[name].send_signal(signal.SIGCONT)


@pytest.mark.proof
def test_the_old_release_runs_on_while_this_one_migrates_and_what_it_left_is_carried_out_once(beside: Beside) -> None:
    old, new, model, other = beside.old, beside.new, beside.vendors.model, f"{beside.vendors.model}-other"
    assert (migrated := old.run("migrate")).returncode == 0, migrated.stderr
    for words in (("web", "--host", "127.0.0.1"), ("worker",), ("clock",)):
        old.start(*words)
    eventually(lambda: is_ready(beside.port), "the old web process is ready")
    eventually(lambda: beside.rows("select 1 from sweeps where baseline_until is not null"), "the baseline is taken")
    ask(beside, model)
    eventually(lambda: beside.card(model), "the old release posts a card")

    with held_up(old, "worker"):
        ask(beside, other)
        queued = "select 1 from procrastinate_jobs where status = 'todo' and args ->> 'name' = 'sweep_models'"
        eventually(lambda: beside.rows(queued), "the sweep that finds the other model is queued")
        done = new.run("migrate")
    assert done.returncode == 0, done.stderr
    assert schema_of(beside.url) is Schema.CURRENT
    assert not is_ready(beside.port)  # so that a load balancer sends nothing more to the old release
    eventually(lambda: beside.card(other), "the old worker carries out what was queued")
    listed = old.run("requests", "list", "--json")
    assert (listed.returncode, len(json.loads(listed.stdout))) == (0, 2), listed.stderr

    old.stop("clock")
    old.stop("worker")
    new.start("worker")
    new.start("clock")
    beside.press(model)  # received by the old web process
    votes = len(beside.entries("VoteCast"))
    eventually(lambda: len(beside.entries("VoteRefused")) == votes, "what the old release records is refused")
    assert beside.held(model) is None
    old.stop("web")
    for email, account in (("ana@example.com", "U0ANA000001"), ("ben@example.com", "U0BEN000002")):
        bind_again(email, account, new)
    new.start("web", "--host", "127.0.0.1")
    eventually(lambda: is_ready(beside.port), "the new web process is ready")
    for name in (model, other):
        # A fresh request may follow the one whose vote was refused, so the last card counts.
        eventually(lambda name=name: beside.press(name) and beside.held(name) == "1", f"people promote {name}")  # type: ignore[misc]

    # MLflow shows a move before the worker has written its entry.
    eventually(lambda: len(beside.entries("TargetMoved")) >= 2, "both moves are in the ledger")
    moved = Counter(entry["request_id"] for entry in beside.entries("TargetMoved"))
    assert sorted(moved.values()) == [1, 1]
    tickets = Counter(label for issue in beside.vendors.jira.issues() for label in issue.labels if "-" in label)
    assert set(tickets.values()) == {1}
    audited = new.run("audit", "verify", "--json")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    gate = (
        "gate",
        "check",
        f"models:/{model}/1",
        "--target",
        "alias:champion",
        "--bot",
        f"http://127.0.0.1:{beside.port}",
    )
    for release in (old, new):
        answer = release.run(*gate)
        assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.proof
def test_no_process_of_this_release_starts_before_its_migrations(beside: Beside) -> None:
    assert (migrated := beside.old.run("migrate")).returncode == 0, migrated.stderr

    refused = {words[0]: beside.new.run(*words) for words in (("web",), ("worker",), ("clock",), ("requests", "list"))}

    assert {name: done.returncode for name, done in refused.items()} == dict.fromkeys(refused, 2)
    assert all("has the schema of an older release" in done.stderr + done.stdout for done in refused.values())


def bind_again(email: str, account: str, new: Release) -> None:
    """The old web process bound it when its owner first pressed, and wrote no entry into the ledger, so no vote of it is proven."""
    for words in (("people", "unbind", email), ("people", "bind", email, account)):
        done = new.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr


def ask(beside: Beside, model: str) -> None:
    version = beside.vendors.register(model=model)
    beside.vendors.mlflow.set_registered_model_alias(model, "candidate", str(version))
