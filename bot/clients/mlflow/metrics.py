"""A version's metrics and data sets, from its LoggedModel and its run. The domain judges them.

A version has figures in two places that may differ. The LoggedModel is about just this model, so its figures go first; those that only the
run has follow. A LoggedModel's figure names the data set that it was measured on; a run's figure loses that name over REST.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.clients.mlflow.http import NotThere, reading
from bot.clients.mlflow.tables import table_of
from bot.clients.mlflow.versions import as_time
from bot.domain.evidence.lineage import EVALUATING
from bot.domain.model import DataSet, Metric

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput
    from mlflow.entities import Metric as LoggedMetric

    from bot.clients.mlflow.lineage import Lineage

LOGGED_MODEL = "logged model"
RUN = "run"
CONTEXT = "mlflow.data.context"


def data_sets_of(lineage: Lineage) -> tuple[DataSet, ...]:
    """What the run says that it read, sorted, so that the same data sets compare equal."""
    inputs = lineage.run.inputs if lineage.run else None
    found = {_as_data_set(used) for used in inputs.dataset_inputs} if inputs else set()
    return tuple(sorted(found, key=lambda known: (known.name, known.digest, known.context)))


def metrics_of(client: MlflowClient, lineage: Lineage) -> tuple[Metric, ...]:
    of_model = tuple(_of_logged_model(client, lineage))
    names = {figure.name for figure in of_model}
    of_run = (figure for figure in _of_run(lineage) if figure.name not in names)
    return tuple(sorted([*of_model, *of_run], key=lambda figure: (figure.name, figure.source)))


def _of_logged_model(client: MlflowClient, lineage: Lineage) -> Iterator[Metric]:
    """Where a name has figures from several data sets, each stays and its source names the data set, because MLflow does not say
    which one counts."""
    latest = _latest(lineage)
    names = [name for name, _ in latest]
    run_id = lineage.run.info.run_id if lineage.run else None
    data_sets, guess = data_sets_of(lineage), not _says_itself(lineage)
    for (name, data_set), metric in latest.items():
        where = f", data set {data_set or 'not named'}" if names.count(name) > 1 else ""
        yield Metric(
            name,
            _true_value(client, metric),
            LOGGED_MODEL + where,
            _measured_on(metric, data_sets if metric.run_id == run_id else (), guess=guess),
            as_time(metric.timestamp),
        )


def _says_itself(lineage: Lineage) -> bool:
    """A training that names the data set of some figures has said all it knows: of its others nothing is guessed."""
    return any(data_set for _, data_set in _latest(lineage))


def _latest(lineage: Lineage) -> dict[tuple[str, str], LoggedMetric]:
    """The LoggedModel keeps every figure ever logged; the latest of a name and data set counts.

    What the version's own run has logged counts before what others have: anyone may evaluate an approved model in a run of their own,
    and must not lower the bar for its successor by that.
    """
    logged = (lineage.logged_model.metrics or []) if lineage.logged_model else []
    own = lineage.run.info.run_id if lineage.run else None
    by_time = sorted(logged, key=lambda metric: (metric.run_id == own, metric.step, metric.timestamp))
    return {(metric.key, metric.dataset_name or ""): metric for metric in by_time}


def _of_run(lineage: Lineage) -> Iterator[Metric]:
    """`run.data.metrics` forgets when a figure was logged; the list that it is made from does not."""
    data_sets, guess = data_sets_of(lineage), not _says_itself(lineage)
    for metric in lineage.run.data._metric_objs if lineage.run else ():
        yield Metric(
            metric.key,
            _unclamped(metric.value),
            RUN,
            _measured_on(metric, data_sets, guess=guess),
            as_time(metric.timestamp),
        )


def _measured_on(metric: LoggedMetric, used: tuple[DataSet, ...], *, guess: bool) -> DataSet | None:
    """What the figure itself names; else the one data set that its run used for evaluation, if it is the only one.

    Where the data set was read from is kept once, with the run's data sets.
    """
    if metric.dataset_name or metric.dataset_digest:
        named = DataSet(metric.dataset_name or "", metric.dataset_digest or "")
        same = (known for known in used if (known.name, known.digest) == (named.name, named.digest))
        return replace(next(same, named), table=None)
    evaluating = [replace(known, table=None) for known in used if known.context.lower() in EVALUATING]
    return evaluating[0] if guess and len(evaluating) == 1 else None


def _as_data_set(used: DatasetInput) -> DataSet:
    context = next((tag.value for tag in used.tags if tag.key == CONTEXT), "")
    return DataSet(used.dataset.name, used.dataset.digest, context, table_of(used.dataset))


def _true_value(client: MlflowClient, metric: LoggedMetric) -> float:
    """On a LoggedModel MLflow's store keeps NaN as 0 and forgets that it was NaN; the run's history has it. Without the run it
    cannot be known, and then it counts as NaN, which passes no threshold. (SqlLoggedModelMetric has no is_nan, unlike SqlMetric.)"""
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
