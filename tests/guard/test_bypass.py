"""Ways around the guard, against a real MLflow server with it: each is refused, says why and how to ask, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import mlflow
import pytest
import requests
from mlflow.entities import LoggedModelInput, Metric

from bot.clients.mlflow.checkup import MlflowCheckup
from bot.domain.attestation.governed import GovernedVersion
from tests.fixtures.mlflow_seed import logged_version, new_run, new_version
from tests.guard.guarded_server import BOTS_WEBHOOK, wait_until
from tests.guard.registry import (
    AJAX,
    ALIAS,
    CHAMPION,
    PRODUCTION,
    REST,
    TAG,
    Registry,
    govern,
    refused,
    refused_or_absent,
)


def test_the_refusal_says_why_and_how_to_ask(registry: Registry) -> None:
    body = {"name": "bike-demand", "alias": "champion", "version": "2"}

    answer = registry.call("POST", ALIAS, body)

    refused(
        answer,
        "governed by Countersign",
        "countersign request-transition --name bike-demand --version 2 --to alias:champion",
    )


def test_doctor_finds_the_guard(registry: Registry) -> None:
    checkup = MlflowCheckup(registry.server.url)

    assert checkup.guard_stops_others("bike-demand", CHAMPION)
    assert checkup.guard_stops_others("staged-demand", PRODUCTION)
    assert not checkup.guard_stops_others("free", CHAMPION)
    assert not checkup.guard_stops_others("free", PRODUCTION)


@pytest.mark.parametrize(
    "alias", ["Champion", "CHAMPION", "chаmpion", "champiоn", "champ\u0456on", "ｃhampion", "champ1on", "charnpion"]
)
def test_an_alias_that_looks_like_a_governed_one_is_not_set(registry: Registry, alias: str) -> None:
    refused(registry.call("POST", ALIAS, {"name": "bike-demand", "alias": alias, "version": "2"}))

    assert registry.aliases() == {"champion": "1"}


def test_what_is_not_governed_goes_on_as_before(registry: Registry) -> None:
    client = registry.server.client
    number = new_version(client, "free").version

    client.set_registered_model_alias("free", "champion", str(number))
    client.set_registered_model_alias("bike-demand", "challenger", "2")
    client.delete_registered_model_alias("bike-demand", "challenger")
    client.set_model_version_tag("bike-demand", "2", "countersign.ask", "alias:champion")
    client.set_registered_model_tag("bike-demand", "team", "rides")
    client.update_model_version("bike-demand", "1", "The May rides.")
    client.log_metric(new_run(client, {}), "mae", 1.0)
    client.delete_model_version("free", str(number))
    client.delete_registered_model("free")
    client.create_registered_model("free")

    assert registry.call("GET", f"{REST}/registered-models/get?name=bike-demand").status_code == 200
    assert registry.call("GET", "/").status_code == 200


REFUSED = {
    "delete the alias": ("DELETE", "/registered-models/alias", {"name": "bike-demand", "alias": "champion"}),
    "delete it in upper case": ("DELETE", "/registered-models/alias", {"name": "bike-demand", "alias": "CHAMPION"}),
    "delete the version": ("DELETE", "/model-versions/delete", {"name": "bike-demand", "version": "1"}),
    "delete the model": ("DELETE", "/registered-models/delete", {"name": "bike-demand"}),
    "rename it away": ("POST", "/registered-models/rename", {"name": "bike-demand", "new_name": "elsewhere"}),
    "rename another to it": ("POST", "/registered-models/rename", {"name": "free", "new_name": "bike-other"}),
    "to the stage": (
        "POST",
        "/model-versions/transition-stage",
        {"name": "staged-demand", "version": "2", "stage": "Production"},
    ),
    "in lower case": (
        "POST",
        "/model-versions/transition-stage",
        {"name": "staged-demand", "version": "2", "stage": "production"},
    ),
    "archiving others": (
        "POST",
        "/model-versions/transition-stage",
        {"name": "staged-demand", "version": "2", "stage": "Production", "archive_existing_versions": True},
    ),
    "out of the stage": (
        "POST",
        "/model-versions/transition-stage",
        {"name": "staged-demand", "version": "1", "stage": "Archived"},
    ),
    **{
        f'delete the version as "{spelling}"': (
            "DELETE",
            "/model-versions/delete",
            {"name": "bike-demand", "version": spelling},
        )
        for spelling in ("01", " 1", "+1", "１", "1\n", "0_1")
    },
    "out of the stage by 01": (
        "POST",
        "/model-versions/transition-stage",
        {"name": "staged-demand", "version": "01", "stage": "Archived"},
    ),
    "the bot's tag with a new version": (
        "POST",
        "/model-versions/create",
        {"name": "bike-demand", "source": "s3://x", "tags": [{"key": TAG, "value": "x"}]},
    ),
    "the bot's tag with a new model": (
        "POST",
        "/registered-models/create",
        {"name": "bike-new", "tags": [{"key": "team", "value": "x"}, {"key": TAG.upper(), "value": "x"}]},
    ),
    "delete from the stage": ("DELETE", "/model-versions/delete", {"name": "staged-demand", "version": "1"}),
    "into the target model": ("POST", "/model-versions/create", {"name": "prod.from-demand", "source": "s3://evil"}),
    "delete the target model": ("DELETE", "/registered-models/delete", {"name": "prod.from-demand"}),
    "the bot's tag": (
        "POST",
        "/model-versions/set-tag",
        {"name": "bike-demand", "version": "1", "key": TAG, "value": "x"},
    ),
    "delete the bot's tag": (
        "DELETE",
        "/model-versions/delete-tag",
        {"name": "bike-demand", "version": "1", "key": "countersign.failed"},
    ),
}


@pytest.mark.parametrize("prefix", [REST, AJAX])
@pytest.mark.parametrize("what", list(REFUSED))
def test_every_other_way_to_move_or_to_lose_it_is_refused(registry: Registry, what: str, prefix: str) -> None:
    method, path, body = REFUSED[what]

    refused(registry.call(method, f"{prefix}{path}", body))

    assert registry.aliases() == {"champion": "1"}
    assert registry.server.client.get_model_version("staged-demand", "1").current_stage == "Production"


def test_the_run_and_the_logged_model_of_an_approved_version_stay_as_they_are(registry: Registry) -> None:
    run, model = registry.run, registry.logged_model
    inside = f"mlflow-artifacts:/{registry.folder}/below"
    writes = [
        ("POST", f"{REST}/runs/log-metric", {"run_id": run, "key": "mae", "value": 1.0, "timestamp": 1}),
        ("POST", f"{REST}/runs/log-metric", {"run_uuid": run, "key": "mae", "value": 1.0, "timestamp": 1}),
        (
            "POST",
            f"{REST}/runs/log-batch",
            {"run_id": run, "metrics": [{"key": "mae", "value": 1, "timestamp": 1, "step": 1}]},
        ),
        ("POST", f"{REST}/runs/log-parameter", {"run_id": run, "key": "depth2", "value": "9"}),
        ("POST", f"{REST}/runs/set-tag", {"run_id": run, "key": "mlflow.source.git.commit", "value": "0" * 40}),
        ("POST", f"{REST}/runs/delete-tag", {"run_id": run, "key": "mlflow.user"}),
        ("POST", f"{REST}/runs/update", {"run_id": run, "status": "RUNNING"}),
        ("POST", f"{REST}/runs/delete", {"run_id": run}),
        ("POST", f"{REST}/experiments/delete", {"experiment_id": "0"}),
        ("POST", f"{REST}/experiments/delete", {"experiment_id": "00"}),
        ("POST", f"{REST}/experiments/create", {"name": "in", "artifact_location": inside}),
        ("POST", f"{REST}/runs/update", {"run_id": run, "status": "FINISHED"}),
        ("POST", f"{REST}/runs/log-inputs", {"run_id": run, "datasets": []}),
        ("POST", f"{REST}/runs/outputs", {"run_id": run, "models": [{"model_id": registry.other_logged_model}]}),
        ("PATCH", f"{REST}/logged-models/{model}/tags", {"tags": [{"key": "x", "value": "y"}]}),
        ("DELETE", f"{REST}/logged-models/{model}/tags/x", None),
        ("POST", f"{REST}/logged-models/{model}/params", {"params": [{"key": "lr", "value": "0.2"}]}),
        ("PATCH", f"{REST}/logged-models/{model}", {"status": "LOGGED_MODEL_UPLOAD_FAILED"}),
        ("DELETE", f"{REST}/logged-models/{model}", None),
    ]

    for method, path, body in writes:
        refused(registry.call(method, path, body), "approved")

    kept = registry.server.client.get_run(run)
    assert (kept.data.metrics, kept.info.lifecycle_stage) == ({"mae": 24.5}, "active")


def test_a_logged_model_is_not_deleted_by_a_body_that_no_one_can_read(registry: Registry) -> None:
    address = f"{REST}/logged-models/{registry.logged_model}"

    refused(registry.call("DELETE", address, data=b"{", headers={"Content-Type": "application/json"}))

    assert registry.server.client.get_logged_model(registry.logged_model).model_id == registry.logged_model


def test_a_run_that_still_goes_on_may_log_and_end(registry: Registry) -> None:
    """Otherwise a training that asks before its end would fail at its end."""
    client = registry.server.client
    run = client.create_run("0").info.run_id
    version = logged_version(client, "bike-demand", run)
    source = client.get_model_version("bike-demand", str(version.version)).source
    govern(registry.server, registry.approved, GovernedVersion("default", "bike-demand", version.version, run, source))

    client.log_metric(run, "after", 1.0)
    client.set_terminated(run)

    refused(
        registry.call("POST", f"{REST}/runs/log-metric", {"run_id": run, "key": "late", "value": 1.0, "timestamp": 1})
    )
    refused(registry.call("POST", f"{REST}/runs/update", {"run_id": run, "status": "RUNNING"}))


def test_a_training_goes_on_after_it_has_asked(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's fluent API names the logged model with each metric that follows it."""
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.server.url)
    client = registry.server.client
    with mlflow.start_run() as training:
        run = training.info.run_id
        logged = mlflow.initialize_logged_model(name="model").model_id
        mlflow.finalize_logged_model(logged, "READY")
        version = client.create_model_version("bike-demand", f"models:/{logged}", run, model_id=logged)
        mine = GovernedVersion("default", "bike-demand", int(version.version), run, f"models:/{logged}")
        govern(registry.server, registry.approved, mine)

        with mlflow.set_active_model(model_id=logged):  # as `log_model` leaves it
            mlflow.log_metric("after", 1.0)
            mlflow.log_metrics({"later": 2.0})

    kept = client.get_logged_model(logged).metrics or []
    assert {metric.key for metric in kept} == {"after", "later"}
    late = {"run_id": run, "key": "late", "value": 1.0, "timestamp": 1, "model_id": logged}
    refused(registry.call("POST", f"{REST}/runs/log-metric", late), f"v{version.version}")


