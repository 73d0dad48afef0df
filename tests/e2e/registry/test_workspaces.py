"""A real server with workspaces: only `default` is watched, and what another holds under the same names never counts for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from mlflow import MlflowClient

from bot.clients.mlflow.checkup import MlflowCheckup
from bot.clients.mlflow.registry import MlflowRegistry
from bot.sandbox.mlflow_server import running_mlflow
from tests.fixtures import quick_directory
from tests.fixtures.installation import MLFLOW_SECRET, Installation
from tests.fixtures.mlflow_seed import new_model
from tests.fixtures.mlflow_server import SERVED_BY_GUNICORN

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def mlflow_server() -> Iterator[str]:
    options = ("--enable-workspaces", *SERVED_BY_GUNICORN)
    with quick_directory() as home, running_mlflow(home / "mlflow", options=options) as url:
        MlflowClient(url).create_workspace("team-b")
        yield url


@contextmanager
def in_workspace(name: str) -> Iterator[None]:
    """For MLflow's client in this process, which the bot of the test shares: so it must not run meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_WORKSPACE", name)
        yield


def test_a_model_of_the_same_name_elsewhere_is_another_and_asks_for_nothing(installation: Installation) -> None:
    installation.register()
    installation.sweep()
    with in_workspace("team-b"):
        new_model(installation.mlflow, installation.model, versions=2)
        installation.mlflow.set_registered_model_alias(installation.model, "candidate", "2")
        installation.mlflow.set_registered_model_alias(installation.model, "champion", "2")

    installation.sweep()

    found = MlflowRegistry(installation.settings.mlflow_tracking_uri, webhook_secrets=[]).find_model(
        "default", installation.model
    )
    assert found is not None
    assert ([seen.id.version for seen in found.versions], found.aliases) == ([1], {})
    assert installation.requests() == []
    assert installation.happened() == []


def test_an_event_of_another_workspace_that_reaches_our_webhook_comes_to_nothing(installation: Installation) -> None:
    """MLflow keeps webhooks by event alone, so that one workspace's event is sent to another's webhook, and says so in its body."""
    number = installation.register()
    address = f"{installation.url}/webhooks/mlflow"
    hook = installation.mlflow.create_webhook(
        "ours", address, ["model_version_alias.created", "registered_model.created"], secret=MLFLOW_SECRET
    )
    installation.mlflow.set_registered_model_alias(installation.model, "unrelated", str(number))
    with in_workspace("team-b"):
        new_model(installation.mlflow, installation.model)
        installation.mlflow.set_registered_model_alias(installation.model, "candidate", "1")

    installation.mlflow.set_registered_model_alias(installation.model, "candidate", str(number))
    installation.settle_until(installation.requests)
    installation.mlflow.delete_webhook(hook.webhook_id)

    (request,) = installation.requests()
    assert request.version == installation.s.registry.find_version("default", installation.model, number).id  # type: ignore[union-attr]


def test_doctor_names_the_workspaces_that_are_not_watched(mlflow_server: str) -> None:
    assert MlflowCheckup(mlflow_server).other_workspaces() == ("team-b",)
