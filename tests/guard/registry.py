"""What the ways around the guard are tried on: a real MLflow server with it, an approved champion, and versions that nobody asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
import requests

from bot.domain.attestation.governed import GovernedVersion
from bot.domain.model import Target, TargetKind
from tests.builders import a_rule
from tests.fixtures.mlflow_seed import logged_version, new_run, new_version
from tests.fixtures.mlflow_server import SERVED_BY
from tests.guard.guarded_server import BOTS_WEBHOOK, HEADER, SECRET, Guarded, wait_until

REST, AJAX = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow"
ALIAS = f"{REST}/registered-models/alias"
MARK = "[countersign-guard]"
TAG = "countersign.attestation.alias.champion.decision"
CHAMPION, PRODUCTION = Target(TargetKind.ALIAS, "champion"), Target(TargetKind.STAGE, "Production")
RULES = (
    a_rule(models="bike-*", target=CHAMPION),
    a_rule(models="staged-*", target=PRODUCTION),
    a_rule(models="from-*", target=Target(TargetKind.MODEL, "prod.{name}")),
)


@dataclass
class Registry:
    """`bike-demand`: v1 is approved and the champion, v2 was never asked for. `staged-demand`: v1 is in Production, v2 is not."""

    server: Guarded
    run: str
    logged_model: str
    other_run: str
    other_logged_model: str
    folder: str

    @property
    def approved(self) -> GovernedVersion:
        return GovernedVersion("default", "bike-demand", 1, self.run, f"models:/{self.logged_model}")

    def call(self, method: str, path: str, body: object = None, **more: object) -> requests.Response:
        return self.server.call(method, path, body, **more)

    def aliases(self) -> dict[str, str]:
        return dict(self.server.client.get_registered_model("bike-demand").aliases)


def seeded(server: Guarded) -> Registry:
    client = server.client
    for name in ("bike-demand", "staged-demand", "free", "from-demand", "prod.from-demand"):
        client.create_registered_model(name)
    run, other = new_run(client, {"mae": 24.5}), new_run(client, {"mae": 30.0})
    approved = logged_version(client, "bike-demand", run)
    logged_version(client, "bike-demand", other)
    source, other_source = (client.get_model_version("bike-demand", number).source for number in ("1", "2"))
    client.set_registered_model_alias("bike-demand", "champion", "1")
    for _ in range(2):
        new_version(client, "staged-demand")
    with pytest.warns(FutureWarning):
        client.transition_model_version_stage("staged-demand", "1", "Production")
    client.create_webhook("countersign", BOTS_WEBHOOK, ["registered_model.created"])
    govern(server, GovernedVersion("default", "bike-demand", approved.version, run, source))
    folder = client.get_model_version_download_uri("bike-demand", "1").removeprefix("mlflow-artifacts:/")
    return Registry(server, run, source.removeprefix("models:/"), other, other_source.removeprefix("models:/"), folder)


def govern(server: Guarded, *versions: GovernedVersion) -> None:
    """Returns when the server has the list."""
    server.bot.govern(RULES, versions)
    there = server.home / "guard" / "governed-default.json"
    wait_until(lambda: there.exists() and there.read_text() == server.bot.answer)
    move = {"name": "bike-demand", "alias": "champion", "version": "1"}
    wait_until(lambda: server.call("POST", ALIAS, move).status_code == 403)


def refused(answer: requests.Response, *words: str) -> None:
    """By the guard, with its sentence."""
    assert answer.status_code == 403, answer.text
    said = answer.json()
    assert said["error_code"] == "PERMISSION_DENIED"
    for word in (*words, MARK):
        assert word in said["message"], said["message"]


def refused_or_absent(answer: requests.Response, *words: str) -> None:
    """By the guard. Under `make compat` MLflow may also have no such route: the suite's own server has them all."""
    if answer.status_code == 404 and sys.executable != SERVED_BY:
        assert "The requested URL was not found on the server" in answer.text, answer.text
        return
    refused(answer, *words)


def does_not_move(registry: Registry, send: Callable[[Mapping[str, str]], tuple[int, str]]) -> None:
    """`send` tries to make v2 the champion with more headers. What the guard does not refuse, MLflow itself does not take from the bot."""
    status, said = send({})

    assert registry.aliases() == {"champion": "1"}, said
    if status == 403 and MARK in said:
        return
    status, said = send({HEADER: SECRET})
    moved = registry.aliases()
    registry.server.as_bot("POST", ALIAS, {"name": "bike-demand", "alias": "champion", "version": "1"})
    assert moved == {"champion": "1"}, f"the guard did not refuse what MLflow takes: {status} {said}"