def test_an_approved_model_may_be_evaluated_in_another_run(registry: Registry) -> None:
    """As `mlflow.evaluate` does: the model is the run's input, and its figures name the model."""
    client = registry.server.client
    run = client.create_run("0").info.run_id

    client.log_inputs(run, models=[LoggedModelInput(registry.logged_model)])
    client.log_metric(run, "r2_score", 0.9, model_id=registry.logged_model)
    client.log_batch(run, [Metric("rmse", 1.0, 1, 0, registry.logged_model)])
    client.set_terminated(run)

    assert set(client.get_run(run).data.metrics) == {"r2_score", "rmse"}


@pytest.mark.parametrize("path", ["model/model.pkl", "./model/model.pkl", "model", "model%2Fmodel.pkl"])
def test_a_model_in_its_runs_folder_stays_while_the_run_goes_on(registry: Registry, tmp_path: Path, path: str) -> None:
    client = registry.server.client
    run = client.create_run("0").info.run_id
    (tmp_path / "model.pkl").write_text("approved")
    client.log_artifact(run, str(tmp_path / "model.pkl"), "model")
    source = f"{client.get_run(run).info.artifact_uri}/model"
    version = client.create_model_version("bike-demand", source, run)
    govern(
        registry.server, registry.approved, GovernedVersion("default", "bike-demand", int(version.version), run, source)
    )
    folder = source.partition(":/")[2]

    client.log_artifact(run, str(tmp_path / "model.pkl"), "plots")
    by_page = f"{AJAX}/upload-artifact?run_uuid={run}&path="
    other = registry.call("POST", f"{by_page}notes.txt", data=b"mine")

    assert other.status_code == 200, other.text
    for answer in (
        registry.call("POST", f"{by_page}{quote(path)}", data=b"evil"),
        registry.call("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{folder}/model.pkl", data=b"evil"),
        registry.call("POST", f"{REST}/artifacts/presigned-upload-url", {"run_id": run, "path": path}),
    ):
        if answer.status_code != 400:
            refused_or_absent(answer)
    assert Path(client.download_artifacts(run, "model/model.pkl", str(tmp_path))).read_text() == "approved"


