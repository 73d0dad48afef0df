"""Real servers with workspaces: the same model, version and alias in several places are several things, from the request to the gate.

Each test has two places: the default workspace of the default server, and another one, on that server or on a second one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from mlflow import MlflowClient

from bot.domain.events import MoveObserved
from bot.domain.model import State, TransitionRequest
from bot.domain.workspaces import Workspace
from bot.errors import Permanent
from bot.sandbox.mlflow_server import running_mlflow
from handlers.queries.describe import describe
from handlers.queries.history import history_of
from tests.e2e.attestation.test_gate import key_of
from tests.fixtures import quick_directory
from tests.fixtures.installation import API_TOKEN, EU_SECRET, MLFLOW_SECRET, Installation, policy_text
from tests.fixtures.mlflow_server import SERVED_BY_GUNICORN

pytestmark = pytest.mark.proof

PLACES = ("default/team-b", "eu/default", "eu/team-b")
EVENTS = ["model_version_alias.created", "registered_model.created"]


@contextmanager
def server() -> Iterator[str]:
    options = ("--enable-workspaces", *SERVED_BY_GUNICORN)
    with quick_directory() as home, running_mlflow(home / "mlflow", options=options) as url:
        for name in ("team-b", "team-c"):
            MlflowClient(url).create_workspace(name)
        yield url


@pytest.fixture(scope="module")
def mlflow_server() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture(scope="module")
def eu_server() -> Iterator[str]:
    with server() as url:
        yield url


@dataclass(frozen=True)
class Elsewhere:
    """The other place, with a model of the same name as the installation's. The bot must not run while `client` is open."""

    place: str
    url: str
    model: str

    @property
    def environ(self) -> Mapping[str, str]:
        return {"MLFLOW_TRACKING_URI": self.url, "MLFLOW_WORKSPACE": Workspace.parse(self.place).name}

    @property
    def registry(self) -> str:
        return Workspace.parse(self.place).registry

    @contextmanager
    def client(self) -> Iterator[MlflowClient]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_WORKSPACE", self.environ["MLFLOW_WORKSPACE"])
            yield MlflowClient(self.url)

    def register(self, user: str = "bea") -> int:
        with self.client() as client:
            if not client.search_registered_models(f"name = '{self.model}'"):
                client.create_registered_model(self.model)
            experiment = client.create_experiment(uuid4().hex)
            run = client.create_run(experiment, tags={"mlflow.user": user})
            client.log_metric(run.info.run_id, "mae", 12.5)
            client.set_terminated(run.info.run_id)
            source = f"{run.info.artifact_uri}/model"
            return int(client.create_model_version(self.model, source, run.info.run_id, await_creation_for=0).version)

    def set(self, alias: str, version: int) -> None:
        with self.client() as client:
            client.set_registered_model_alias(self.model, alias, str(version))

    def held(self, alias: str = "champion") -> int | None:
        with self.client() as client:
            found = client.get_registered_model(self.model).aliases.get(alias)
        return int(found) if found else None


@pytest.fixture(params=PLACES)
def elsewhere(
    request: pytest.FixtureRequest, mlflow_server: str, eu_server: str, installation: Installation
) -> Elsewhere:
    """Both places are watched by one rule, and the baseline of both is taken."""
    there = Elsewhere(
        request.param, eu_server if request.param.startswith("eu/") else mlflow_server, installation.model
    )
    watch(installation, eu_server)
    return there


def watch(installation: Installation, eu_url: str, observed: str = "ask") -> None:
    registries = f"""registries:
  default: {{workspaces: [default, team-b]}}
  eu: {{uri: "{eu_url}", workspaces: [default, team-b]}}"""
    policy = policy_text(f"{installation.model}*", observed=observed, top=registries)
    everywhere = 'registry: "*"\n    workspaces: [default, "team-*"]\n    target:'
    installation.activate(policy.replace("target:", everywhere, 1))
    installation.sweep()


def requests_in(place: str, installation: Installation) -> list[TransitionRequest]:
    return [one for one in installation.requests() if one.version.workspace == place]


def both_ask(installation: Installation, elsewhere: Elsewhere) -> tuple[TransitionRequest, TransitionRequest]:
    """Version 1 of the same name asks in each place; returns the request here and the one there."""
    here, there = installation.register(), elsewhere.register()
    installation.ask(here)
    elsewhere.set("candidate", there)
    installation.sweep()
    (ours,), (theirs,) = requests_in("default", installation), requests_in(elsewhere.place, installation)
    assert (ours.version.version, theirs.version.version) == (here, there)
    return ours, theirs


def shipped(installation: Installation, environ: Mapping[str, str], key: str = "", *, asks_bot: bool = False) -> int:
    """The exit code of the gate in a process of its own: MLFLOW_WORKSPACE would lead the bot's client away in ours."""
    said = {"COUNTERSIGN_URL": installation.url, "COUNTERSIGN_API_TOKEN": API_TOKEN} if asks_bot else {}
    uri, keys = f"models:/{installation.model}/1", ("--key", key) if key else ()
    words = [sys.executable, "-m", "bot", "gate", "check", uri, "--target", "alias:champion", *keys]
    own = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "COUNTERSIGN_"))}
    return subprocess.run(words, env={**own, **said, **environ}, capture_output=True, check=False).returncode


