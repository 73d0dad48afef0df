"""What MLflow's own tables say now, read through the stores that its handlers use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from countersign_guard.decide import Act, Write

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

    def real_name(self, model: str) -> str:
        from mlflow.server.handlers import _get_model_registry_store

        try:
            with _asked():
                return str(_get_model_registry_store().get_registered_model(model).name)
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
                return _get_model_registry_store().get_model_version(model, number).current_stage or ""
        except NotThere:
            return ""

    def is_running(self, run: str) -> bool:
        from mlflow.server.handlers import _get_tracking_store

        try:
            with _asked():
                return _get_tracking_store().get_run(run).info.status in {"RUNNING", "SCHEDULED"}
        except NotThere:
            return False

    def runs_are_in(self, experiment: str, runs: Sequence[str]) -> bool:
        return any(self._experiment_of(run) == experiment for run in runs)

    def _experiment_of(self, run: str) -> str:
        """Of a run or a logged model. Empty for one that is not there."""
        from mlflow.server.handlers import _get_tracking_store

        if run not in self._experiments:
            store = _get_tracking_store()
            try:
                with _asked():
                    found = store.get_logged_model(run) if run.startswith("m-") else store.get_run(run).info
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