def uploads(registry: Registry) -> dict[str, tuple[str, str]]:
    files = "/api/2.0/mlflow-artifacts"
    folder = registry.folder
    return {
        "put": ("PUT", f"{files}/artifacts/{folder}/model.pkl"),
        "put by ajax": ("PUT", f"/ajax-api/2.0/mlflow-artifacts/artifacts/{folder}/model.pkl"),
        "put with dots": ("PUT", f"{files}/artifacts/1/./{folder.split('/', 1)[1]}/model.pkl"),
        "put encoded": ("PUT", f"{files}/artifacts/{quote(folder, safe='').replace('-', '%2D')}/model.pkl"),
        "put encoded twice": ("PUT", f"{files}/artifacts/{quote(quote(folder, safe=''), safe='')}/model.pkl"),
        "put with two slashes": ("PUT", f"{files}/artifacts//{folder.replace('/', '//')}/model.pkl"),
        "create in parts": ("POST", f"{files}/mpu/create/{folder}/model.pkl"),
        "complete in parts": ("POST", f"{files}/mpu/complete/{folder}/model.pkl"),
        "abort in parts": ("POST", f"{files}/mpu/abort/{folder}/model.pkl"),
        "put with a way up": ("PUT", f"{files}/artifacts/x/%2e%2e/{folder}/model.pkl"),
        "put with backslashes": ("PUT", f"{files}/artifacts/{folder.replace('/', '%5C')}/model.pkl"),
        "put in upper case": ("PUT", f"{files}/artifacts/{folder.upper()}/model.pkl"),
        "put by its address": ("PUT", f"{files}/artifacts/mlflow-artifacts:/{folder}/model.pkl"),
        "delete a file": ("DELETE", f"{files}/artifacts/{folder}/model.pkl"),
        "delete the folder": ("DELETE", f"{files}/artifacts/{folder}"),
        "delete a folder above": ("DELETE", f"{files}/artifacts/{folder.split('/', maxsplit=1)[0]}"),
        "delete it all": ("DELETE", f"{files}/artifacts/."),
        "delete what looks like a run's folder": ("DELETE", f"{files}/artifacts/{'d' * 32}"),
    }


