"""Fetches a version's files. Whether a location may be read: `locations`. What is made of the files: `artifacts`.

Files come through MLflow's own artifact repositories, one at a time, into a temporary file; nothing is unpickled.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlunsplit

import requests

from bot.bucket_refusals import BucketRefusal, bucket_refusal, failures_of_s3
from bot.clients.mlflow.http import TRY_AGAIN, fix_for, plainly, reading
from bot.clients.mlflow.lineage import find_run
from bot.errors import FilesUnread, Permanent, Temporary
from bot.gate.manifests import digest_of
from bot.locations import is_within, parts_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import FileInfo
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

NO_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "DefaultCredentialsError",
    "ClientAuthenticationError",
}
SDK_FAILURES = (
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
    ("paramiko.ssh_exception", "SSHException"),
    ("ftplib", "Error"),
)
"""What the stores' own clients raise beside OSError. Which of them are installed is the operator's choice."""

SDKS = {
    "botocore": "boto3",
    "google.cloud": "google-cloud-storage",
    "azure": "azure-storage-blob and azure-identity",
    "HadoopFileSystem": "pyarrow",
}
"""What to install for the name that was missing, where the two differ."""


BUCKETS = frozenset({"s3", "r2", "b2"})
"""Schemes where a file's name is any text. MLflow lists below the location without its last slashes, and reads below all of it."""

UNVERSIONED = "null"  # S3's id of an object that the next write replaces
MOST_PAGES = 20  # of 1,000 versions each


@dataclass(frozen=True)
class Pinned:
    """The ids of files' versions by path, in a bucket that keeps all of them: S3 gives none to other bytes. `digest` stands for all."""

    ids: Mapping[str, str]
    digest: str


NOT_PINNED = Pinned({}, "")


class VersionsRefused(Exception):
    """Reading an object by its version takes a permission of its own."""


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
        with _asking_store(self._what):
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
        bucket = _bucket_of(self._repository)
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
        bucket = _bucket_of(self._repository) if pinned and pinned.ids else None
        with _asking_store(what):
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


@dataclass(frozen=True)
class _Bucket:
    """A folder in S3. `options` are MLflow's for each call."""

    client: Any
    name: str
    prefix: str
    options: Mapping[str, str]

    @property
    def address(self) -> str:
        return f"{self.name}/{self.prefix}"

    def newest_ids(self) -> dict[str, str]:
        """By path. Empty when there are too many versions to list."""
        ids: dict[str, str] = {}
        listing = self.client.get_paginator("list_object_versions")
        pages = listing.paginate(Bucket=self.name, Prefix=self.prefix, **self.options)
        for number, page in enumerate(pages, 1):
            newest = [one for one in page.get("Versions", ()) if one.get("IsLatest")]
            ids |= {one["Key"].removeprefix(self.prefix): one.get("VersionId") or UNVERSIONED for one in newest}
            if number >= MOST_PAGES and page.get("IsTruncated"):
                return {}
        return ids

    def download(self, path: str, version_id: str, into: Path) -> None:
        exactly = {"VersionId": version_id, **self.options}
        try:
            self.client.download_file(self.name, self.prefix + path, str(into), ExtraArgs=exactly)
        except failures_of_s3() as error:
            if _status_of(error) == 403:
                raise VersionsRefused from error
            raise


def _stands_for(path: str | None, entry: FileInfo) -> bool:
    """Some stores list an empty object that stands for the folder itself."""
    return entry.path in (".", path) and not entry.is_dir and not entry.file_size


def _bucket_of(repository: ArtifactRepository) -> _Bucket | None:
    """None when it is no S3, or a plugin's own, which may list and read in other ways."""
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    if type(repository) is not S3ArtifactRepository:
        return None
    name, path = repository.parse_s3_compliant_uri(repository.artifact_uri)  # type: ignore[no-untyped-call]
    options = getattr(repository, "_bucket_owner_params", {})
    s3 = repository._get_s3_client()  # type: ignore[no-untyped-call]
    return _Bucket(s3, name, f"{path.rstrip('/')}/" if path else "", options)


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
    with _asking_store(what):
        return registry.get_artifact_repository(
            location, tracking_uri=client.tracking_uri, registry_uri=client.tracking_uri
        )


@contextmanager
def _asking_store(what: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    with reading(what):
        try:
            yield
        except (ImportError, NameError) as error:  # MLflow's HDFS repository swallows the first and meets the second
            sdk = SDKS.get(error.name or "", error.name)
            raise FilesUnread(
                f"The files were not read: their store is read with the Python package {sdk}, which is not installed. "
                "Install it beside the worker."
            ) from error
        except _failures_of_stores() as error:
            raise _meaning_of(error, what) from error
        except MlflowException as error:
            refusal = bucket_refusal(error)
            if refusal is not None:
                raise _refused(refusal, what) from error
            if error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                raise _not_handed_out(what) from error
            raise


def _refused(refusal: BucketRefusal, what: str) -> Exception:
    """Only listed files are read, so one that is gone was deleted since, by somebody who is about to write it again."""
    if refusal.is_gone or refusal.is_changing:
        return Temporary(f"The bucket was written to while {what}: {refusal.why}. It will be read again.")
    return FilesUnread(f"The files were not read ({what}): {refusal}.")


def _failures_of_stores() -> tuple[type[Exception], ...]:
    """A client that has not been imported cannot have failed."""
    of_sdks = (getattr(sys.modules[module], name) for module, name in SDK_FAILURES if module in sys.modules)
    return (OSError, EOFError, *failures_of_s3(), *of_sdks)


def _meaning_of(error: Exception, what: str) -> Exception:
    """The error's own text may hold addresses with passwords, so it stays in the cause."""
    refusal = bucket_refusal(error)
    if refusal is not None:
        return _refused(refusal, what)
    status = _status_of(error)
    if type(error).__name__ in NO_CREDENTIALS or (status in (401, 403) and not isinstance(error, requests.HTTPError)):
        return FilesUnread(
            f"The files were not read: the artifact store did not let the worker in ({status or type(error).__name__}). "
            "Give it credentials that may read them."
        )
    if status in (401, 403):
        fix = {401: fix_for(401), 403: "Give the bot's account the right to read these files."}[status]
        return Permanent(f"The artifact store refused {what} ({status}). {fix}")
    if 400 <= status < 500 and status not in TRY_AGAIN:
        return _not_handed_out(what)
    reason = str(status) if status else getattr(error, "strerror", None) or type(error).__name__
    return Temporary(f"The artifact store failed while {what}: {reason}. It will be tried again.")


def _status_of(error: Exception) -> int:
    """Of an HTTP answer, as requests or as botocore's ClientError keep it; 0 when there was none."""
    response = getattr(error, "response", None)
    if isinstance(
        response, Mapping
    ):  # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/error-handling.html
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return int(getattr(response, "status_code", 0) or 0)


def _not_handed_out(what: str) -> FilesUnread:
    return FilesUnread(
        f"MLflow lists the files but does not hand them out ({what}): one is gone, is a link, or has a name that MLflow cannot ask "
        "for. Log the model again without it and register that."
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
