"""The MLflow run to register: its tags, metrics, model, and the versions already made from it.

MLflow 3 logs a model as a LoggedModel; a client of MLflow 2 writes its files below the run's artifacts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.clients.mlflow.files.run_files import environment_in
from bot.clients.mlflow.files.stores import opened_at
from bot.clients.mlflow.http import reading
from bot.clients.mlflow.lineage import Lineage, find_logged_model, find_run
from bot.clients.mlflow.metrics import data_sets_of, metrics_of
from bot.clients.mlflow.provenance import PLAIN_PATH
from bot.domain.evidence.lineage import was_trained_on
from bot.domain.registry.model_uri import source_of
from bot.errors import FilesUnread, Refused

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion


MISSING = "countersign.missing"  # the tag that `register` always sets
HISTORY = "mlflow.log-model.history"


@dataclass(frozen=True)
class Source:
    """The model to register: its name, the address of its files, and the LoggedModel, which a client of MLflow 2 does not log."""

    name: str
    address: str
    logged_model: LoggedModel | None = None

    @property
    def id(self) -> str:
        return str(self.logged_model.model_id) if self.logged_model else ""

    @property
    def called(self) -> str:
        return f"{self.name} ({self.id})" if self.id else self.name

    @property
    def uri(self) -> str:
        """The version's source."""
        return f"models:/{self.id}" if self.id else self.address

    def is_meant_by(self, wanted: str) -> bool:
        return wanted in (self.name, self.id)


@dataclass(frozen=True)
class TrainedRun:
    """`source` is None when the run logged no model. `figures` are metrics by name.

    `environment` is the sha256 of the logged model's list of packages, empty without one.
    """

    run: Run
    source: Source | None
    figures: dict[str, float]
    has_training_data: bool
    environment: str
    versions: tuple[ModelVersion, ...]

    @property
    def id(self) -> str:
        return str(self.run.info.run_id)

    @property
    def params(self) -> dict[str, str]:
        logged = self.source.logged_model if self.source else None
        of_model = logged.params if logged else None
        return {**self.run.data.params, **(of_model or {})}

    @property
    def is_registered(self) -> bool:
        """Whether `countersign register` has bound it; a version may also come from the training itself."""
        return bool(self.tag(MISSING))

    def tag(self, name: str) -> str:
        return str(self.run.data.tags.get(name) or "")


def find_trained_run(client: MlflowClient, run_id: str, model: str = "") -> TrainedRun | None:
    """`model` chooses among the run's models, by name or id. None when the server has no such run. Raises Refused, Temporary, Permanent."""
    run = find_run(client, run_id)
    if run is None:
        return None
    with reading(f"looking for versions of run {run_id}"):
        versions = client.search_model_versions(f"run_id = '{run_id}'")
    originals = tuple(one for one in versions if source_of(one.source or "") is None)
    source = _chosen(run_id, _sources(client, run), model, originals)
    lineage = Lineage(source.logged_model if source else None, run)
    return TrainedRun(
        run=run,
        source=source,
        figures={figure.name: figure.value for figure in metrics_of(client, lineage)},
        has_training_data=any(was_trained_on(one) for one in data_sets_of(lineage)),
        environment=_environment(client, source) if source else "",
        versions=originals,
    )


def _sources(client: MlflowClient, run: Run) -> list[Source]:
    """The models that the run logged, in no order that means anything."""
    outputs = run.outputs.model_outputs if run.outputs else []
    logged = [found for one in outputs if (found := find_logged_model(client, one.model_id)) is not None]
    if logged:
        return sorted((Source(one.name, one.artifact_location, one) for one in logged), key=lambda one: one.called)
    root = (run.info.artifact_uri or "").rstrip("/")
    return [Source(path, f"{root}/{path}") for path in _paths_of_mlflow_2(run.data.tags.get(HISTORY, ""))]


def _paths_of_mlflow_2(history: str) -> list[str]:
    """From the tag in which the client keeps what it logged."""
    try:
        listed = json.loads(history or "[]")
    except ValueError:
        return []
    paths = (one.get("artifact_path") for one in (listed if isinstance(listed, list) else ()) if isinstance(one, dict))
    return sorted({path for path in paths if isinstance(path, str) and PLAIN_PATH.fullmatch(path)})


def _chosen(run_id: str, sources: list[Source], wanted: str, versions: tuple[ModelVersion, ...]) -> Source | None:
    """The only one; of several the one that is named, or that is a version already. Raises Refused, because MLflow has no order."""
    meant = [one for one in sources if not wanted or one.is_meant_by(wanted)]
    registered = [one for one in meant if any((version.source or "").rstrip("/") == one.uri for version in versions)]
    found = registered if len(registered) == 1 else meant
    if len(found) == 1 or (not sources and not wanted):
        return found[0] if found else None
    known = ", ".join(one.called for one in sources) or "no model"
    what = f'logged no model "{wanted}", but {known}' if not meant else f"logged several models: {known}"
    raise Refused(
        f"run {run_id} {what}. The version must be the one that was meant. "
        "Fix: name it with --model, by its name or its id."
    )


def _environment(client: MlflowClient, source: Source) -> str:
    where = source.address
    try:
        with opened_at(where, client, f"reading model {source.called}", (where,)) as folder:
            return environment_in(folder)
    except FilesUnread:
        return ""
