"""Where a version comes from in MLflow: its own row, the version that it was copied from, its LoggedModel, its run.

Over REST a version names its LoggedModel only in its source (`models:/m-…`), and a copied version names the version that it was copied
from (`models:/name/version`). What is read from all this is in `evidence`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.clients.mlflow.http import NotThere, reading
from bot.clients.mlflow.versions import as_version_seen
from bot.domain.model import VersionId
from bot.domain.registry.model_uri import source_of
from bot.errors import Permanent

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

LOGGED_MODEL_SOURCE = re.compile(r"models:/(m-[0-9a-zA-Z]+)/?")
COPIES_FOLLOWED = 10  # copies of copies; no one stages a model through more environments than this


@dataclass(frozen=True)
class Lineage:
    """Where a version comes from, as far as it is still there. `original` is the version itself, or what it is a copy of."""

    logged_model: LoggedModel | None
    run: Run | None
    original: ModelVersion | None = None

    def tag(self, name: str) -> str | None:
        """The run's tag, else the logged model's; None when neither has it or it is empty."""
        of_run = self.run.data.tags if self.run else {}
        of_model = self.logged_model.tags if self.logged_model else {}
        return of_run.get(name) or of_model.get(name) or None


def get_version(client: MlflowClient, wanted: VersionId) -> ModelVersion:
    """Raises Permanent when the version is gone or is another one of the same number."""
    with reading(f"reading {wanted}"):
        found = client.get_model_version(wanted.model, str(wanted.version))
    created = as_version_seen(found).id.created
    if created != wanted.created:
        raise Permanent(
            f"{wanted} of {wanted.created:%Y-%m-%d %H:%M:%S} UTC is gone: the version that now has its number was created on "
            f"{created:%Y-%m-%d %H:%M:%S} UTC. Ask for the new one with a request of its own."
        )
    return found


def lineage_of(client: MlflowClient, version: ModelVersion) -> Lineage:
    original = _original_of(client, version)
    model_id = LOGGED_MODEL_SOURCE.fullmatch(original.source or "")
    logged_model = find_logged_model(client, model_id[1]) if model_id else None
    run_id = version.run_id or (logged_model.source_run_id if logged_model else None)
    return Lineage(logged_model, find_run(client, run_id) if run_id else None, original)


def find_run(client: MlflowClient, run_id: str) -> Run | None:
    """A deleted run is still read, until MLflow's garbage collection takes it."""
    try:
        with reading(f"reading run {run_id}"):
            return client.get_run(run_id)
    except NotThere:
        return None


def _original_of(client: MlflowClient, version: ModelVersion) -> ModelVersion:
    """Follows copies back; stops where the provenance is lost, because the original was deleted or its number is another's now."""
    for _ in range(COPIES_FOLLOWED):
        parent = source_of(version.source or "")
        found = _find_version(client, parent[0], str(parent[1])) if parent else None
        if found is None or found.run_id != version.run_id or found.creation_timestamp > version.creation_timestamp:
            return version
        version = found
    return version


def _find_version(client: MlflowClient, name: str, number: str) -> ModelVersion | None:
    try:
        with reading(f"reading {name} v{number}"):
            return client.get_model_version(name, number)
    except NotThere:
        return None


def find_logged_model(client: MlflowClient, model_id: str) -> LoggedModel | None:
    try:
        with reading(f"reading logged model {model_id}"):
            return client.get_logged_model(model_id)
    except NotThere:
        return None
