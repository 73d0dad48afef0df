"""What a soak needs on one machine: PostgreSQL, MLflow, a local Slack and Jira, and the bot's processes behind one address."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from bot.assembly import build_services
from bot.database import embedded
from bot.sandbox.faults import Faults
from bot.sandbox.jira import Deployment, JiraSandbox
from bot.sandbox.mlflow_server import running_mlflow
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox
from bot.services import Services
from bot.supervisor import COUNTERSIGN
from config.settings import Settings, read_settings
from handlers.doors.clock import defer_sweeps
from tests.attack.world import free_port
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import (
    API_TOKEN,
    JIRA_SECRET,
    LINK_KEY,
    MLFLOW_SECRET,
    PEOPLE,
    SLACK_SECRET,
    keys_below,
)
from tests.fixtures.workers import eventually
from tests.soak.load import Book, Crowd
from tests.soak.processes import Balancer, Keeper, Kept, web_command

SEARCH_LAG = 3.0  # seconds, of Jira Cloud's search
SECONDS_AHEAD = 900  # of the second worker's machine
RULE = """  - models: "soak-{number}-*"
    target: {{alias: champion}}
    ask_on: [{{alias: candidate}}]
    notify: {{slack: "#soak-{number}"}}
    ticket: {{project: GOV, type: Task, approved: Done, rejected: "Won't Do"}}
    approve: {{all_of: [{{group: ml-leads, quorum: 1}}], unknown_requester: author_only}}
"""
POLICY = """version: 1
poll: {{versions: 30s, aliases: 60s}}
people:
  - {{name: Ana Ruiz, email: ana@example.com, mlflow_user: ana}}
  - {{name: Bea Baker, email: bea@example.com, mlflow_user: bea}}
  - {{name: Cy Lindqvist, email: cy@example.com}}
authors_from: [run]
groups:
  ml-leads: {{people: [ana@example.com, ben@example.com]}}
