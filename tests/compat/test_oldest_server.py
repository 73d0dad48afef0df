"""The oldest MLflow that is supported, as a real server: a promotion, the registry's calls, and what doctor says is missing."""

from __future__ import annotations

from bot.clients.mlflow.checkup import MlflowCheckup
from bot.clients.mlflow.registry import MlflowRegistry
from bot.doctor import mlflow
from bot.doctor.findings import Status, World
from bot.domain.model import State, Target
from config.policy import read_policy
from config.settings import Settings
from tests.compat.servers import OLDEST
from tests.fixtures.installation import Installation, policy_text
from tests.fixtures.mlflow_seed import client_of, new_model, new_run

STORES = ("mlflow-artifacts:",)


def test_a_candidate_is_approved_and_becomes_champion(installation: Installation) -> None:
    request = installation.asked(installation.register(metrics={"mae": 41.8}))

    installation.approve(request)

    assert installation.champion() == request.version.version
    decided = installation.reread(request)
    assert decided.state is State.APPLIED
    assert [(one.name, one.value, one.source) for one in decided.evidence.metrics] == [("mae", 41.8, "run")]
    assert installation.ticket_status(request) == "Done"


def test_every_call_of_the_registry_works(mlflow_server: str, model_name: str) -> None:
    registry, client = MlflowRegistry(mlflow_server, webhook_secrets=[]), client_of(mlflow_server)
    first, second = new_model(client, model_name, versions=2)

    registry.set_alias(model_name, "champion", 2)
    registry.set_stage(model_name, 1, "Staging")
    registry.tag_version(model_name, 1, {"countersign.ask": "champion"})
    copy = registry.copy_version(model_name, 1, f"prod.{model_name}", {"countersign.request_id": "r1"})
    found = registry.find_model("default", model_name)

    assert found is not None
    assert found.holders(Target.parse("alias:champion")) == (second,)
    assert found.holders(Target.parse("stage:Staging")) == (first,)
    assert first in {seen.id for seen in registry.versions_tagged("countersign.ask")}
    assert {first, second, copy} <= {seen.id for page in registry.version_pages() for seen in page.versions}
    assert {model_name, f"prod.{model_name}"} <= {summary.name for summary in registry.list_models()}
    assert (registry.identity() or "").startswith("born ")


def test_files_below_a_run_are_read(mlflow_server: str, model_name: str, tmp_path) -> None:
    registry, client = MlflowRegistry(mlflow_server, webhook_secrets=[]), client_of(mlflow_server)
    run_id = new_run(client, {"mae": 41.8})
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    client.log_artifacts(run_id, str(tmp_path), "model")
    client.create_registered_model(model_name)
    client.create_model_version(model_name, f"runs:/{run_id}/model", run_id, await_creation_for=0)
    version = registry.find_version("default", model_name, 1)
    assert version is not None

    evidence = registry.read_evidence(version.id, None, STORES)

    assert evidence.artifacts is not None
    assert evidence.artifacts.files == 1
    assert evidence.run_id == run_id


def test_doctor_says_what_is_missing_and_that_the_rest_works(mlflow_server: str) -> None:
    settings = Settings.model_validate({"MLFLOW_TRACKING_URI": mlflow_server, "MLFLOW_WEBHOOK_SECRET": "secret"})
    policy = policy_text("bike-*")
    world = World(settings, read_policy(policy, "policy.yaml"), policy)

    found = [*mlflow.mlflow_answers(world), *mlflow.webhook_points_here(world)]

    assert MlflowCheckup(mlflow_server).server_version() == OLDEST
    assert [one.status for one in found] == [Status.OK, Status.WARN, Status.WARN]
    assert found[1].why.startswith(f"version {OLDEST} has no logged models, so metrics, parameters and files come from")
    assert found[2].why == f"version {OLDEST} has no webhooks, so only the poller finds the news"
    assert found[2].fix == "webhooks need MLflow 3.3; all else works without"
