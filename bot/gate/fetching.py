"""Downloads a version's files, which will be served. The only module of the gate that imports MLflow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.bucket_refusals import bucket_refusal, failures_of_s3
from bot.errors import NoAnswer, TooLarge, UnsafePath
from bot.gate.manifests import WRITTEN_BY_CLIENTS, check_path

if TYPE_CHECKING:
    from mlflow.entities import FileInfo

MOST_ENTRIES = 10_000  # files and folders; the bot has the same limit


class Files(Protocol):
    """The part of MLflow's artifact repositories that we use."""

    def list_artifacts(self, path: str | None) -> Sequence[FileInfo]: ...

    def _download_file(self, remote_file_path: str, local_path: str) -> None: ...


def download(uri: str, folder: Path, size: int) -> None:
    """All files of `models:/NAME/VERSION`, at most `size` bytes, into an empty folder. Raises TooLarge, UnsafePath and NoAnswer."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # the gate calls only the addresses that it was given
    import requests
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

    def failures() -> tuple[type[Exception], ...]:  # S3's client is imported by the first call
        return (MlflowException, requests.RequestException, *failures_of_s3())

    try:
        fetch_all(ModelsArtifactRepository(uri), folder, size)
    except failures() as trouble:
        refusal = bucket_refusal(trouble)
        if refusal is not None:
            raise NoAnswer(f"The files of {uri} cannot be read: {refusal}.") from None
        why = " ".join(str(trouble).split())[:300]
        raise NoAnswer(f"The files of {uri} cannot be read: {why}. Check that this account may read them.") from None


def fetch_all(files: Files, folder: Path, size: int) -> None:
    """Checks that every name stays inside the folder before using it. Raises TooLarge and UnsafePath.

    Adds up the listed sizes before the first download. When a store lists sizes that are too small, stops after the file that exceeds
    the limit.
    """
    entries = list(_entries(files))
    if sum(entry.file_size or 0 for entry in entries) > size:
        raise TooLarge
    fetched = 0
    for entry in entries:
        place = folder / entry.path
        place.parent.mkdir(parents=True, exist_ok=True)
        files._download_file(entry.path, str(place))
        fetched += place.lstat().st_size
        if fetched > size:
            raise TooLarge


def _entries(files: Files) -> Iterator[FileInfo]:
    unseen: list[str | None] = [None]
    seen: set[str] = set()
    while unseen:
        folder = unseen.pop()
        for entry in files.list_artifacts(folder):
            if entry.path in (".", folder):  # some stores list a folder as its own entry
                continue
            check_path(entry.path)
            if entry.path in seen:
                raise UnsafePath(f"The file name {entry.path!r} is listed twice")
            seen.add(entry.path)
            if entry.is_dir:
                unseen.append(entry.path)
            elif entry.path != WRITTEN_BY_CLIENTS:
                yield entry
        if len(seen) > MOST_ENTRIES:
            raise UnsafePath(f"The version has more than {MOST_ENTRIES:,} files and folders, so they are not fetched")
