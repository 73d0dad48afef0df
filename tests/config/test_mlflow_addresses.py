"""Which addresses are taken for an MLflow server, and what is said of the others."""

from __future__ import annotations

import pytest

from bot.errors import InvalidSettings
from bot.mlflow_addresses import NO_SCHEME, NO_SERVER, mistake_in, registry_elsewhere
from config.settings import Need, read_settings

REFUSED = {
    "databricks": "a Databricks workspace",
    "Databricks": "a Databricks workspace",
    "databricks://prod": "a Databricks workspace",
    "https://dbc-a1b2345c-d6e7.cloud.databricks.com": "a Databricks workspace",
    "https://adb-5555555555555555.19.azuredatabricks.net/": "a Databricks workspace",
    "https://1234567890123456.7.gcp.databricks.com/ml": "a Databricks workspace",
    "https://ACME.cloud.databricks.us.:443": "a Databricks workspace",
    "databricks-uc": "Unity Catalog",
    "databricks-uc://profile": "Unity Catalog",
    "uc:http://127.0.0.1:8080": "Unity Catalog",
    "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/1": "an Azure Machine Learning workspace",
    "https://westeurope.api.azureml.ms/mlflow/v2.0/workspaces/x": "an Azure Machine Learning workspace",
    "https://ml.azure.com": "an Azure Machine Learning workspace",
    "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/bikes": "SageMaker",
    "arn:aws-us-gov:sagemaker:us-gov-west-1:123456789012:mlflow-app/app-1": "SageMaker",
    "https://t-abc.eu-west-1.experiments.sagemaker.aws": "SageMaker",
    "https://api.sagemaker.eu-west-1.amazonaws.com": "SageMaker",
}


@pytest.mark.parametrize(("address", "what"), REFUSED.items())
def test_a_vendors_own_registry_is_refused_with_the_reason_and_what_to_use_instead(address: str, what: str) -> None:
    mistake = mistake_in(address)

    assert mistake.startswith(f"names {what}, which is not supported, because ")
    assert mistake.endswith("Use a server that you run with `mlflow server`, such as https://mlflow.example.com.")


@pytest.mark.parametrize(
    "address",
    [
        "https://mlflow.example.com",
        "http://mlflow:5000/base",
        "http://[::1]:5000",
        "https://databricks.example.com",
        "https://notdatabricks.com",
        "https://mlflow.databricks.com.example.org",
        "https://ec2-192-0-2-1.eu-west-1.compute.amazonaws.com",
    ],
)
def test_a_server_of_ones_own_is_taken_under_any_name(address: str) -> None:
    assert mistake_in(address) == ""


@pytest.mark.parametrize(
    "address", ["", "mlruns", "sqlite:///m.db", "file:///mlruns", "gopher://mlflow", "https://", "http://[x"]
)
def test_what_is_no_server_is_refused(address: str) -> None:
    assert mistake_in(address) == NO_SERVER


@pytest.mark.parametrize(
    ("registry", "told"),
    [
        ("", ""),
        ("https://mlflow.example.com/", ""),
        ("databricks-uc", "names Unity Catalog, which is not supported, because"),
        (
            "https://models.example.com",
            "names another registry than MLFLOW_TRACKING_URI, which is not supported, because",
        ),
    ],
)
def test_a_registry_apart_from_its_runs_is_refused(registry: str, told: str) -> None:
    assert registry_elsewhere("https://mlflow.example.com", registry).startswith(told)
    assert bool(registry_elsewhere("https://mlflow.example.com", registry)) is bool(told)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MLFLOW_REGISTRY_URI", "databricks-uc"), ("MLFLOW_WORKSPACE", "team-b"), ("MLFLOW_WORKSPACE", "Default")],
)
def test_the_bot_refuses_what_leads_mlflows_client_to_other_models(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        read_settings({"MLFLOW_TRACKING_URI": "https://mlflow.example.com", name: value}, frozenset({Need.REGISTRY}))

    assert len(refused.value.mistakes) == 1
    assert refused.value.mistakes[0].startswith(f"{name} names ")


@pytest.mark.parametrize("workspace", ["", " ", "default"])
def test_the_default_workspace_may_be_named(workspace: str) -> None:
    environ = {"MLFLOW_TRACKING_URI": "https://mlflow.example.com", "MLFLOW_WORKSPACE": workspace}

    assert read_settings(environ, frozenset({Need.REGISTRY})).mlflow_tracking_uri == "https://mlflow.example.com"


def test_a_job_that_only_asks_the_bot_may_be_at_home_in_any_workspace() -> None:
    environ = {"MLFLOW_TRACKING_URI": "https://mlflow.example.com", "MLFLOW_WORKSPACE": "team-b"}

    assert read_settings(environ, frozenset()).mlflow_tracking_uri == "https://mlflow.example.com"


@pytest.mark.parametrize("address", ["127.0.0.1:5000", "localhost:5000/mlflow", "mlflow.example.com", "[::1]:5000"])
def test_an_address_without_a_scheme_is_told_apart(address: str) -> None:
    assert mistake_in(address) == NO_SCHEME
