"""What MLflow's own tables say now, read through the stores that its handlers use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from countersign_guard.decide import Act, Write


class Mlflow:
    """What MLflow's own tables say now."""

    def real_name(self, model: str) -> str:
        from mlflow.exceptions import MlflowException
        from mlflow.server.handlers import _get_model_registry_store

        try:
            return str(_get_model_registry_store().get_registered_model(model).name)
        except MlflowException:
            return model

    def aliases(self, model: str) -> Mapping[str, str]:
        from mlflow.exceptions import MlflowException
        from mlflow.server.handlers import _get_model_registry_store

        try:
            return {
                alias: str(number)
                for alias, number in _get_model_registry_store().get_registered_model(model).aliases.items()
            }
        except MlflowException:
            return {}

    def stage(self, model: str, number: str) -> str:
        from mlflow.exceptions import MlflowException
        from mlflow.server.handlers import _get_model_registry_store

        try:
            return _get_model_registry_store().get_model_version(model, number).current_stage or ""
        except MlflowException:
            return ""

    def is_running(self, run: str) -> bool:
        from mlflow.exceptions import MlflowException
        from mlflow.server.handlers import _get_tracking_store

        try:
            return _get_tracking_store().get_run(run).info.status in {"RUNNING", "SCHEDULED"}
        except MlflowException:
            return False

    def runs_are_in(self, experiment: str, runs: Sequence[str]) -> bool:
        return any(_experiment_of(run) == experiment for run in runs)


MLFLOW = Mlflow()


@lru_cache(maxsize=100_000)
def _experiment_of(run: str) -> str:
    """Of a run or a logged model; it never changes. Empty for one that is not there."""
    from mlflow.exceptions import MlflowException
    from mlflow.server.handlers import _get_tracking_store

    store = _get_tracking_store()
    try:
        if run.startswith("m-"):
            return str(store.get_logged_model(run).experiment_id)
        return str(store.get_run(run).info.experiment_id)
    except MlflowException:
        return ""


def with_address(write: Write) -> Write:
    """A webhook that is changed or deleted is named by its id alone."""
    if write.act is not Act.WRITE_WEBHOOK or not write.number:
        return write
    from mlflow.exceptions import MlflowException
    from mlflow.server.handlers import _get_model_registry_store

    try:
        before = str(_get_model_registry_store().get_webhook(write.number).url)
    except MlflowException:
        return write
    return replace(write, url=before)
