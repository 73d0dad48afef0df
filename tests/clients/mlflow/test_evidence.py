"""What a vote is based on, read from a real MLflow server."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.model import DataSet
from bot.errors import Permanent, Temporary
from tests.fixtures.mlflow_seed import (
    client_of,
    identity,
    log_data_sets,
    logged_version,
    new_model,
    new_run,
    new_version,
)

STORES = ("mlflow-artifacts:",)


@pytest.fixture
def registry(mlflow_server: str) -> MlflowRegistry:
    return MlflowRegistry(mlflow_server, webhook_secrets=["unused"])


@pytest.fixture
def client(mlflow_server: str, model_name: str):
    client = client_of(mlflow_server)
    client.create_registered_model(model_name)
    return client


def model_id_of(client, name: str) -> str:
    return client.get_model_version(name, "1").source.removeprefix("models:/")


def figures(evidence) -> dict[str, tuple[float, str]]:
    return {metric.name: (metric.value, metric.source) for metric in evidence.metrics}


def test_the_logged_models_figures_go_before_the_runs_and_each_says_where_it_was_read(registry, client, model_name):
    run_id = new_run(client, {"mae": 44.0, "r2": 0.9})
    version = logged_version(client, model_name, run_id, {"mae": 39.5})

    evidence = registry.read_evidence(version, None, STORES)

    assert figures(evidence) == {"mae": (39.5, "logged model"), "r2": (0.9, "run")}
    assert evidence.params == {"depth": "8", "lr": "0.1"}


def test_a_version_without_a_logged_model_has_its_runs_figures(registry, client, model_name):
    run_id = new_run(client, {"mae": 44.0})
    source = client.get_run(run_id).info.artifact_uri + "/model"
    version = identity(client.create_model_version(model_name, source, run_id=run_id, await_creation_for=0))

    evidence = registry.read_evidence(version, None, STORES)

    assert figures(evidence) == {"mae": (44.0, "run")}
    assert evidence.source == source


def test_the_latest_figure_of_a_logged_model_stands(registry, client, model_name):
    run_id = new_run(client, {})
    version = logged_version(client, model_name, run_id, {"mae": 39.5})
    model_id = model_id_of(client, model_name)
    client.log_metric(run_id, "mae", 52.0, step=1, model_id=model_id)

    evidence = registry.read_evidence(version, None, STORES)

    assert figures(evidence) == {"mae": (52.0, "logged model")}


def test_figures_from_several_data_sets_all_stay_and_name_their_data_set(registry, client, model_name):
    run_id = new_run(client, {})
    version = logged_version(client, model_name, run_id)
    model_id = model_id_of(client, model_name)
    client.log_metric(run_id, "mae", 20.0, model_id=model_id, dataset_name="train", dataset_digest="a1")
    client.log_metric(run_id, "mae", 44.0, model_id=model_id, dataset_name="test", dataset_digest="b2")

    evidence = registry.read_evidence(version, None, STORES)

    assert [(metric.value, metric.source, metric.measured_on) for metric in evidence.metrics] == [
        (44.0, "logged model, data set test", DataSet("test", "b2")),
        (20.0, "logged model, data set train", DataSet("train", "a1")),
    ]


def test_a_figure_says_on_which_data_set_it_was_measured_and_when_it_was_logged(registry, client, model_name):
    run_id = new_run(client, {})
    log_data_sets(client, run_id, ("rides", "d1", "training"), ("rides", "d2", "evaluation"))
    version = logged_version(client, model_name, run_id)
    client.log_metric(
        run_id,
        "mae",
        44.0,
        timestamp=1_700_000_000_123,
        model_id=model_id_of(client, model_name),
        dataset_name="rides",
        dataset_digest="d2",
    )

    (mae,) = registry.read_evidence(version, None, STORES).metrics

    assert mae.measured_on == DataSet("rides", "d2", "evaluation")
    assert mae.logged_at == datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)


def test_of_a_training_that_names_the_data_set_of_some_figures_nothing_is_guessed_for_the_others(
    registry, client, model_name
):
    run_id = new_run(client, {"r2": 0.9})
    log_data_sets(client, run_id, ("rides", "d1", "training"), ("rides", "d2", "evaluation"))
    version = logged_version(client, model_name, run_id, {"train_mae": 22.5})
    mine = {"model_id": model_id_of(client, model_name), "dataset_name": "rides", "dataset_digest": "d2"}
    client.log_metric(run_id, "mae", 44.0, **mine)

    metrics = registry.read_evidence(version, None, STORES).metrics

    assert {metric.name: metric.measured_on for metric in metrics} == {
        "mae": DataSet("rides", "d2", "evaluation"),
        "r2": None,
        "train_mae": None,
    }


@pytest.mark.parametrize("context", ["eval", "evaluation", "Test", "validation", "holdout"])
def test_a_figure_that_names_no_data_set_was_measured_on_the_only_one_that_its_run_evaluated_with(
    registry, client, model_name, context
):
    run_id = new_run(client, {"r2": 0.9})
    log_data_sets(client, run_id, ("rides", "d1", "training"), ("held out", "d2", context))
    version = logged_version(client, model_name, run_id, {"mae": 39.5})

    metrics = registry.read_evidence(version, None, STORES).metrics

    assert {metric.name: metric.measured_on for metric in metrics} == {
        "mae": DataSet("held out", "d2", context),
        "r2": DataSet("held out", "d2", context),
    }


@pytest.mark.parametrize(
    "used", [[], [("rides", "d1", "training")], [("spring", "d1", "test"), ("autumn", "d2", "test")]]
)
def test_without_just_one_evaluating_data_set_nobody_knows_what_a_figure_was_measured_on(
    registry, client, model_name, used
):
    run_id = new_run(client, {"mae": 44.0})
    log_data_sets(client, run_id, *used)
    version = logged_version(client, model_name, run_id)

    (mae,) = registry.read_evidence(version, None, STORES).metrics

    assert mae.measured_on is None


def test_the_data_sets_of_another_run_say_nothing_about_a_figure(registry, client, model_name):
    trained, judged = new_run(client, {}), client.create_run("0").info.run_id
    log_data_sets(client, trained, ("held out", "d2", "test"))
    version = logged_version(client, model_name, trained)
    client.log_metric(judged, "mae", 44.0, model_id=model_id_of(client, model_name))

    (mae,) = registry.read_evidence(version, None, STORES).metrics

    assert (mae.source, mae.measured_on) == ("logged model", None)


def test_a_figure_of_another_run_takes_the_place_of_none_that_the_versions_own_run_has_logged(
    registry, client, model_name
):
    version = logged_version(client, model_name, new_run(client, {}), {"mae": 44.0})
    evaluating = client.create_run("0").info.run_id
    for name in ("mae", "r2"):
        client.log_metric(evaluating, name, 99.0, step=9, model_id=model_id_of(client, model_name))

    evidence = registry.read_evidence(version, None, STORES)

    assert figures(evidence) == {"mae": (44.0, "logged model"), "r2": (99.0, "logged model")}


def test_the_data_sets_that_the_run_read_are_told_in_a_lasting_order(registry, client, model_name):
    run_id = new_run(client, {})
    log_data_sets(client, run_id, ("test", "d2", "evaluation"), ("rides", "d1", "training"))
    version = logged_version(client, model_name, run_id)

    evidence = registry.read_evidence(version, None, STORES)

    assert evidence.datasets == (DataSet("rides", "d1", "training"), DataSet("test", "d2", "evaluation"))


def test_the_commit_and_its_author_are_those_that_the_run_names(registry, client, model_name):
    run_id = new_run(client, {})
    client.set_tag(run_id, "mlflow.source.git.commit", "c02d8cc")
    client.set_tag(run_id, "countersign.commit_author", "bea@example.com")
    version = logged_version(client, model_name, run_id)

    evidence = registry.read_evidence(version, None, STORES)

    assert (evidence.commit, evidence.commit_author) == ("c02d8cc", "bea@example.com")


def test_a_commit_that_only_the_logged_model_names_counts_too(registry, client, model_name):
    version = logged_version(client, model_name, new_run(client, {}))
    client.set_logged_model_tags(model_id_of(client, model_name), {"mlflow.source.git.commit": "c02d8cc"})

    evidence = registry.read_evidence(version, None, STORES)

    assert (evidence.commit, evidence.commit_author) == ("c02d8cc", None)


def test_the_figures_alone_are_the_same_as_those_of_the_evidence(registry, client, model_name):
    version = logged_version(client, model_name, new_run(client, {"r2": 0.9}), {"mae": 39.5})

    metrics = registry.read_metrics(version)

    assert [metric.name for metric in metrics] == ["mae", "r2"]
    assert metrics == registry.read_evidence(version, None, STORES).metrics


def test_the_figures_of_a_version_that_is_gone_are_refused(registry, client, model_name):
    version = new_version(client, model_name)
    client.delete_model_version(model_name, "1")

    with pytest.raises(Permanent, match=f"reading {model_name} v1"):
        registry.read_metrics(version)


def test_nan_and_infinity_keep_their_value_although_mlflow_stores_a_logged_models_nan_as_zero(
    registry, client, model_name
):
    run_id = new_run(client, {"of_run": math.nan})
    version = logged_version(
        client, model_name, run_id, {"nan": math.nan, "inf": math.inf, "minus": -math.inf, "zero": 0.0}
    )

    read = {name: value for name, (value, _) in figures(registry.read_evidence(version, None, STORES)).items()}

    assert math.isnan(read["nan"])
    assert math.isnan(read["of_run"])
    assert (read["inf"], read["minus"], read["zero"]) == (math.inf, -math.inf, 0.0)


def test_the_figures_of_a_copy_are_those_of_the_original(registry, client, model_name):
    original = logged_version(client, model_name, new_run(client, {}), {"mae": 39.5})
    copy = registry.copy_version(model_name, original.version, f"staging.{model_name}", {})
    copy_of_copy = registry.copy_version(f"staging.{model_name}", copy.version, f"prod.{model_name}", {})

    evidence = registry.read_evidence(copy_of_copy, None, STORES)

    assert figures(evidence) == {"mae": (39.5, "logged model")}
    assert evidence.source == f"models:/staging.{model_name}/1"
    assert evidence.author == "ana"


def test_a_copy_whose_original_is_gone_still_has_what_its_run_knows(registry, client, model_name):
    original = logged_version(client, model_name, new_run(client, {"mae": 44.0}))
    copy = registry.copy_version(model_name, original.version, f"prod.{model_name}", {})
    client.delete_registered_model(model_name)

    evidence = registry.read_evidence(copy, None, STORES)

    assert figures(evidence) == {"mae": (44.0, "run")}


def test_another_version_under_the_originals_old_number_is_not_taken_for_it(registry, client, model_name):
    original = logged_version(client, model_name, new_run(client, {"mae": 44.0}))
    copy = registry.copy_version(model_name, original.version, f"prod.{model_name}", {})
    client.delete_registered_model(model_name)
    client.create_registered_model(model_name)
    logged_version(client, model_name, new_run(client, {}, user="mallory"), {"mae": 1.0})

    evidence = registry.read_evidence(copy, None, STORES)

    assert figures(evidence) == {"mae": (44.0, "run")}
    assert evidence.author == "ana"


def test_the_champions_figures_are_read_the_same_way(registry, client, model_name):
    champion = logged_version(client, model_name, new_run(client, {"r2": 0.8}), {"mae": 44.0})
    version = logged_version(client, model_name, new_run(client, {}), {"mae": 39.5})

    evidence = registry.read_evidence(version, champion, STORES)

    assert evidence.champion.version == champion
    assert figures(evidence.champion) == {"mae": (44.0, "logged model"), "r2": (0.8, "run")}
    assert evidence.champion.params == {"depth": "8", "lr": "0.1"}
    assert evidence.champion.signature is None


def test_a_champion_that_changed_meanwhile_is_read_again_later(registry, client, model_name):
    version, champion = new_version(client, model_name), new_version(client, model_name)
    client.delete_model_version(model_name, str(champion.version))

    with pytest.raises(Temporary, match="champion changed"):
        registry.read_evidence(version, champion, STORES)


def test_the_author_the_tags_and_the_links_are_told(registry, client, mlflow_server, model_name):
    run_id = new_run(client, {}, user="ben")
    version = logged_version(client, model_name, run_id)
    client.set_model_version_tag(model_name, "1", "team", "bikes")
    client.update_model_version(model_name, "1", "Trained on November.")

    evidence = registry.read_evidence(version, None, STORES)

    assert (evidence.author, evidence.run_id, evidence.description) == ("ben", run_id, "Trained on November.")
    assert evidence.tags == {"team": "bikes"}
    assert evidence.version_url == f"{mlflow_server}/#/models/{model_name}/versions/1"
    assert evidence.run_url == f"{mlflow_server}/#/experiments/0/runs/{run_id}"


@pytest.mark.parametrize("public", ["https://mlflow.example.com", "https://example.com/ml/flow/"])
def test_links_lead_to_the_address_that_people_see(client, mlflow_server, model_name, public):
    registry = MlflowRegistry(mlflow_server, webhook_secrets=[], public_url=public)
    version = logged_version(client, model_name, new_run(client, {"mae": 44.0}))

    evidence = registry.read_evidence(version, None, STORES)

    seen = public.rstrip("/")
    assert evidence.version_url == f"{seen}/#/models/{model_name}/versions/1"
    assert evidence.run_url == f"{seen}/#/experiments/0/runs/{evidence.run_id}"


def test_a_version_of_no_run_has_no_author_no_figures_and_no_link_to_a_run(registry, client, model_name):
    version = new_version(client, model_name)

    evidence = registry.read_evidence(version, None, STORES)

    assert (evidence.author, evidence.run_id, evidence.run_url, evidence.metrics) == (None, None, None, ())


def test_a_deleted_run_is_still_read(registry, client, model_name):
    run_id = new_run(client, {"mae": 44.0})
    version = logged_version(client, model_name, run_id, {"zero": 0.0})
    client.delete_run(run_id)

    evidence = registry.read_evidence(version, None, STORES)

    assert figures(evidence)["mae"] == (44.0, "run")
    assert evidence.author == "ana"


def test_a_version_that_is_gone_is_refused(registry, client, model_name):
    version = new_version(client, model_name)
    client.delete_model_version(model_name, "1")

    with pytest.raises(Permanent, match=f"reading {model_name} v1"):
        registry.read_evidence(version, None, STORES)


def test_another_version_of_the_same_name_and_number_is_refused(registry, client, model_name):
    version = new_version(client, model_name)
    client.delete_registered_model(model_name)
    new_model(client, model_name)

    with pytest.raises(Permanent, match="Ask for the new one with a request of its own"):
        registry.read_evidence(version, None, STORES)


def test_a_millisecond_makes_another_version(registry, client, model_name):
    version = new_version(client, model_name)
    earlier = replace(version, created=version.created - timedelta(milliseconds=1))

    with pytest.raises(Permanent, match="is gone"):
        registry.read_evidence(earlier, None, STORES)
