"""The MLflow run to register: its tags, metrics, logged model, and the versions already made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.clients.mlflow.http import NotThere, reading
from bot.clients.mlflow.lineage import COPY_SOURCE, Lineage, find_run
from bot.clients.mlflow.metrics import data_sets_of, metrics_of
from bot.clients.mlflow.run_files import environment_in
from bot.clients.mlflow.stores import opened_at
from bot.domain.evidence.lineage import was_trained_on
from bot.errors import FilesUnread

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class TrainedRun:
    """`environment` is the sha256 of the logged model's list of packages, empty without one. `figures` are metrics by name."""

    run: Run
    logged_model: LoggedModel | None
    figures: dict[str, float]
    has_training_data: bool
    environment: str
    versions: tuple[ModelVersion, ...]

    @property
    def id(self) -> str:
        return str(self.run.info.run_id)

    @property
    def params(self) -> dict[str, str]:
        of_model = self.logged_model.params if self.logged_model else None
        return {**self.run.data.params, **(of_model or {})}

    def tag(self, name: str) -> str:
        return str(self.run.data.tags.get(name) or "")


def find_trained_run(client: MlflowClient, run_id: str) -> TrainedRun | None:
    """None when the server has no such run. Raises Temporary or Permanent."""
    run = find_run(client, run_id)
    if run is None:
        return None
    logged = _logged_model(client, run)
    lineage = Lineage(logged, run)
    with reading(f"looking for versions of run {run_id}"):
        versions = client.search_model_versions(f"run_id = '{run_id}'")
    return TrainedRun(
        run=run,
        logged_model=logged,
        figures={figure.name: figure.value for figure in metrics_of(client, lineage)},
        has_training_data=any(was_trained_on(one) for one in data_sets_of(lineage)),
        environment=_environment(client, logged) if logged else "",
        versions=tuple(one for one in versions if not COPY_SOURCE.fullmatch(one.source or "")),
    )


def _logged_model(client: MlflowClient, run: Run) -> LoggedModel | None:
    """The last model that the run logged."""
    logged = run.outputs.model_outputs if run.outputs else []
    if not logged:
        return None
    try:
        with reading(f"reading the logged model of run {run.info.run_id}"):
            return client.get_logged_model(logged[-1].model_id)
    except NotThere:
        return None


def _environment(client: MlflowClient, logged: LoggedModel) -> str:
    where = logged.artifact_location
    try:
        with opened_at(where, client, f"reading logged model {logged.model_id}", (where,)) as folder:
            return environment_in(folder)
    except FilesUnread:
        return ""
