"""The demo's environment: a real database, MLflow server and pipeline, the sandbox's Slack and Jira, and the bot's own processes.

The bot is the product itself; only addresses and tokens are the demo's.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import requests
from mlflow import MlflowClient

from bot.clients.keys import make_key
from bot.clients.mlflow.checkup import MlflowCheckup
from bot.clients.signers import read_signer
from bot.database import embedded
from bot.demo.guard import HOW, OPTIONS, Guard, is_installed
from bot.errors import DemoFailed
from bot.folders import make_private
from bot.sandbox.jira import JiraSandbox
from bot.sandbox.mlflow_server import running_mlflow
from bot.sandbox.serving import for_people, serving
from bot.sandbox.slack import Message, SandboxPerson, SlackSandbox
from bot.services import Services
from bot.signatures import ED25519
from bot.supervisor import Supervisor, supervised
from config.settings import read_settings

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bike-demand"
POLICY = Path(__file__).resolve().parents[2] / "config" / "policy.yaml"
EXPIRES, EXPIRES_IN_DEMO = "expire_after: 3d", "expire_after: 10d"
CHANNEL = "model-approvals"
PUBLIC_KEY = "countersign.pub"  # of approvals, in the demo's directory
PEOPLE = (
    SandboxPerson("U0ANA000001", "ana", "Ana Ruiz", "ana@example.com"),
    SandboxPerson("U0BEN000002", "ben", "Ben Okafor", "ben@example.com"),
    SandboxPerson("U0CY0000003", "cy", "Cy Lindqvist", "cy@example.com"),
    SandboxPerson("U0BEA000004", "bea", "Bea Baker", "bea@example.com"),
)
ML_LEADS = (
    "U0ANA000001",
    "U0BEN000002",
    "U0BEA000004",
)  # Bea trains the models, so she may approve others' versions but not her own
USUAL_PORTS = {"bot": 8080, "metrics": 9464, "slack": 8090, "jira": 8091, "mlflow": 5000}
PATIENCE = 90.0  # seconds for any one step of the bot; on an idle machine each takes one or two
Say = Callable[[str], None]


@dataclass
class World:
    """`browser` plays the device of a person who approves with a passkey; None when the policy asks for none. `guard` is the MLflow
    server's; None when its plugin is not installed.
    """

    home: Path
    environment: Mapping[str, str]
    slack: SlackSandbox
    jira: JiraSandbox
    addresses: Mapping[str, str]
    supervisor: Supervisor
    browser: str | None = None
    guard: Guard | None = None
    started: float = field(default_factory=time.time)

    def seconds(self, at: float | None = None) -> str:
        return f"{(at or time.time()) - self.started:6.1f} s"

    @property
    def mlflow(self) -> MlflowClient:
        return MlflowClient(self.addresses["mlflow"])

    def wait_for(self, what: str, condition: Callable[[], object]) -> None:
        """Raises DemoFailed when the condition does not become true in time, KeyboardInterrupt on Ctrl-C."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.supervisor.stopping.wait(0.1):
                raise KeyboardInterrupt
            self.supervisor.supervise()
            if time.monotonic() > deadline:
                raise DemoFailed(f"{what} did not happen within {PATIENCE:g} s. Look into {self.home / 'logs'}")


@contextmanager
def demo_world(
    home: Path,
    say: Say,
    browser: str | None = None,
    change: Callable[[str], str] = str,
) -> Iterator[World]:
    """Starts everything, connected to each other, and ends all of it on leaving. `change` may say something else in the policy."""
    _clear(home)
    say("starting PostgreSQL (embedded)")
    database = embedded.start(home)
    try:
        keys, guard = _make_keys(home / "keys"), _guard(home, say)
        with _outside(home, say, guard) as (slack, jira, addresses):
            environment = _environment(home, database, slack, jira, addresses, guard) | keys
            environment["COUNTERSIGN_POLICY"] = str(write_policy(home, change))
            (home / "env").write_text("".join(f"export {k}={shlex.quote(v)}\n" for k, v in environment.items()))
            with supervised(environment, logs=home / "logs") as supervisor:
                supervisor.housekeeping = partial(embedded.start, home)
                world = World(home, environment, slack, jira, addresses, supervisor, browser, guard)
                _start_bot(world, say)
                yield world
    finally:
        embedded.stop(home)


