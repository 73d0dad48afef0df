"""Collects the evidence for a version from MLflow. The domain judges it.

Where a version comes from: `lineage`; what its lineage is checked by: `provenance`. Metrics and data sets: `metrics`. Files and model
signature: `files.artifacts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.clients.mlflow.files.artifacts import FilesRead, read_files, read_signature
from bot.clients.mlflow.files.run_files import read_lineage_files
from bot.clients.mlflow.lineage import Lineage, get_version, lineage_of
from bot.clients.mlflow.metrics import data_sets_of, metrics_of
from bot.clients.mlflow.provenance import Sources, commit_of, lock_path_of, provenance_of
from bot.clients.side_by_side import both
from bot.domain.evidence.dvc_lock import sha256_of
from bot.domain.evidence.lineage import GIT_MIRROR, KeptLock, LoggedFiles, who_vouches
from bot.domain.evidence.lineage_checks import check_lineage
from bot.domain.model import AuthorSource, Champion, Evidence, Metric, VersionId
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import FilesUnread, Permanent, Temporary
from bot.ports import ProgressListener

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

USER = "mlflow.user"
SOURCE_DATA = "data_md5"
OURS = ("countersign.attestation.", "countersign.verdict.")  # our own earlier tags are no evidence
COMMIT_AUTHOR = "countersign.commit_author"  # MLflow has no tag for it; the training pipeline sets ours


def read_evidence(
    client: MlflowClient,
    ui: str,
    version: VersionId,
    champion: VersionId | None,
    stores: Sequence[str],
    sources: Sources | None = None,
    follower: ProgressListener | None = None,
    known: Evidence | None = None,
) -> Evidence:
    """`ui` is the address under which people see MLflow, without a slash at its end. Without `sources` no lineage is checked.

    What `known` says of the files is taken over when their store proves that nothing was written since. Else reading them may take minutes:
    with `sources` all that may change meanwhile is asked for after them, as whether version and champion are still the same ones, and what
    else was made of the run or pushed to git.
    """
    own, compared = both(
        lambda: _of_version(client, version, stores, follower, known),
        lambda: _champion(client, champion, stores) if champion else None,
    )
    found, lineage, files, logged = own.found, own.lineage, own.files, own.logged
    run = lineage.run
    evidence = Evidence(
        source=found.source or "",
        run_id=found.run_id or (run.info.run_id if run else None),
        author=_author(found, lineage),
        description=found.description or "",
        metrics=own.metrics,
        params=_params(lineage),
        tags={name: text for name, text in found.tags.items() if not name.startswith(OURS)},
        version_url=f"{ui}/#/models/{quote(version.model, safe='')}/versions/{version.version}{_there(version)}",
        run_url=f"{ui}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}{_there(version)}" if run else None,
        champion=compared,
        datasets=data_sets_of(lineage),
        commit=commit_of(lineage),
        commit_author=run.data.tags.get(COMMIT_AUTHOR) or None if run else None,
        signature=files.signature,
        artifacts=files.artifacts,
        artifacts_unread=files.unread,
        outside=files.references.outside,
        uncovered=files.references.uncovered,
        lock_sha256="" if logged.lock is None else sha256_of(logged.lock),
        data_md5=run.data.tags.get(SOURCE_DATA, "") if run else "",
        author_from=AuthorSource.RUN,
        commit_author_from=AuthorSource.COMMIT_TAG,
        original_source=_original_source(found, lineage),
        object_versions=files.object_versions,
    )
    if sources is None:
        return evidence
    names = (metric.name for metric in own.metrics)
    provenance, _ = both(
        lambda: provenance_of(client, found, lineage, names, logged, sources),
        lambda: _check_still_there(client, version, champion),
    )
    checks = check_lineage(provenance, sources.demand)
    vouched_by = who_vouches(checks)
    by_git = provenance.mirrored.author if provenance.mirrored and vouched_by == GIT_MIRROR else ""
    checked = replace(evidence, lineage=checks, vouched_by=vouched_by)
    return replace(checked, commit_author=by_git, commit_author_from=AuthorSource.GIT) if by_git else checked


@dataclass(frozen=True)
class _OfVersion:
    """What MLflow has about the version itself."""

    found: ModelVersion
    lineage: Lineage
    files: FilesRead
    logged: LoggedFiles
    metrics: tuple[Metric, ...]


def _of_version(
    client: MlflowClient,
    version: VersionId,
    stores: Sequence[str],
    follower: ProgressListener | None,
    known: Evidence | None,
) -> _OfVersion:
    found = get_version(client, version)
    lineage = lineage_of(client, found)

    def of_run() -> tuple[LoggedFiles, tuple[Metric, ...]]:
        logged = read_lineage_files(client, lineage.run, stores) if lineage.run else LoggedFiles()
        return logged, metrics_of(client, lineage)

    files, (logged, metrics) = both(lambda: read_files(client, found, stores, follower, known), of_run)
    kept = logged.kept(lock_path_of(lineage))
    if follower is not None and kept is not None:
        follower.on_lock(kept)
    return _OfVersion(found, lineage, files, logged, metrics)


def _check_still_there(client: MlflowClient, version: VersionId, champion: VersionId | None) -> None:
    """MLflow finds files by name and number, and they may be another version's by now. Raises Temporary: it is read again."""
    _get_still(client, version, "version")
    if champion is not None:
        _get_still(client, champion, "champion")


def _get_still(client: MlflowClient, version: VersionId, what: str) -> ModelVersion:
    try:
        return get_version(client, version)
    except Permanent as error:
        raise Temporary(f"The {what} changed while the evidence was read: {error} It will be read again.") from error


def read_lock(client: MlflowClient, version: VersionId, stores: Sequence[str]) -> KeptLock | None:
    lineage = lineage_of(client, get_version(client, version))
    if lineage.run is None:
        return None
    logged = read_lineage_files(client, lineage.run, stores)
    if logged.unread:
        raise FilesUnread(logged.unread)
    return logged.kept(lock_path_of(lineage))


def read_metrics(client: MlflowClient, version: VersionId) -> tuple[Metric, ...]:
    return metrics_of(client, lineage_of(client, get_version(client, version)))


def _there(version: VersionId) -> str:
    """MLflow's page takes the workspace from its address: mlflow/tracking/_tracking_service/client.py."""
    name = Workspace.parse(version.workspace).name
    return "" if name == DEFAULT else f"?workspace={name}"


def _champion(client: MlflowClient, version: VersionId, stores: Sequence[str]) -> Champion:
    found = _get_still(client, version, "champion")
    lineage = lineage_of(client, found)
    return Champion(version, metrics_of(client, lineage), _params(lineage), read_signature(client, found, stores))


def _original_source(version: ModelVersion, lineage: Lineage) -> str:
    original = lineage.original or version
    return original.source or "" if original.source != version.source else ""


def _author(version: ModelVersion, lineage: Lineage) -> str | None:
    return lineage.tag(USER) or version.user_id or None  # who trained it, before who registered it


def _params(lineage: Lineage) -> dict[str, str]:
    of_run = lineage.run.data.params if lineage.run else {}
    of_model = lineage.logged_model.params if lineage.logged_model else {}
    return {**of_run, **of_model}
