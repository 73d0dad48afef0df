"""What a version's vote is based on, read from MLflow: metrics, params, tags, author. Judging it is the domain's.

The figures of a version stand in two places that may differ: on the LoggedModel, and on the run. The LoggedModel is about just this
model, so it goes first; what only the run knows follows. Over REST a version names its LoggedModel only in its source (`models:/m-…`),
and a copied version names the version that it was copied from (`models:/name/version`).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.clients.mlflow_http import NotThere, reading
from bot.clients.mlflow_versions import as_version_seen
from bot.domain.model import Champion, Evidence, Metric, VersionId
from bot.ports import Permanent, Temporary

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities import Metric as LoggedMetric
    from mlflow.entities.model_registry import ModelVersion

LOGGED_MODEL = "logged model"
RUN = "run"
LOGGED_MODEL_SOURCE = re.compile(r"models:/(m-[0-9a-zA-Z]+)/?")
COPY_SOURCE = re.compile(r"models:/([^/]+)/([0-9]+)/?")
COPIES_FOLLOWED = 10  # copies of copies; nobody stages a model through more environments than this


@dataclass(frozen=True)
class Lineage:
    """Where a version comes from, as far as it is still there."""

    logged_model: LoggedModel | None
    run: Run | None


def read_evidence(client: MlflowClient, ui: str, version: VersionId, champion: VersionId | None) -> Evidence:
    """`ui` is the address under which people see MLflow, without a slash at its end."""
    found = _get_version(client, version)
    lineage = _lineage_of(client, found)
    run = lineage.run
    return Evidence(
        source=found.source or "",
        run_id=found.run_id or (run.info.run_id if run else None),
        author=_author(found, lineage),
        description=found.description or "",
        metrics=_metrics(client, lineage),
        params=_params(lineage),
        tags=dict(found.tags),
        version_url=f"{ui}/#/models/{quote(version.model, safe='')}/versions/{version.version}",
        run_url=f"{ui}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}" if run else None,
        champion=_champion(client, champion) if champion else None,
    )


def _get_version(client: MlflowClient, wanted: VersionId) -> ModelVersion:
    with reading(f"reading {wanted}"):
        found = client.get_model_version(wanted.model, str(wanted.version))
    created = as_version_seen(found).id.created
    if created != wanted.created:
        raise Permanent(
            f"{wanted} of {wanted.created:%Y-%m-%d %H:%M:%S} UTC is gone: the version that now has its number was created on "
            f"{created:%Y-%m-%d %H:%M:%S} UTC. Ask for the new one with a request of its own."
        )
    return found


def _champion(client: MlflowClient, version: VersionId) -> Champion:
    try:
        found = _get_version(client, version)
    except Permanent as error:
        raise Temporary(f"The champion changed while the evidence was read: {error} It will be read again.") from error
    return Champion(version, _metrics(client, _lineage_of(client, found)))


def _lineage_of(client: MlflowClient, version: ModelVersion) -> Lineage:
    original = _original_of(client, version)
    model_id = LOGGED_MODEL_SOURCE.fullmatch(original.source or "")
    logged_model = _find_logged_model(client, model_id[1]) if model_id else None
    run_id = version.run_id or (logged_model.source_run_id if logged_model else None)
    return Lineage(logged_model, _find_run(client, run_id) if run_id else None)


def _original_of(client: MlflowClient, version: ModelVersion) -> ModelVersion:
    """Follows copies back; stops where the trail is lost, because the original was deleted or its number is another's now."""
    for _ in range(COPIES_FOLLOWED):
        parent = COPY_SOURCE.fullmatch(version.source or "")
        found = _find_version(client, parent[1], parent[2]) if parent else None
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


def _find_logged_model(client: MlflowClient, model_id: str) -> LoggedModel | None:
    try:
        with reading(f"reading logged model {model_id}"):
            return client.get_logged_model(model_id)
    except NotThere:
        return None


def _find_run(client: MlflowClient, run_id: str) -> Run | None:
    """A deleted run is still read, until MLflow's garbage collection takes it."""
    try:
        with reading(f"reading run {run_id}"):
            return client.get_run(run_id)
    except NotThere:
        return None


def _author(version: ModelVersion, lineage: Lineage) -> str | None:
    run_tags = lineage.run.data.tags if lineage.run else {}
    model_tags = lineage.logged_model.tags if lineage.logged_model else {}
    return version.user_id or run_tags.get("mlflow.user") or model_tags.get("mlflow.user") or None


def _params(lineage: Lineage) -> dict[str, str]:
    of_run = lineage.run.data.params if lineage.run else {}
    of_model = lineage.logged_model.params if lineage.logged_model else {}
    return {**of_run, **of_model}


def _metrics(client: MlflowClient, lineage: Lineage) -> tuple[Metric, ...]:
    of_model = lineage.logged_model.metrics if lineage.logged_model else None
    logged = list(_latest(client, of_model or ()))
    names = {figure.name for figure in logged}
    of_run = lineage.run.data.metrics if lineage.run else {}
    rest = [Metric(name, _unclamped(value), RUN) for name, value in of_run.items() if name not in names]
    return tuple(sorted([*logged, *rest], key=lambda figure: (figure.name, figure.source)))


def _latest(client: MlflowClient, metrics: Iterable[LoggedMetric]) -> Iterator[Metric]:
    """The LoggedModel keeps every figure ever logged; the latest stands. Where a name has figures from several data sets, each stays
    and its source names the data set, because MLflow does not say which one counts."""
    latest: dict[tuple[str, str], LoggedMetric] = {}
    for metric in sorted(metrics, key=lambda metric: (metric.step, metric.timestamp)):
        latest[metric.key, metric.dataset_name or ""] = metric
    names = [name for name, _ in latest]
    for (name, data_set), metric in latest.items():
        where = f", data set {data_set or 'not named'}" if names.count(name) > 1 else ""
        yield Metric(name, _true_value(client, metric), LOGGED_MODEL + where)


def _true_value(client: MlflowClient, metric: LoggedMetric) -> float:
    """On a LoggedModel MLflow's store keeps NaN as 0 and forgets that it was NaN; the run's history remembers. Without the run nobody
    can tell, and then it counts as NaN, which passes no threshold. (SqlLoggedModelMetric has no is_nan, unlike SqlMetric.)"""
    if metric.value != 0:
        return _unclamped(metric.value)
    if metric.run_id is None:
        return math.nan
    try:
        with reading(f"reading the history of metric {metric.key}"):
            history = client.get_metric_history(metric.run_id, metric.key)
    except NotThere:
        return math.nan
    same = (past for past in history if (past.timestamp, past.step) == (metric.timestamp, metric.step))
    return math.nan if any(math.isnan(past.value) for past in same) else 0.0


def _unclamped(value: float) -> float:
    """MLflow's store keeps infinity as the largest float there is."""
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value