rules:
{rules}default: ignore
"""


@dataclass(frozen=True)
class Size:
    """`every`: seconds between two requests. `quick` workers take another for dead after two seconds."""

    webs: int = 2
    workers: int = 2
    clocks: int = 1
    channels: int = 8
    every: float = 1.5
    most: int = 1_000_000
    cloud: bool = True
    quick: bool = False


@dataclass(frozen=True)
class Servers:
    """Addresses of a database and an MLflow server that run already; without one, it is started for the soak."""

    database: str = ""
    mlflow: str = ""


NONE_RUNS = Servers()


@dataclass
class World:
    """`registry` is a way to MLflow that can be made to misbehave; people and pipelines go straight to `mlflow`."""

    home: Path
    database: str
    settings: Settings
    services: Services
    slack: SlackSandbox
    jira: JiraSandbox
    registry: Faults
    mlflow: MlflowClient
    keeper: Keeper
    balancer: Balancer
    crowd: Crowd

    @property
    def book(self) -> Book:
        return self.crowd.book

    def kept(self, beginning: str) -> list[Kept]:
        return [one for one in self.keeper.kept if one.name.startswith(beginning)]


@contextmanager
def running_world(home: Path, chance: random.Random, size: Size, servers: Servers = NONE_RUNS) -> Iterator[World]:
    """Ends everything that it started."""
    names = [f"soak-{number}" for number in range(size.channels)]
    slack = SlackSandbox(signing_secret=SLACK_SECRET, people=PEOPLE, channels=names)
    slack.app.limit_posts = True
    slack.app.answer_within = 30.0  # Slack's own 3 s on a loaded machine are a matter for `make bench`
    cloud = size.cloud
    deployment = Deployment.CLOUD if cloud else Deployment.SERVER
    jira = JiraSandbox(deployment=deployment, webhook_secret=JIRA_SECRET, search_lag=SEARCH_LAG if cloud else 0.0)
    with ExitStack() as stack:
        enter = stack.enter_context
        database = servers.database or embedded.start(home)
        stack.callback(embedded.stop, home)
        slack_url, jira_url = enter(serving(slack)), enter(serving(jira))
        mlflow_url = servers.mlflow or enter(running_mlflow(home / "mlflow"))
        registry_url, registry = enter(fault_proxy(mlflow_url))
        webs = [f"http://127.0.0.1:{free_port()}" for _ in range(size.webs)]
        balancer = Balancer(webs)
        url = enter(serving(balancer))
        slack.interactivity_url, jira.webhook_url = f"{url}/slack/events", f"{url}/webhooks/jira"
        policy = home / "policy.yaml"
        policy.write_text(POLICY.format(rules="".join(RULE.format(number=number) for number in range(size.channels))))
        ours = _environment(home, database, policy, slack, slack_url, jira, jira_url, registry_url)
        environment = {**os.environ, **ours}
        (home / "logs").mkdir()
        keeper = Keeper(_processes(home, environment, webs, size))
        _migrate(environment)
        settings = read_settings(ours, frozenset())
        services = build_services(settings, database)
        stack.callback(services.store.engine.dispose)
        crowd = Crowd(url, MlflowClient(mlflow_url), slack, names, Book(), chance, size.every, size.most)
        keeper.start()
        stack.callback(keeper.stop)
        keeper.wait_until_ready()
        _wait_for_baseline(services)
        stack.callback(crowd.leave)
        crowd.come()
        yield World(home, database, settings, services, slack, jira, registry, crowd.registry, keeper, balancer, crowd)


def _wait_for_baseline(services: Services) -> None:
    """What is asked for in the registry before its first sweep opens no request."""
    with services.store.transaction() as tx:
        for kind in ("sweep_versions", "sweep_models"):
            defer_sweeps(kind, tx)
    eventually(lambda: _has_baseline(services))


def _has_baseline(services: Services) -> bool:
    with services.store.transaction() as tx:
        return any(entry.kind == "BaselineTaken" for entry in tx.ledger.entries())


def _processes(home: Path, environment: dict[str, str], webs: list[str], size: Size) -> list[Kept]:
    logs, worker = home / "logs", (sys.executable, "-m", "tests.soak.program")
    kept = [
        Kept(
            f"web-{place}",
            web_command(),
            environment | {"PORT": url.rpartition(":")[2]},
            logs / f"web-{place}.log",
            url,
        )
        for place, url in enumerate(webs, 1)
    ]
    for place in range(1, size.workers + 1):
        words = [str(SECONDS_AHEAD if place == 2 else 0), *(["quick"] if size.quick else [])]
        kept.append(Kept(f"worker-{place}", (*worker, *words), environment, logs / f"worker-{place}.log"))
    if size.clocks:
        kept.append(Kept("clock", (*COUNTERSIGN, "clock"), environment, logs / "clock.log"))
    return kept


def _migrate(environment: dict[str, str]) -> None:
    subprocess.run([*COUNTERSIGN, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)


def _environment(
    home: Path,
    database: str,
    policy: Path,
    slack: SlackSandbox,
    slack_url: str,
    jira: JiraSandbox,
    jira_url: str,
    registry_url: str,
) -> dict[str, str]:
    cloud = jira.site.deployment is Deployment.CLOUD
    account = {"JIRA_EMAIL": jira.email, "JIRA_API_TOKEN": jira.api_token} if cloud else {"JIRA_TOKEN": jira.token}
    return {
        "DATABASE_URL": database,
        **keys_below(home),
        **account,
        "COUNTERSIGN_POLICY": str(policy),
        "COUNTERSIGN_LINK_KEY": LINK_KEY,
        "COUNTERSIGN_API_TOKEN": API_TOKEN,
        "MLFLOW_TRACKING_URI": registry_url,
        "MLFLOW_WEBHOOK_SECRET": MLFLOW_SECRET,
        "SLACK_BOT_TOKEN": slack.app.bot_token,
        "SLACK_SIGNING_SECRET": SLACK_SECRET,
        "SLACK_API_URL": f"{slack_url}/api/",
        "JIRA_URL": jira_url,
        "JIRA_WEBHOOK_SECRET": JIRA_SECRET,
    }
