"""A guarded server with workspaces: each has its own names, runs and files, and a path may leave its workspace out or name it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from bot.domain.attestation.governed import GovernedVersion
from bot.domain.model import Target, TargetKind
from tests.builders import a_rule
from tests.fixtures import quick_directory
from tests.fixtures.mlflow_server import SERVED_BY_GUNICORN
from tests.guard.guarded_server import Guarded, guarded_mlflow, standing_in, wait_until

pytestmark = pytest.mark.proof
REST = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
WORKSPACE = "/api/3.0/mlflow/workspaces/team-b"
ALIAS = f"{REST}/registered-models/alias"
BARE = {"name": "bike", "source": "s3://models/bare"}
MOVE = {"name": "bike", "alias": "champion", "version": "1"}
RULE = a_rule(models="bike*", workspace="team-b", target=Target(TargetKind.ALIAS, "champion"))


@pytest.fixture
def server() -> Iterator[Guarded]:
    options = ("--enable-workspaces", *SERVED_BY_GUNICORN)
    with quick_directory() as home, standing_in() as bot:
        bot.govern(())
        with guarded_mlflow(bot, home, options) as server:
            MlflowClient(server.url).create_workspace("team-b")
            yield server


def call(
    server: Guarded, workspace: str, method: str, path: str, body: object = None, **more: object
) -> requests.Response:
    return server.call(method, path, body, headers={"X-MLFLOW-WORKSPACE": workspace}, **more)


def test_what_is_governed_in_one_workspace_is_free_in_another(
    server: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.pkl").write_text("approved")
    with monkeypatch.context() as here:
        here.setenv("MLFLOW_WORKSPACE", "team-b")
        client = MlflowClient(server.url)
        run = client.create_run(client.create_experiment("rides")).info
        client.log_artifact(run.run_id, str(tmp_path / "model.pkl"), "model")
        client.create_registered_model("bike")
        source = f"{run.artifact_uri}/model"
        client.create_model_version("bike", source, run.run_id)
        client.set_terminated(run.run_id)
    assert call(server, "default", "POST", f"{REST}/registered-models/create", {"name": "bike"}).ok
    assert call(server, "default", "POST", f"{REST}/model-versions/create", BARE).ok
    server.bot.govern([RULE], [GovernedVersion("default/team-b", "bike", 1, run.run_id, source)])
    wait_until(lambda: call(server, "team-b", "POST", ALIAS, MOVE).status_code == 403)

    scoped = source.partition(":/")[2]
    assert scoped.startswith("workspaces/team-b/")
    for path in (scoped, scoped.removeprefix("workspaces/team-b/")):
        assert call(server, "team-b", "PUT", f"{FILES}/{path}/model.pkl", data=b"evil").status_code == 403
        assert call(server, "team-b", "DELETE", f"{FILES}/{path}").status_code == 403
    assert call(server, "default", "PUT", f"{FILES}/{scoped}/model.pkl", data=b"evil").status_code in (400, 403)
    assert call(server, "team-b", "DELETE", WORKSPACE).status_code == 403
    assert call(server, "default", "POST", ALIAS, MOVE).ok