def write_policy(home: Path, change: Callable[[str], str]) -> Path:
    """The example's, with more time to decide: the digest's clock is put forward by a week, and shows what waits then."""
    text = POLICY.read_text(encoding="utf-8")
    if EXPIRES not in text:
        raise DemoFailed(f'{POLICY} has no "{EXPIRES}", so the demo cannot give more time')
    path = home / "policy.yaml"
    path.write_text(change(text.replace(EXPIRES, EXPIRES_IN_DEMO)), encoding="utf-8")
    return path


def train(world: World, say: Say, *params: str) -> tuple[str, int]:
    """Runs the example's real git, DVC and MLflow pipeline; returns the registered model and the new version's number."""
    if not EXAMPLE.is_dir():
        raise DemoFailed(f"the example pipeline is not at {EXAMPLE}. Run the demo from a clone of the repository")
    command = [sys.executable, str(EXAMPLE / "run.py"), "--workdir", str(world.home / "bike-demand")]
    command += ["--params", *params] if params else []
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_process_environment(world)) as pipeline:
        for line in pipeline.stdout or ():
            last = line.strip()
            if not last.startswith("{"):
                say(f"  {last}")
    if pipeline.returncode:
        if world.supervisor.stopping.is_set():
            raise KeyboardInterrupt
        raise DemoFailed(f"the pipeline ended with exit code {pipeline.returncode}. What it said stands above")
    made = json.loads(last)
    return str(made["model"]), int(made["version"])


def find_card(world: World, model: str, version: int) -> Message | None:
    """The version's card with buttons, once it is in the channel."""
    for message in world.slack.messages(CHANNEL):
        if f"{model} v{version}" in message.all_text and "approve" in message.buttons:
            return message
    return None


@contextmanager
def services_of(world: World) -> Iterator[Services]:
    """The bot's own services on the demo's settings."""
    from bot.assembly import build_services, quieten_vendors

    quieten_vendors()
    settings = read_settings(world.environment, frozenset())
    services = build_services(settings, world.environment["DATABASE_URL"])
    try:
        yield services
    finally:
        services.store.engine.dispose()


def _clear(home: Path) -> None:
    """Every demo starts fresh; removes only what an earlier one left."""
    mark = home / ".countersign-demo"
    if home.exists() and any(home.iterdir()) and not mark.exists():
        raise DemoFailed(f"{home} is not empty and not a demo's. Say where the demo may live with --home")
    if mark.exists():
        embedded.stop(home)
        shutil.rmtree(home)
    make_private(home)
    mark.touch()


def _guard(home: Path, say: Say) -> Guard | None:
    if is_installed():
        return Guard(home / "guard", home / PUBLIC_KEY, token=secrets.token_hex(16))
    say(f"MLflow runs without its guard, so the step that it refuses is left out. Install it with: {HOW}")
    return None


@contextmanager
def _outside(home: Path, say: Say, guard: Guard | None) -> Iterator[tuple[SlackSandbox, JiraSandbox, dict[str, str]]]:
    slack = SlackSandbox(signing_secret=secrets.token_hex(16), people=PEOPLE, groups={"ml-leads": ML_LEADS})
    jira = JiraSandbox(webhook_secret=secrets.token_hex(16))
    bot_url = f"http://127.0.0.1:{_port('bot')}"
    options = OPTIONS if guard else ()
    settings = guard.settings(bot_url) if guard else {}
    say("starting MLflow, Slack and Jira")
    with (
        serving(slack, _port("slack")) as slack_url,
        serving(jira, _port("jira")) as jira_url,
        running_mlflow(home / "mlflow", _port("mlflow"), options, settings) as mlflow_url,
    ):
        slack.interactivity_url = f"{bot_url}/slack/events"
        slack.app.unfurl_domains = tuple(url.partition("://")[2] for url in (mlflow_url, for_people(bot_url)))
        slack.app.redirect_uris = (f"{for_people(bot_url)}/sign-in/slack",)
        jira.webhook_url = f"{bot_url}/webhooks/jira"
        addresses = {"bot": bot_url, "metrics": f"http://127.0.0.1:{_port('metrics')}"}
        yield slack, jira, {**addresses, "slack": slack_url, "jira": jira_url, "mlflow": mlflow_url}