@pytest.mark.parametrize(
    "way",
    [
        *("put", "put by ajax", "put with dots", "put encoded", "put encoded twice", "put with two slashes"),
        *("put with a way up", "put with backslashes", "put in upper case", "put by its address", "abort in parts"),
        *(
            "create in parts",
            "complete in parts",
            "delete a file",
            "delete the folder",
            "delete a folder above",
            "delete it all",
            "delete what looks like a run's folder",
        ),
    ],
)
def test_no_file_of_an_approved_version_is_written_or_deleted(registry: Registry, way: str) -> None:
    there = Path(registry.server.home / "mlflow" / "artifacts" / registry.folder)
    there.mkdir(parents=True, exist_ok=True)
    (there / "model.pkl").write_bytes(b"approved")
    method, path = uploads(registry)[way]

    answer = registry.call(method, path, data=b"evil")

    assert (there / "model.pkl").read_bytes() == b"approved"
    assert answer.status_code in (400, 403, 404), answer.text


def test_no_file_of_an_approved_version_is_written_in_chunks(registry: Registry) -> None:
    """Which have no length before their end; the guard answers before it reads them."""
    path = f"/api/2.0/mlflow-artifacts/artifacts/{registry.folder}/model.pkl"

    refused(registry.call("PUT", path, data=iter([b"ev", b"il"])), "approved")


