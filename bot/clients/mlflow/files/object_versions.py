"""The ids that a bucket of S3 gives to each version of a file: the same ids are the same bytes, so they need no second reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.bucket_refusals import failures_of_s3
from bot.clients.mlflow.files.refusals import status_of

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

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


@dataclass(frozen=True)
class Bucket:
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
            if status_of(error) == 403:
                raise VersionsRefused from error
            raise


def bucket_of(repository: ArtifactRepository) -> Bucket | None:
    """None when it is no S3, or a plugin's own, which may list and read in other ways."""
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    if type(repository) is not S3ArtifactRepository:
        return None
    name, path = repository.parse_s3_compliant_uri(repository.artifact_uri)  # type: ignore[no-untyped-call]  # MLflow's has no types
    options = getattr(repository, "_bucket_owner_params", {})
    s3 = repository._get_s3_client()  # type: ignore[no-untyped-call]  # as above
    return Bucket(s3, name, f"{path.rstrip('/')}/" if path else "", options)
