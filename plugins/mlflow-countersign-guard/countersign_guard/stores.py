"""What MLflow's own tables say now, read through the stores that its handlers use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from countersign_guard.paths import Parts, address_parts
from countersign_guard.spelling import NameSpelling
from countersign_guard.tables import stage_of
from countersign_guard.writes import Act, Write

MOST_KEPT = 100_000


class NotThere(Exception):
    """What is asked for does not exist."""


class NotUnderstood(Exception):
    """MLflow's store refuses the question, as it will refuse the write."""


class Unknown(Exception):
    """MLflow's store does not answer, so nothing can be decided."""


@contextmanager
def _asked() -> Iterator[None]:
    """Raises NotThere, NotUnderstood or Unknown: only what MLflow says is not there, is not there."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise NotThere from error
        if error.error_code == "INVALID_PARAMETER_VALUE":
            raise NotUnderstood(error.message) from error
        raise Unknown(str(error)) from error


class Mlflow:
    """What MLflow's own tables say now. All answers raise NotUnderstood or Unknown."""

    def __init__(self) -> None:
        self._experiments: dict[str, str] = {}  # of runs and logged models; they never change
        self._spelling = NameSpelling()

    def real_name(self, model: str) -> str:
        """Asks for nothing where the database finds a name by its own spelling alone."""
        from mlflow.server.handlers import _get_model_registry_store

        store = _get_model_registry_store()
        if self._spelling.is_exact(store):
            return model
        try:
            with _asked():
                return str(store.get_registered_model(model).name)
        except NotThere:
            return model

    def aliases(self, model: str) -> Mapping[str, str]:
        from mlflow.server.handlers import _get_model_registry_store

        try:
            with _asked():
                held = _get_model_registry_store().get_registered_model(model).aliases
        except NotThere:
            return {}
        return {alias: str(number) for alias, number in held.items()}

    def stage(self, model: str, number: str) -> str:
        from mlflow.server.handlers import _get_model_registry_store

        try:
            with _asked():
                store = _get_model_registry_store()
                found = stage_of(store, model, number)
                return found if found is not None else store.get_model_version(model, number).current_stage or ""
        except NotThere:
            return ""

    def is_running(self, run: str) -> bool:
        from mlflow.server.handlers import _get_tracking_store

        try:
            with _asked():
                return _get_tracking_store().get_run(run).info.status in {"RUNNING", "SCHEDULED"}
        except NotThere:
            return False

    def is_there(self, one: str) -> bool:
        try:
            self._found(one)
        except NotThere:
            return False
        return True

    def folder_of(self, one: str) -> str:
        try:
            found = self._found(one)
        except NotThere:
            return ""
        return str(getattr(found, "artifact_location", "") or getattr(found, "artifact_uri", ""))

    def kept_in(self) -> Parts:
        from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR

        return address_parts(os.environ.get(ARTIFACTS_DESTINATION_ENV_VAR, ""))

    def experiment_called(self, name: str) -> str:
        """Its id; empty when there is none."""
        from mlflow.server.handlers import _get_tracking_store

        try:
            with _asked():
                found = _get_tracking_store().get_experiment_by_name(name)
        except NotThere:
            return ""
        return str(found.experiment_id) if found is not None else ""

    def run_of_job(self, job: str) -> str:
        """The run that a job of MLflow's own names; empty when there is none."""
        from mlflow.server.handlers import _get_job_store

        try:
            with _asked():
                params = json.loads(_get_job_store().get_job(job).params)
        except NotThere:
            return ""
        return str(params.get("run_id") or "") if isinstance(params, dict) else ""

    def _found(self, one: str) -> Any:
        """A run's info or a logged model. Raises NotThere."""
        from mlflow.server.handlers import _get_tracking_store

        store = _get_tracking_store()
        with _asked():
            return store.get_logged_model(one) if one.startswith("m-") else store.get_run(one).info

    def runs_are_in(self, experiment: str, runs: Sequence[str]) -> bool:
        return any(self._experiment_of(run) == experiment for run in runs)

    def _experiment_of(self, run: str) -> str:
        """Of a run or a logged model. Empty for one that is not there, which may still come."""
        if run not in self._experiments:
            try:
                found = self._found(run)
            except NotThere:
                return ""
            if len(self._experiments) >= MOST_KEPT:
                self._experiments.clear()
            self._experiments[run] = str(found.experiment_id)
        return self._experiments[run]


MLFLOW = Mlflow()


def with_address(write: Write) -> Write:
    """A webhook that is changed or deleted is named by its id alone. Raises NotUnderstood or Unknown."""
    if write.act is not Act.WRITE_WEBHOOK or not write.number:
        return write
    from mlflow.server.handlers import _get_model_registry_store

    try:
        with _asked():
            return replace(write, url=str(_get_model_registry_store().get_webhook(write.number).url))
    except NotThere:
        return write
