"""A team's systems before it has a bot: a real MLflow with a champion, and the sandbox's Slack and Jira."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from bot.commands.init.asking import InScript
from bot.init.given import PolicyAnswers
from bot.init.program import Plan, Wanted, plan
from bot.sandbox.jira import JiraSandbox
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox
from tests.fixtures.mlflow_seed import new_run

SIGNING_SECRET = "0123456789abcdef0123456789abcdef"
ENOUGH = PolicyAnswers(channel="model-approvals", approvers=("@ml-leads", "risk=cy@example.com"))


@dataclass
class Team:
    slack: SlackSandbox
    jira: JiraSandbox
    mlflow: MlflowClient
    model: str
    folder: Path
    values: dict[str, str]
    """What its options would say."""

    def plan(
        self, answers: PolicyAnswers = ENOUGH, *, environ: Mapping[str, str] | None = None, **other: object
    ) -> Plan:
        """In a script, for this team's own model, because other tests' models are in the registry too."""
        mine = replace(answers, models=answers.models or (self.model,)) if answers.has_any else answers
        given = {"with_jira": None, "force": False, "folder": self.folder, **other}
        wanted = Wanted(self.values, environ or {}, mine, **given)  # type: ignore[arg-type]
        return plan(wanted, InScript())

    @property
    def written(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def mlflow(mlflow_server: str) -> MlflowClient:
    return MlflowClient(mlflow_server, registry_uri=mlflow_server)


@contextmanager
def a_model(mlflow: MlflowClient) -> Iterator[str]:
    """Its champion is version 1; who trained version 2 is not in Slack."""
    name = f"churn-{uuid4().hex[:8]}"
    mlflow.create_registered_model(name)
    for mae, user in ((31.4, "ana"), (30.2, "train-robot")):
        run_id = new_run(mlflow, {"mae": mae, "train_mae": 1.0, "oddity": 2.0}, user)
        source = f"mlflow-artifacts:/0/{run_id}/artifacts"
        mlflow.create_model_version(name, source=source, run_id=run_id, await_creation_for=0)
    mlflow.set_registered_model_alias(name, "champion", "1")
    yield name
    mlflow.delete_registered_model(name)


@pytest.fixture(scope="module")
def seeded_model(mlflow: MlflowClient) -> Iterator[str]:
    with a_model(mlflow) as name:
        yield name


@contextmanager
def a_team(mlflow: MlflowClient, model: str, folder: Path) -> Iterator[Team]:
    slack, jira = SlackSandbox(signing_secret=SIGNING_SECRET), JiraSandbox()
    folder.mkdir()
    with serving(slack) as slack_url, serving(jira) as jira_url:
        values = {
            "MLFLOW_TRACKING_URI": mlflow.tracking_uri,
            "SLACK_BOT_TOKEN": slack.app.bot_token,
            "SLACK_APP_TOKEN": slack.app.app_token,
            "SLACK_API_URL": f"{slack_url}/api/",
            "JIRA_URL": jira_url,
            "JIRA_EMAIL": jira.email,
            "JIRA_API_TOKEN": jira.api_token,
        }
        yield Team(slack, jira, mlflow, model, folder, values)


@pytest.fixture
def team(mlflow: MlflowClient, seeded_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    with a_team(mlflow, seeded_model, tmp_path / "work") as made:
        monkeypatch.chdir(made.folder)
        yield made