def _environment(
    home: Path,
    database: str,
    slack: SlackSandbox,
    jira: JiraSandbox,
    addresses: Mapping[str, str],
    guard: Guard | None,
) -> dict[str, str]:
    """The settings that a team makes for its own Slack, Jira and MLflow; see docs/guide.md."""
    guarded = {"COUNTERSIGN_GUARD_SECRET": guard.secret} if guard else {}
    return {
        "DATABASE_URL": database,
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_URL": for_people(addresses["bot"]),
        "COUNTERSIGN_API_TOKEN": guard.token if guard else secrets.token_hex(16),
        "PORT": addresses["bot"].rpartition(":")[2],
        "METRICS_PORT": addresses["metrics"].rpartition(":")[2],
        "MLFLOW_TRACKING_URI": addresses["mlflow"],
        "MLFLOW_WEBHOOK_SECRET": secrets.token_hex(16),
        "SLACK_BOT_TOKEN": slack.app.bot_token,
        "SLACK_SIGNING_SECRET": slack.app.signing_secret,
        "SLACK_CLIENT_ID": slack.app.client_id,
        "SLACK_CLIENT_SECRET": slack.app.client_secret,
        "SLACK_API_URL": f"{addresses['slack']}/api/",
        "JIRA_URL": addresses["jira"],
        "JIRA_EMAIL": jira.email,
        "JIRA_API_TOKEN": jira.api_token,
        "JIRA_WEBHOOK_SECRET": jira.webhooks.secret,
        **guarded,
    }


def _make_keys(directory: Path) -> dict[str, str]:
    """Sets every key explicitly, so that no key of the real bot ever signs a demo."""
    approvals, checkpoints = directory / "approvals.pem", directory / "checkpoints.pem"
    make_key(approvals)
    make_key(checkpoints, ED25519)
    (directory.parent / PUBLIC_KEY).write_text(read_signer(str(approvals)).key.pem)  # for the gate, as a CI job has it
    return {
        "COUNTERSIGN_SIGNING_KEY": str(approvals),
        "COUNTERSIGN_CHECKPOINT_KEY": str(checkpoints),
        "COUNTERSIGN_LINK_KEY": secrets.token_urlsafe(32),
    }


def _start_bot(world: World, say: Say) -> None:
    say("starting Countersign: migrate, web, worker, clock")
    world.supervisor.run("migrate", "migrate")
    world.supervisor.start("web", "web", "--host", "127.0.0.1")
    world.supervisor.start("worker", "worker")
    world.supervisor.start("clock", "clock")
    world.wait_for("the bot's /readyz", lambda: _answers(f"{world.addresses['bot']}/readyz"))
    webhook = f"{world.addresses['bot']}/webhooks/mlflow"
    MlflowCheckup(world.addresses["mlflow"]).create_webhook(webhook, world.environment["MLFLOW_WEBHOOK_SECRET"])
    world.wait_for("the first sweep", lambda: any("Baseline" in m.all_text for m in world.slack.messages(CHANNEL)))
    if world.guard is not None:
        world.wait_for("the guard's list of what is governed", world.guard.has_list)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _port(name: str) -> int:
    """The usual port when it is free, so that bookmarks keep working; else any free port."""
    for port in (USUAL_PORTS[name], 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no port is free on this machine")


def _process_environment(world: World) -> dict[str, str]:
    return {**os.environ, "MLFLOW_TRACKING_URI": world.addresses["mlflow"]}
