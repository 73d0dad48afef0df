"""The files about a run's lineage: what `countersign register` wrote below `lineage/`, and the logged model's list of packages.

They are texts of a few kilobytes, read only from the policy's artifact_stores, and cut off at a size limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from posixpath import dirname
from typing import TYPE_CHECKING

from bot.clients.mlflow.files.stores import opened_at, opened_folder
from bot.domain.evidence.dvc_lock import LOCK
from bot.domain.evidence.lineage import LoggedFiles
from bot.errors import FilesUnread

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from bot.clients.mlflow.files.stores import Folder

FOLDER = "lineage"
RUN_FILE = "mlflow_run.json"
LARGEST = 4 * 2**20  # bytes
ENVIRONMENT = ("requirements.txt", "conda.yaml")  # the first that is there; MLflow's flavors write both


def read_lineage_files(client: MlflowClient, run: Run, stores: Sequence[str]) -> LoggedFiles:
    """Raises Temporary or Permanent; the answer says what can never be read."""
    what = f"reading the lineage of run {run.info.run_id}"
    try:
        with opened_at(run.info.artifact_uri or "", client, what, stores) as folder:
            texts = _texts(folder, FOLDER, (LOCK, RUN_FILE, "dvc.yaml", "params.yaml"))
    except FilesUnread as reason:
        return LoggedFiles(unread=str(reason))
    return LoggedFiles(
        texts.get(LOCK), texts.get(RUN_FILE), pipeline=texts.get("dvc.yaml"), params=texts.get("params.yaml")
    )


def read_environment(client: MlflowClient, version: ModelVersion, stores: Sequence[str]) -> str:
    """The sha256 of the file that lists the model's packages; empty when there is none that may be read. Raises Temporary or Permanent."""
    try:
        with opened_folder(client, version, stores) as folder:
            return environment_in(folder)
    except FilesUnread:
        return ""


def environment_in(folder: Folder) -> str:
    """Raises FilesUnread, Temporary or Permanent."""
    texts = _texts(folder, None, ENVIRONMENT)
    listed = next((texts[name] for name in ENVIRONMENT if name in texts), None)
    return "" if listed is None else hashlib.sha256(listed.encode()).hexdigest()


def content_in(folder: Folder, path: str) -> bytes | None:
    """Of the file at `path`; None when there is none. Raises Temporary or Permanent."""
    sizes = {entry.path: entry.file_size or 0 for entry in folder.entries(dirname(path)) if not entry.is_dir}
    if path not in sizes:
        return None
    with folder.fetched(path, sizes[path]) as file:
        return file.read_bytes()


def _texts(folder: Folder, path: str | None, names: Sequence[str]) -> dict[str, str]:
    """Of the files right in `path` with these names."""
    prefix = f"{path}/" if path else ""
    sizes = {entry.path: entry.file_size or 0 for entry in folder.entries(path) if not entry.is_dir}
    return {name: _text(folder, prefix + name, sizes[prefix + name]) for name in names if prefix + name in sizes}


def _text(folder: Folder, path: str, size: int) -> str:
    if size > LARGEST:
        raise FilesUnread(
            f"{path} is larger than {LARGEST // 2**20} MiB, which no such text is. Register the run again."
        )
    with folder.fetched(path, size) as file:
        try:
            return file.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise FilesUnread(f"{path} is no text. Register the run again.") from error
