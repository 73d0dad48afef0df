"""Opens a place with files, lists and fetches them. Whether it may be read: `bot.locations`. What is made of the files: `artifacts`.

Files come through MLflow's own artifact repositories, one at a time, into a temporary file; nothing is unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from posixpath import dirname
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlunsplit

from bot.bucket_refusals import failures_of_s3
from bot.clients.mlflow.files.object_versions import NOT_PINNED, UNVERSIONED, Pinned, bucket_of
from bot.clients.mlflow.files.refusals import asking_store
from bot.clients.mlflow.http import plainly, reading
from bot.clients.mlflow.lineage import find_run
from bot.errors import FilesUnread, Temporary
from bot.gate.manifests import digest_of
from bot.locations import is_within, parts_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import FileInfo
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

BUCKETS = frozenset({"s3", "r2", "b2"})
"""Schemes where a file's name is any text. MLflow lists below the location without its last slashes, and reads below all of it."""


@contextmanager
def opened_folder(client: MlflowClient, version: ModelVersion, stores: Sequence[str]) -> Iterator[Folder]:
    """The version's files, if they are in one of the stores. Raises FilesUnread, Temporary or Permanent."""
    what = f"reading the files of {version.name} v{version.version}"
    with opened_at(_location_of(client, version, what), client, what, stores) as folder:
        yield folder


@contextmanager
def opened_at(location: str, client: MlflowClient, what: str, stores: Sequence[str]) -> Iterator[Folder]:
    """The files at a location, if it is in one of the stores. Raises FilesUnread, Temporary or Permanent."""
    if not is_within(location, stores):
        raise FilesUnread(
            f"The files are at {shown(location)}, which is in none of the policy's artifact_stores, so they were not read. "
            "If that place is to be trusted, add it to artifact_stores."
        )
    parts = parts_of(location)
    if parts and parts.scheme in BUCKETS and parts.path.endswith("//"):
        raise FilesUnread(
            f"The files are at {shown(location)}, and MLflow lists other files there than it reads, because of the slashes at the end. "
            "Register the version again with one slash there, or none."
        )
    with TemporaryDirectory(prefix="countersign-") as directory:
        yield Folder(_repository_at(location, client, what), what, Path(directory))


class Folder:
    """One version's files, through MLflow's repository for such a location."""

    def __init__(self, repository: ArtifactRepository, what: str, directory: Path) -> None:
        self._repository = repository
        self._what = what
        self._landing = directory / "file"  # our own name, for any name in the store

    def entries(self, path: str | None = None) -> list[FileInfo]:
        """Files and folders right in `path`, with paths from the top; empty when there is nothing. Raises FilesUnread where a name in a
        bucket has an empty part or dots for one: MLflow lists it under another name or never, and other programs read it."""
        with asking_store(self._what):
            try:
                found = self._repository.list_artifacts(path)
            except (KeyError, TypeError, AttributeError) as error:
                raise Temporary(f"MLflow answered something that cannot be read while {self._what}.") from error
        inside = [entry for entry in found if not _stands_for(path, entry)]
        for entry in inside:
            if entry.path in (".", path) or dirname(entry.path) != (path or ""):
                where = repr(path) if path else "the top"
                raise FilesUnread(
                    f"The files were not read ({self._what}): below {where} is one whose name has an empty part or dots for one, as in "
                    "a//b or a/./b, and programs disagree which file that is. Log the model again without it and register that."
                )
        return inside

    def pinned(self, paths: Collection[str]) -> Pinned:
        """The versions that these files have now. NOT_PINNED where that proves nothing, or costs as much as reading the files.

        So in any other store, in a bucket that lets go of old versions, for a file from before it kept them, and without the permission to
        list versions. An ETag is no proof: of a large file it is made of MD5 sums, and the time of its last write is that of its upload's
        begin.
        """
        bucket = bucket_of(self._repository)
        if bucket is None or not paths:
            return NOT_PINNED
        try:
            newest = bucket.newest_ids()
        except failures_of_s3():
            return NOT_PINNED  # the files are read, and that says what is wrong
        ids = {path: newest.get(path, UNVERSIONED) for path in sorted(paths)}
        if UNVERSIONED in ids.values():
            return NOT_PINNED
        lines = (f"{one}  {path}\n" for path, one in ids.items())
        return Pinned(ids, digest_of("".join((f"{bucket.address}\n", *lines))))

    @contextmanager
    def fetched(self, path: str, size: int, pinned: Pinned | None = None) -> Iterator[Path]:
        """The file's bytes on disk, deleted afterwards; `size` is what the listing said. `_download_file` is what every repository
        implements; `download_artifacts` around it lists again, takes threads, and forgets why something failed. Raises VersionsRefused
        when the versions that are pinned may not be read."""
        what = f"{self._what} ({path})"
        bucket = bucket_of(self._repository) if pinned and pinned.ids else None
        with asking_store(what):
            if pinned and bucket:
                bucket.download(path, pinned.ids[path], self._landing)
            else:
                self._repository._download_file(path, str(self._landing))  # type: ignore[no-untyped-call]
        try:
            if self._landing.stat().st_size != size:
                raise Temporary(f"MLflow handed out another size than it lists while {what}. It will be tried again.")
            yield self._landing
        finally:
            self._landing.unlink()


def _stands_for(path: str | None, entry: FileInfo) -> bool:
    """Some stores list an empty object that stands for the folder itself."""
    return entry.path in (".", path) and not entry.is_dir and not entry.file_size


def _location_of(client: MlflowClient, version: ModelVersion, what: str) -> str:
    """MLflow resolves `models:` itself, and leaves `runs:` to its callers."""
    with reading(what):
        location = plainly(client).get_model_version_download_uri(version.name, version.version) or ""  # type: ignore[no-untyped-call]
    run_id, _, path = location.removeprefix("runs:/").partition("/")
    if not location.startswith("runs:/"):
        return location
    run = find_run(client, run_id)
    if run is None:
        raise FilesUnread(f"The files are at {shown(location)}, and that run is gone. Register the version anew.")
    return f"{run.info.artifact_uri}/{path}"


def _repository_at(location: str, client: MlflowClient, what: str) -> ArtifactRepository:
    """Switches off MLflow's presigned addresses: it would call any address that the server names, with long retries."""
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    from mlflow.store.artifact import artifact_repository_registry as registry
    from mlflow.utils.uri import get_uri_scheme

    scheme = get_uri_scheme(location)  # type: ignore[no-untyped-call]
    if scheme not in registry.get_registered_artifact_repositories():
        raise FilesUnread(f'MLflow knows no artifact store of the kind "{scheme}". Install the plugin that brings it.')
    with asking_store(what):
        return registry.get_artifact_repository(
            location, tracking_uri=client.tracking_uri, registry_uri=client.tracking_uri
        )


SHOWN = 200  # characters of a location


def shown(location: str) -> str:
    """Without a password in it, and not endless."""
    parts = parts_of(location)
    if parts is None:
        return "an address that cannot be read"
    account, _, host = parts.netloc.rpartition("@")
    safe = urlunsplit(parts._replace(netloc=host)) if ":" in account else location
    safe = " ".join(safe.split()) or "no address"
    return safe if len(safe) <= SHOWN else safe[: SHOWN - 1] + "…"