def test_an_approval_moves_its_own_place_and_ships_there_alone(
    installation: Installation, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    ours, theirs = both_ask(installation, elsewhere)

    installation.approve(theirs)

    assert (installation.champion(), elsewhere.held()) == (None, 1)
    assert installation.reread(ours).state is State.PENDING
    assert f"{installation.model} v1 in {elsewhere.place}" in installation.card(theirs).all_text
    assert " in default" not in installation.card(ours).all_text
    home, key = {"MLFLOW_TRACKING_URI": installation.settings.mlflow_tracking_uri}, key_of(installation, tmp_path)
    named = {**elsewhere.environ, "COUNTERSIGN_REGISTRY": elsewhere.registry}
    assert [
        shipped(installation, named, key),
        shipped(installation, elsewhere.environ, asks_bot=True),
        shipped(installation, elsewhere.environ, key, asks_bot=True),
        shipped(installation, home, key),
        shipped(installation, home, asks_bot=True),
    ] == [0, 0, 0, 1, 1]
    assert shipped(installation, {**named, "COUNTERSIGN_REGISTRY": "us"}, key) == 1
    assert shipped(installation, {**named, "COUNTERSIGN_REGISTRY": "us"}, asks_bot=True) == 3


def test_a_rejection_and_a_way_back_touch_their_own_place_alone(
    installation: Installation, elsewhere: Elsewhere
) -> None:
    ours, theirs = both_ask(installation, elsewhere)
    installation.approve(ours)
    installation.approve(theirs)
    second = elsewhere.register()
    elsewhere.set("champion", second)
    installation.sweep()
    observed = requests_in(elsewhere.place, installation)[-1]

    installation.reject(observed, "nobody has asked for this")
    installation.sweep()

    assert (elsewhere.held(), installation.champion()) == (1, 1)
    assert len(requests_in("default", installation)) == 1
    assert [one["workspace"] for one in installation.entries(MoveObserved)] == [elsewhere.place]
    told = describe(f"models:/{installation.model}/1 in {elsewhere.place}", installation.s)
    assert told.version.workspace == elsewhere.place
    assert all(one.version.workspace == elsewhere.place for one in told.holds)
    assert len(history_of(installation.model, None, installation.s, elsewhere.place)) > len(
        history_of(installation.model, None, installation.s)
    )


def delivery(installation: Installation, path: str, secret: str, data: Mapping[str, str], **body: str) -> int:
    content = json.dumps({"entity": "model_version_alias", "action": "created", "data": data, **body}).encode()
    sent, now = uuid4().hex, str(int(time.time()))
    signed = hmac.new(secret.encode(), f"{sent}.{now}.".encode() + content, hashlib.sha256).digest()
    headers = {
        "X-MLflow-Delivery-Id": sent,
        "X-MLflow-Timestamp": now,
        "X-MLflow-Signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    return requests.post(f"{installation.url}{path}", data=content, headers=headers, timeout=30).status_code


def test_a_webhook_brings_a_look_at_its_own_server_whatever_workspace_its_body_names(
    installation: Installation, elsewhere: Elsewhere
) -> None:
    here, there = installation.register(), elsewhere.register()
    installation.sweep()
    installation.ask(here)
    elsewhere.set("candidate", there)
    data = {"name": installation.model, "workspace": elsewhere.place, "alias": "candidate", "version": "1"}
    is_eu = elsewhere.registry == "eu"

    of_another = delivery(installation, "/webhooks/mlflow/eu", MLFLOW_SECRET, data)
    unknown = delivery(installation, "/webhooks/mlflow/us", EU_SECRET, data)
    path, secret = ("/webhooks/mlflow/eu", EU_SECRET) if is_eu else ("/webhooks/mlflow", MLFLOW_SECRET)
    own = delivery(installation, path, secret, data, workspace="team-c")
    installation.settle()

    assert (of_another, unknown, own) == (401, 401, 202)
    assert len(requests_in(elsewhere.place, installation)) == 1
    assert len(requests_in("default", installation)) == (0 if is_eu else 1)
    assert {one.version.workspace for one in installation.requests()} <= {"default", elsewhere.place}


def test_a_workspace_that_the_policy_does_not_name_is_left_alone(
    installation: Installation, elsewhere: Elsewhere
) -> None:
    other = Elsewhere(f"{elsewhere.registry}/team-c", elsewhere.url, installation.model)
    other.set("champion", other.register())

    installation.sweep()

    assert installation.requests() == []
    with pytest.raises(Permanent, match="is not watched"):
        installation.s.registry_at(other.place)
    assert shipped(installation, other.environ, asks_bot=True) == 3


def test_what_was_moved_while_its_workspace_was_not_watched_is_baseline_when_it_is_watched_again(
    installation: Installation, elsewhere: Elsewhere, eu_server: str
) -> None:
    watch(installation, eu_server, observed="revert")
    _, theirs = both_ask(installation, elsewhere)
    installation.approve(theirs)
    before = elsewhere.held()

    installation.use_policy()
    elsewhere.set("champion", elsewhere.register())
    watch(installation, eu_server, observed="revert")

    assert (before, elsewhere.held()) == (1, 2)
    assert installation.happened(MoveObserved) == []


def test_a_registry_that_is_down_holds_up_no_other(installation: Installation, mlflow_server: str) -> None:
    watch(installation, "http://127.0.0.1:9")

    promoted = installation.promoted()

    assert (promoted.state, installation.champion()) == (State.APPLIED, 1)
