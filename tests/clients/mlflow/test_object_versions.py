"""Files are not read again when their bucket proves that they are those that were read: it keeps all versions, and the ids are the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.clients.mlflow.files import object_versions
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.model import Evidence, VersionId
from tests.fixtures.buckets import BucketFront, Buckets, Keys, behind_front, credentials, forget_clients
from tests.fixtures.mlflow_seed import client_of, identity

ROOT = Keys("root", "root")
FILES = {"MLmodel": b"flavors: {}\n", "sub/weights": b"\0\1"}
READS = ["MLmodel", "weights"]


@pytest.fixture
def front(aws: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[BucketFront]:
    with credentials("environment", ROOT, aws, tmp_path), behind_front(aws) as front:
        yield front


@pytest.fixture
def version(buckets: Buckets, front: BucketFront, mlflow_server: str, model_name: str) -> VersionId:
    """Its files are in a bucket that keeps all versions."""
    buckets.keep_versions()
    put(buckets)
    return registered(buckets.bucket, mlflow_server, model_name)


def put(buckets: Buckets, folder: str = "bike") -> None:
    for path, content in FILES.items():
        buckets.put(f"{folder}/{path}", content)


def registered(bucket: str, server: str, name: str, folder: str = "bike") -> VersionId:
    client = client_of(server)
    client.create_registered_model(name)
    return identity(client.create_model_version(name, f"s3://{bucket}/{folder}", await_creation_for=0))


def read(version: VersionId, server: str, known: Evidence | None = None) -> Evidence:
    return MlflowRegistry(server, webhook_secrets=[]).read_evidence(version, None, ("s3://",), known=known)


def files_read(front: BucketFront) -> list[str]:
    """Since it was asked last."""
    found = [name for name in front.reads if name in READS or name == "more"]
    front.reads.clear()
    return sorted(found)


def test_unchanged_files_are_not_read_again(version: VersionId, front: BucketFront, mlflow_server: str) -> None:
    first = read(version, mlflow_server)
    assert files_read(front) == READS

    again = read(version, mlflow_server, known=first)

    assert files_read(front) == []
    assert again == first
    assert first.object_versions.startswith("sha256:")


def test_without_known_evidence_they_are_read(version: VersionId, front: BucketFront, mlflow_server: str) -> None:
    read(version, mlflow_server)
    read(version, mlflow_server)

    assert files_read(front) == sorted(READS * 2)


CHANGES: dict[str, Callable[[Buckets], object]] = {
    "other bytes of the same size": lambda buckets: buckets.put("bike/sub/weights", b"\0\2"),
    "a file more": lambda buckets: buckets.put("bike/more", b""),
    "a file less": lambda buckets: buckets.s3.delete_object(Bucket=buckets.bucket, Key="bike/sub/weights"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_written_since_is_read_and_is_another_digest(
    change: Callable[[Buckets], object], version: VersionId, buckets: Buckets, front: BucketFront, mlflow_server: str
) -> None:
    first = read(version, mlflow_server)
    change(buckets)
    files_read(front)

    again = read(version, mlflow_server, known=first)

    assert files_read(front)
    assert first.artifacts is not None
    assert again.artifacts is not None
    assert again.artifacts.digest != first.artifacts.digest
    assert again.object_versions not in ("", first.object_versions)


def test_the_same_bytes_written_again_are_read_and_are_the_same_digest(
    version: VersionId, buckets: Buckets, front: BucketFront, mlflow_server: str
) -> None:
    first = read(version, mlflow_server)
    put(buckets)
    files_read(front)

    again = read(version, mlflow_server, known=first)

    assert files_read(front) == READS
    assert again.artifacts == first.artifacts


def test_a_deletion_that_was_taken_back_has_changed_nothing(
    version: VersionId, buckets: Buckets, front: BucketFront, mlflow_server: str
) -> None:
    first = read(version, mlflow_server)
    which = {"Bucket": buckets.bucket, "Key": "bike/sub/weights"}
    marker = buckets.s3.delete_object(**which)["VersionId"]
    buckets.s3.delete_object(**which, VersionId=marker)
    files_read(front)

    assert read(version, mlflow_server, known=first) == first
    assert files_read(front) == []


OTHER = b"\0\2"


@pytest.mark.parametrize("is_taken_back", [False, True], ids=["replaced", "replaced, and taken back"])
def test_what_is_frozen_are_the_versions_that_were_listed(
    is_taken_back: bool, version: VersionId, buckets: Buckets, front: BucketFront, mlflow_server: str
) -> None:
    """Whatever is written between the listing and the reading: people decide on the bytes that the ids stand for."""
    plain = read(version, mlflow_server)

    def replace_it() -> None:
        made = buckets.s3.put_object(Bucket=buckets.bucket, Key="bike/sub/weights", Body=OTHER)["VersionId"]
        if is_taken_back:
            front.after_read["weights"] = lambda: buckets.s3.delete_object(
                Bucket=buckets.bucket, Key="bike/sub/weights", VersionId=made
            )

    front.before_read["weights"] = replace_it

    raced = read(version, mlflow_server)

    assert raced == plain
    later = read(version, mlflow_server, known=raced)
    assert (later == raced) is is_taken_back


# Where nothing is proved


def test_a_bucket_without_versions_proves_nothing(
    buckets: Buckets, front: BucketFront, mlflow_server: str, model_name: str
) -> None:
    put(buckets)
    version = registered(buckets.bucket, mlflow_server, model_name)
    first = read(version, mlflow_server)
    files_read(front)

    again = read(version, mlflow_server, known=first)

    assert (first.object_versions, again.object_versions) == ("", "")
    assert files_read(front) == READS


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_without_an_id_of_its_own_proves_nothing(
    when: str, buckets: Buckets, front: BucketFront, mlflow_server: str, model_name: str
) -> None:
    """Written before the bucket kept versions, or while it has stopped to: the next write takes its place."""
    if when == "before":
        buckets.put("bike/sub/weights", FILES["sub/weights"])
        buckets.keep_versions()
        buckets.put("bike/MLmodel", FILES["MLmodel"])
    else:
        buckets.keep_versions()
        buckets.put("bike/MLmodel", FILES["MLmodel"])
        buckets.keep_versions("Suspended")
        buckets.put("bike/sub/weights", FILES["sub/weights"])
    version = registered(buckets.bucket, mlflow_server, model_name)

    assert read(version, mlflow_server).object_versions == ""


def test_files_at_another_place_are_read_though_their_content_is_the_same(
    version: VersionId, buckets: Buckets, front: BucketFront, mlflow_server: str
) -> None:
    first = read(version, mlflow_server)
    put(buckets, "copy")
    copy = registered(buckets.bucket, mlflow_server, f"{version.model}-copy", "copy")
    files_read(front)

    assert read(copy, mlflow_server, known=first).artifacts == first.artifacts
    assert files_read(front) == READS


@pytest.mark.parametrize("lacks", ["s3:ListBucketVersions", "s3:GetObjectVersion"])
def test_without_the_permissions_for_versions_they_are_read(
    lacks: str, version: VersionId, buckets: Buckets, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rights = {"s3:ListBucket", "s3:GetObject", "s3:ListBucketVersions", "s3:GetObjectVersion"} - {lacks}
    allowed = {"Effect": "Allow", "Action": sorted(rights), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    keys = buckets.user(f"without-{lacks.removeprefix('s3:')}", document=document)
    forget_clients(aws)
    with credentials("environment", keys, aws, tmp_path), buckets.strict():
        first = read(version, mlflow_server)

    assert first.artifacts is not None, first.artifacts_unread
    assert first.object_versions == ""


@pytest.mark.parametrize("left_out", ["VersionId", "IsLatest"])
def test_a_store_that_leaves_ids_out_of_its_listing_proves_nothing(
    left_out: str, version: VersionId, front: BucketFront, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = object_versions.Bucket.newest_ids

    def newest_ids(bucket: object_versions.Bucket) -> dict[str, str]:
        pages = bucket.client.get_paginator("list_object_versions").paginate(Bucket=bucket.name, Prefix=bucket.prefix)
        less = [
            {"Versions": [{k: v for k, v in one.items() if k != left_out} for one in page["Versions"]]}
            for page in pages
        ]
        fake = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: less))
        return plain(replace(bucket, client=fake))

    monkeypatch.setattr(object_versions.Bucket, "newest_ids", newest_ids)

    first = read(version, mlflow_server)

    assert first.artifacts is not None
    assert first.object_versions == ""


def test_more_versions_than_are_worth_listing_prove_nothing(
    version: VersionId, buckets: Buckets, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_versions, "MOST_PAGES", 1)
    for _ in range(1_001):
        buckets.put("bike/sub/weights", FILES["sub/weights"])

    assert read(version, mlflow_server).object_versions == ""


def test_evidence_of_a_release_that_kept_no_ids_is_read_again(
    version: VersionId, front: BucketFront, mlflow_server: str
) -> None:
    first = read(version, mlflow_server)
    files_read(front)
    read(version, mlflow_server, known=replace(first, object_versions=""))

    assert files_read(front) == READS
