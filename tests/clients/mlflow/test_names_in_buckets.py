"""Names in a bucket are plain texts: those that MLflow lists as others, or never, are refused, whether or not the bucket keeps versions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

from bot.clients.mlflow.files.object_versions import NOT_PINNED
from bot.clients.mlflow.files.stores import Folder
from bot.clients.mlflow.presence import sizes_of
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.model import Evidence, VersionId
from bot.errors import FilesUnread
from tests.fixtures.buckets import Buckets, Keys, credentials
from tests.fixtures.mlflow_seed import client_of, identity

STORES = ("s3://",)


@pytest.fixture(autouse=True)
def _let_in(aws: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with credentials("environment", Keys("root", "root"), aws, tmp_path):
        yield


@pytest.fixture(params=[False, True], ids=["without versions", "with versions"])
def bucket(request: pytest.FixtureRequest, buckets: Buckets) -> Buckets:
    if request.param:
        buckets.keep_versions()
    return buckets


def registered(bucket: Buckets, server: str, name: str, folder: str) -> VersionId:
    client = client_of(server)
    client.create_registered_model(name)
    return identity(client.create_model_version(name, f"s3://{bucket.bucket}/{folder}", await_creation_for=0))


def read(version: VersionId, server: str) -> Evidence:
    return MlflowRegistry(server, webhook_secrets=[]).read_evidence(version, None, STORES)


def digest_of(files: dict[str, bytes]) -> str:
    lines = (f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items()))
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


AMBIGUOUS = [
    "//b",
    "/sub//b",
    "/./b",
    "/sub/./b",
    "/../b",
    "/sub/../b",
    "/sub/deep/../b",
    "/sub/deep/../../b",
    "/.",
    "/..",
    "/sub/.",
    "/sub/",
    "/",
]


@pytest.mark.parametrize("key", AMBIGUOUS)
def test_a_name_with_an_empty_part_or_dots_leaves_all_files_unread(
    key: str, bucket: Buckets, mlflow_server: str, model_name: str
) -> None:
    bucket.put("bike/MLmodel", b"flavors: {}\n")
    bucket.put(f"bike{key}", b"content")
    version = registered(bucket, mlflow_server, model_name, "bike")

    evidence = read(version, mlflow_server)

    assert evidence.artifacts is None
    assert "Log the model again" in evidence.artifacts_unread


def test_looking_for_files_ends_where_a_folder_leads_back(bucket: Buckets, mlflow_server: str, model_name: str) -> None:
    bucket.put("bike/sub/deep/weights", b"\0")
    bucket.put("bike/sub/deep/../back", b"\0")
    version = registered(bucket, mlflow_server, model_name, "bike")

    with pytest.raises(FilesUnread, match="a//b"):
        sizes_of(client_of(mlflow_server), version, STORES, ["sub/deep/weights"])


@pytest.mark.parametrize("keys", ["bike/MLmodel", "bike//MLmodel"])
@pytest.mark.parametrize("slashes", ["//", "///"])
def test_slashes_at_the_end_of_a_source_are_refused_with_the_reason(
    slashes: str, keys: str, bucket: Buckets, mlflow_server: str, model_name: str
) -> None:
    bucket.put(keys, b"flavors: {}\n")
    version = registered(bucket, mlflow_server, model_name, f"bike{slashes}")

    evidence = read(version, mlflow_server)

    assert evidence.artifacts is None
    assert "because of the slashes at the end" in evidence.artifacts_unread


@pytest.mark.parametrize("folder", ["bike", "bike/", "bike//x", "/bike"])
def test_any_other_source_is_read_as_the_text_that_it_is(
    folder: str, bucket: Buckets, mlflow_server: str, model_name: str
) -> None:
    files = {"MLmodel": b"flavors: {}\n", "sub/weights": b"\0\1"}
    for path, content in files.items():
        bucket.put(f"{folder.rstrip('/')}/{path}", content)
    bucket.put("bike/x/MLmodel", b"another")
    if folder in ("bike", "bike/"):
        files["x/MLmodel"] = b"another"
    version = registered(bucket, mlflow_server, model_name, folder)

    evidence = read(version, mlflow_server)

    assert evidence.artifacts is not None, evidence.artifacts_unread
    assert evidence.artifacts.digest == digest_of(files)


def test_empty_objects_that_stand_for_folders_are_no_files(
    bucket: Buckets, mlflow_server: str, model_name: str
) -> None:
    for key in ("bike/", "bike/sub/"):
        bucket.put(key, b"")
    bucket.put("bike/sub/weights", b"\0")
    version = registered(bucket, mlflow_server, model_name, "bike")

    evidence = read(version, mlflow_server)

    assert evidence.artifacts is not None, evidence.artifacts_unread
    assert evidence.artifacts.digest == digest_of({"sub/weights": b"\0"})


# A plugin's own repository


def test_another_class_of_the_same_name_is_asked_for_no_versions(buckets: Buckets, tmp_path: Path) -> None:
    buckets.keep_versions()
    buckets.put("bike/weights", b"\0")
    uri = f"s3://{buckets.bucket}/bike"
    own = type("S3ArtifactRepository", (S3ArtifactRepository,), {"__module__": S3ArtifactRepository.__module__})

    pinned = [Folder(kind(uri), "reading", tmp_path).pinned(["weights"]) for kind in (S3ArtifactRepository, own)]

    assert pinned[0].digest
    assert pinned[1] == NOT_PINNED
