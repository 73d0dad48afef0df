"""Gathers what the lineage checks look at: the run, other versions of the run and the commit, the mirror's answers.

`bot.domain.evidence.lineage_checks` judges it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.clients.mlflow.files.run_files import read_environment
from bot.clients.mlflow.http import reading
from bot.clients.mlflow.metrics import data_sets_of
from bot.domain.evidence.dvc_lock import LOCK
from bot.domain.evidence.lineage import KeptLock, LoggedFiles, Provenance, RunSeen
from bot.domain.policy.rules import MIRRORED_CODES, LineageDemand
from bot.domain.registry.model_uri import source_of
from bot.dvc.files import read_in_folder
from bot.errors import InvalidDvcFile, Temporary
from bot.language import recorded
from bot.ports.data_stores import GitMirror

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from bot.clients.mlflow.lineage import Lineage

BOUND_COMMIT = "git_commit"  # what `countersign register` found to pin the run
CODE_COMMIT = "code_commit"
MLFLOW_COMMIT = "mlflow.source.git.commit"
LOCK_PATH = "dvc_lock_path"
ASKED_OF_MIRROR = frozenset({"L04", *MIRRORED_CODES})  # without a mirror L04 believes the trainer's tag
ENVIRONMENT = "environment_sha256"
COMMIT = re.compile(r"[0-9a-f]{40}")
PLAIN_PATH = re.compile(r"(?!.*(^|/)\.\.?(/|$))[^/\x00-\x1f:][^\x00-\x1f:]{0,400}")
RUNS_OF_A_COMMIT = 50


@dataclass(frozen=True)
class Sources:
    """Where the provenance may lead: the policy's artifact stores, what the rule demands, and the mirror that can be asked."""

    stores: Sequence[str]
    demand: LineageDemand
    mirror: GitMirror | None


def commit_of(lineage: Lineage) -> str | None:
    return lineage.tag(BOUND_COMMIT) or lineage.tag(MLFLOW_COMMIT)


def provenance_of(
    client: MlflowClient,
    version: ModelVersion,
    lineage: Lineage,
    metrics: Iterable[str],
    files: LoggedFiles,
    where: Sources,
) -> Provenance:
    """Raises Temporary or Permanent."""
    provenance = Provenance(
        run=_run_seen(lineage, metrics),
        commit=commit_of(lineage) or "",
        code=lineage.tag(CODE_COMMIT) or lineage.tag(MLFLOW_COMMIT) or "",
        lock_path=lock_path_of(lineage),
        files=files,
        main=where.demand.main,
    )
    return _with_lock(_mirrored(_registered(client, version, lineage, provenance, where), where))


def _registered(
    client: MlflowClient, version: ModelVersion, lineage: Lineage, provenance: Provenance, where: Sources
) -> Provenance:
    run = provenance.run
    if run is None:
        return provenance
    has_digest = bool(run.tags.get(ENVIRONMENT))
    return replace(
        provenance,
        environment=read_environment(client, version, where.stores) if has_digest else "",
        same_run=_other_versions(client, lineage, (run.id,)),
        same_commit=_of_the_commit(client, lineage, provenance.commit),
    )


def _with_lock(provenance: Provenance) -> Provenance:
    """The lock's paths depend on dvc.yaml: the mirror's where there is one, else the run's copy."""
    text, mirrored = provenance.files.lock, provenance.mirrored
    if provenance.run is None or text is None:
        return provenance
    described = mirrored if mirrored and mirrored.pipeline is not None else provenance.files
    try:
        kept = KeptLock(text, provenance.lock_path, described.pipeline, described.params)
        return replace(provenance, lock=read_in_folder(kept))
    except InvalidDvcFile as reason:
        return replace(provenance, lock_trouble=str(reason))


def _run_seen(lineage: Lineage, metrics: Iterable[str]) -> RunSeen | None:
    run = lineage.run
    if run is None:
        return None
    of_model = lineage.logged_model.params if lineage.logged_model else {}
    return RunSeen(
        id=run.info.run_id,
        status=run.info.status,
        is_deleted=run.info.lifecycle_stage != "active",
        tags=dict(run.data.tags),
        params={**run.data.params, **of_model},
        metrics=tuple(sorted(set(metrics))),
        datasets=data_sets_of(lineage),
    )


def _other_versions(
    client: MlflowClient, lineage: Lineage, run_ids: Sequence[str], of_model: str | None = None
) -> tuple[str, ...]:
    """Copies are not counted as versions here: they are how a version reaches another model."""
    listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
    with reading("looking for other versions of the run"):
        found = client.search_model_versions(f"run_id IN ({listed})")
    ours = (lineage.original.name, str(lineage.original.version)) if lineage.original else None
    others = [one for one in found if (one.name, str(one.version)) != ours and source_of(one.source or "") is None]
    return tuple(f"{one.name} v{one.version}" for one in others if of_model in (None, one.name))


def _of_the_commit(client: MlflowClient, lineage: Lineage, commit: str) -> tuple[str, ...]:
    """Versions of the same model, of other runs of the experiment, that name the same commit. A pipeline may train several models."""
    run = lineage.run
    if run is None or not COMMIT.fullmatch(commit):
        return ()
    tag = BOUND_COMMIT if lineage.tag(BOUND_COMMIT) else MLFLOW_COMMIT
    with reading("looking for other runs of the commit"):
        runs = client.search_runs([run.info.experiment_id], f"tags.`{tag}` = '{commit}'", max_results=RUNS_OF_A_COMMIT)
    others = [one.info.run_id for one in runs if one.info.run_id != run.info.run_id]
    name = lineage.original.name if lineage.original else None
    return _other_versions(client, lineage, others, of_model=name) if others else ()


def _mirrored(provenance: Provenance, where: Sources) -> Provenance:
    """A remote that does not answer is waited for only when the rule insists on what it would say; a mirror that is busy always."""
    if where.demand.git is None:
        return provenance
    if where.mirror is None:
        return replace(provenance, not_mirrored=recorded("lineage", "this process keeps no git mirror"))
    try:
        seen = where.mirror.look(
            where.demand.git, provenance.commit, where.demand.main, provenance.lock_path, provenance.code
        )
    except Temporary as trouble:
        if trouble.retry_after or ASKED_OF_MIRROR.intersection(where.demand.block):
            raise
        return replace(provenance, not_mirrored=str(trouble).split(". ")[0])
    return replace(provenance, mirrored=seen)


def lock_path_of(lineage: Lineage) -> str:
    """Relative to the repository's root."""
    named = lineage.tag(LOCK_PATH) or LOCK
    return named if PLAIN_PATH.fullmatch(named) else LOCK