def test_another_models_files_are_written_as_before(registry: Registry) -> None:
    folder = registry.folder.replace(registry.logged_model, registry.other_logged_model)

    answer = registry.call("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{folder}/model.pkl", data=b"mine")

    assert answer.status_code == 200
    assert (registry.server.home / "mlflow" / "artifacts" / folder / "model.pkl").read_bytes() == b"mine"


def test_uploads_by_the_page_and_by_signed_addresses_are_refused_too(registry: Registry) -> None:
    by_page = f"{AJAX}/upload-artifact?run_uuid={registry.run}&path=model.pkl"

    refused(registry.call("POST", by_page, data=b"evil"))
    refused_or_absent(
        registry.call("POST", f"{REST}/artifacts/presigned-upload-url", {"run_id": registry.run, "path": "x"})
    )
    refused_or_absent(
        registry.call(
            "POST", f"{REST}/artifacts/presigned-upload-url", {"model_id": registry.logged_model, "path": "x"}
        )
    )


def test_no_job_of_mlflows_own_is_started_on_an_approved_run(registry: Registry) -> None:
    def start(run: str) -> requests.Response:
        return registry.call(
            "POST", "/ajax-api/3.0/jobs/", {"job_name": "invoke_genai_evaluate", "params": {"run_id": run}}
        )

    served_by_fastapi = start(registry.other_run).status_code != 404
    if served_by_fastapi:
        refused(start(registry.run), "approved")
    assert "approved" not in start(registry.other_run).text


def test_the_demo_under_an_experiments_name_deletes_nothing_that_was_approved(registry: Registry) -> None:
    rename = f"{REST}/experiments/update"
    assert registry.call("POST", rename, {"experiment_id": "0", "new_name": "MLflow Demo"}).ok

    refused_or_absent(registry.call("POST", "/ajax-api/3.0/mlflow/demo/delete"))
    refused_or_absent(registry.call("POST", "/ajax-api/3.0/mlflow/demo/generate"))

    assert registry.call("POST", rename, {"experiment_id": "0", "new_name": "Default"}).ok
    assert registry.server.client.get_run(registry.run).info.lifecycle_stage == "active"


def test_the_bots_webhook_is_kept_and_others_are_free(registry: Registry) -> None:
    (bots,) = [one for one in registry.server.client.list_webhooks() if one.url == BOTS_WEBHOOK]

    refused(registry.call("PATCH", f"{REST}/webhooks/{bots.webhook_id}", {"status": "DISABLED"}))
    refused(registry.call("DELETE", f"{REST}/webhooks/{bots.webhook_id}"))
    own = registry.server.client.create_webhook("mine", "http://127.0.0.1:9/mine", ["registered_model.created"])
    registry.server.client.delete_webhook(own.webhook_id)

    assert registry.server.client.get_webhook(bots.webhook_id).url == BOTS_WEBHOOK


def test_the_bot_moves_what_others_cannot(registry: Registry) -> None:
    moved = registry.server.as_bot("POST", ALIAS, {"name": "bike-demand", "alias": "champion", "version": "2"})
    there = registry.aliases()
    back = registry.server.as_bot("POST", ALIAS, {"name": "bike-demand", "alias": "champion", "version": "1"})

    assert (moved.status_code, back.status_code) == (200, 200)
    assert there == {"champion": "2"}


def test_with_the_bot_away_the_registry_goes_on_refusing(registry: Registry) -> None:
    kept, registry.server.bot.answer = registry.server.bot.answer, None
    asked = registry.server.bot.asked
    wait_until(lambda: registry.server.bot.asked >= asked + 2)

    refused(registry.call("POST", ALIAS, {"name": "bike-demand", "alias": "champion", "version": "2"}))
    registry.server.bot.answer = kept
