"""Whether a run, a logged model and a version's files are still there, in few calls and without reading a byte of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from posixpath import dirname
from typing import TYPE_CHECKING

from bot.clients.mlflow.files.stores import opened_folder
from bot.clients.mlflow.http import reading
from bot.clients.mlflow.lineage import find_logged_model, find_run, get_version
from bot.domain.model import VersionId
from bot.ports.evidence_watch import RunState

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUNS_A_CALL = 50  # a run is answered with all its metrics, parameters and tags


def states_of(client: MlflowClient, runs: Mapping[str, str]) -> dict[str, RunState]:
    """Of the runs that a search finds. `runs`: the id of each run's experiment, by the run's id; without it, it is not searched for."""
    from mlflow.entities import ViewType

    found: dict[str, RunState] = {}
    known = [run for run, experiment in runs.items() if experiment]
    for first in range(0, len(known), RUNS_A_CALL):
        some = known[first : first + RUNS_A_CALL]
        listed = ", ".join(f"'{run}'" for run in some)
        with reading(f"looking for {len(some)} runs"):
            page = client.search_runs(
                sorted({runs[run] for run in some}),
                f"attributes.run_id IN ({listed})",
                run_view_type=ViewType.ALL,
                max_results=len(some),
            )
        found |= {run.info.run_id: _state(run) for run in page}
    return found


def state_of(client: MlflowClient, run_id: str) -> RunState:
    """Raises Temporary or Permanent."""
    run = find_run(client, run_id)
    return RunState.ERASED if run is None else _state(run)


def has_logged_model(client: MlflowClient, model_id: str) -> bool:
    """MLflow does not answer for a deleted one. Raises Temporary or Permanent."""
    return find_logged_model(client, model_id) is not None


def sizes_of(
    client: MlflowClient, version: VersionId, stores: Sequence[str], wanted: Collection[str]
) -> dict[str, int]:
    """In bytes, of the files that are there beside those that are wanted. A folder is listed if its own folder lists it.

    Raises FilesUnread, Temporary or Permanent.
    """
    folders = {folder for path in wanted for folder in _folders_above(path)}
    sizes: dict[str, int] = {}
    with opened_folder(client, get_version(client, version), stores) as folder:
        unseen: list[str | None] = [None]
        while unseen:
            for entry in folder.entries(unseen.pop()):
                if not entry.is_dir:
                    sizes[entry.path] = entry.file_size or 0  # MLflow's server leaves out a size of 0
                elif entry.path in folders:
                    unseen.append(entry.path)
    return sizes


def _folders_above(path: str) -> list[str]:
    found = []
    while path := dirname(path):
        found.append(path)
    return found


def _state(run: Run) -> RunState:
    return RunState.THERE if run.info.lifecycle_stage == "active" else RunState.DELETED
