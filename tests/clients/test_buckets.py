"""Model files and DVC remotes on S3, against moto's server: who is let in, and what is said when a bucket refuses."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ProfileNotFound

from bot.bucket_refusals import bucket_refusal
from bot.clients.dvc import DvcRemote
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.evidence.dvc_lock import Entry
from bot.domain.model import Evidence, VersionId
from bot.errors import NoAnswer, NotFetched, NotOnRemote
from bot.gate.fetching import download
from tests.fixtures.buckets import DENIED, Buckets, Keys, credentials
from tests.fixtures.mlflow_seed import client_of, identity

RIDES = b"hour,rides\n0,12\n"
MD5 = hashlib.md5(RIDES, usedforsecurity=False).hexdigest()
ROOT = Keys("root", "root")


@pytest.fixture
def version(buckets: Buckets, mlflow_server: str, model_name: str) -> VersionId:
    """Its files are in the bucket, and MLflow's server does not stand between."""
    buckets.put("bike/1/MLmodel", b"flavors: {}\n")
    buckets.put("bike/1/sub/weights", b"\0\1")
    client = client_of(mlflow_server)
    client.create_registered_model(model_name)
    made = client.create_model_version(model_name, f"s3://{buckets.bucket}/bike/1", await_creation_for=0)
    return identity(made)


def evidence_of(version: VersionId, server: str, store: str = "s3://") -> Evidence:
    return MlflowRegistry(server, webhook_secrets=[]).read_evidence(version, None, (store,))


def fetch(buckets: Buckets, into: Path, bucket: str = "") -> Any:
    entry = Entry("data/rides.csv", MD5, len(RIDES))
    return DvcRemote(f"s3://{bucket or buckets.bucket}/dvc").fetch(entry, into)


def push(buckets: Buckets, content: bytes = RIDES) -> None:
    buckets.put(f"dvc/files/md5/{MD5[:2]}/{MD5[2:]}", content)


@pytest.mark.parametrize("by", ["environment", "profile", "role"])
def test_files_and_data_are_read_with_the_credentials_of_the_process(
    by: str, buckets: Buckets, version: VersionId, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(buckets)
    keys = buckets.role("reader") if by == "role" else buckets.user(f"reader-{by}")

    with credentials(by, keys, aws, tmp_path), buckets.strict():
        evidence = evidence_of(version, mlflow_server)
        (fetched,) = fetch(buckets, tmp_path / "data")

    assert evidence.artifacts is not None, evidence.artifacts_unread
    assert (evidence.artifacts.files, evidence.artifacts.size) == (2, 14)
    assert (tmp_path / "data/data/rides.csv").read_bytes() == RIDES
    assert fetched.md5 == MD5


def test_the_gate_downloads_from_a_bucket_and_says_why_it_cannot(
    buckets: Buckets, version: VersionId, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    aws.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    uri = f"models:/{version.model}/1"
    with credentials("environment", ROOT, aws, tmp_path):
        download(uri, tmp_path / "got", 100)
        buckets.s3.delete_object(Bucket=buckets.bucket, Key="bike/1/MLmodel")
        buckets.s3.delete_object(Bucket=buckets.bucket, Key="bike/1/sub/weights")
        buckets.s3.delete_bucket(Bucket=buckets.bucket)

        with pytest.raises(NoAnswer, match="there is no such bucket"):
            download(uri, tmp_path / "again", 100)

    assert (tmp_path / "got/sub/weights").read_bytes() == b"\0\1"


def test_without_credentials_the_sentence_says_how_to_give_them(
    buckets: Buckets, version: VersionId, mlflow_server: str, tmp_path: Path
) -> None:
    unread = evidence_of(version, mlflow_server).artifacts_unread

    assert "no credentials were found. Give this process credentials" in unread
    with pytest.raises(NotFetched, match="no credentials were found"):
        fetch(buckets, tmp_path)


def test_an_account_without_permission_is_named_as_such(
    buckets: Buckets, version: VersionId, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(buckets)
    keys = buckets.user("outsider", DENIED)
    with credentials("environment", keys, aws, tmp_path), buckets.strict():
        unread = evidence_of(version, mlflow_server).artifacts_unread
        with pytest.raises(NotFetched, match="no permission") as refused:
            fetch(buckets, tmp_path / "data")

    assert "the account in use has no permission. Grant it s3:ListBucket" in unread
    assert not isinstance(refused.value, NotOnRemote)


def test_a_bucket_that_is_not_there_is_told_from_an_object_that_is_gone(
    buckets: Buckets, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with credentials("environment", ROOT, aws, tmp_path):
        with pytest.raises(NotFetched, match="there is no such bucket") as no_bucket:
            fetch(buckets, tmp_path, bucket="models-of-another")
        with pytest.raises(NotOnRemote, match="has nothing with the md5"):
            fetch(buckets, tmp_path)

    assert not isinstance(no_bucket.value, NotOnRemote)


def test_an_object_that_was_replaced_is_no_longer_what_was_approved(
    buckets: Buckets, version: VersionId, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(buckets, RIDES.replace(b"12", b"13"))
    with credentials("environment", ROOT, aws, tmp_path):
        before = evidence_of(version, mlflow_server).artifacts
        buckets.put("bike/1/sub/weights", b"\0\2")
        after = evidence_of(version, mlflow_server).artifacts

        with pytest.raises(NotFetched, match="the remote has other bytes than the lock names"):
            fetch(buckets, tmp_path / "data")

    assert before is not None
    assert after is not None
    assert before.digest != after.digest


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("PermanentRedirect", "the bucket is in another region. Set AWS_DEFAULT_REGION"),
        ("AuthorizationHeaderMalformed", "the bucket is in another region"),
        ("301", "the bucket is in another region"),
        ("AccessDenied", "no permission. Grant it s3:ListBucket"),
        ("403", "no permission"),
        ("NoSuchBucket", "there is no such bucket. Correct"),
        ("InvalidAccessKeyId", "does not know the access key. Correct AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "the secret key does not belong"),
        ("ExpiredToken", "have expired. Renew them"),
        ("RequestTimeTooSkewed", "clock is wrong"),
        ("InvalidObjectState", "archived (Glacier). Restore it"),
        ("NoSuchKey", "the object is gone. Restore it"),
        ("NoSuchVersion", "that version of the object is gone"),
    ],
)
def test_each_refusal_of_a_bucket_has_its_own_sentence_however_it_is_wrapped(code: str, said: str) -> None:
    answer = ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")
    wrapped = PermissionError("wrapped")
    wrapped.__cause__ = answer

    assert said in str(bucket_refusal(answer))
    assert bucket_refusal(wrapped) == bucket_refusal(answer)


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "ServiceUnavailable", "503"])
def test_a_failure_that_may_pass_is_no_refusal(code: str) -> None:
    assert bucket_refusal(ClientError({"Error": {"Code": code}}, "GetObject")) is None


def test_what_fails_before_the_bucket_is_asked_is_named_too() -> None:
    assert "no credentials were found" in str(bucket_refusal(NoCredentialsError()))
    assert "AWS_PROFILE names a profile that does not exist" in str(bucket_refusal(ProfileNotFound(profile="x")))
    assert bucket_refusal(OSError("disk full")) is None
