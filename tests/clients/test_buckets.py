"""Model files and DVC remotes on S3, against moto's server: who is let in, and what is said when a bucket refuses."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from boto3.exceptions import RetriesExceededError
from botocore.exceptions import ClientError, NoCredentialsError, ProfileNotFound
from deltalake import DeltaTable, write_deltalake
from pyarrow import parquet
from s3transfer.exceptions import S3DownloadFailedError, S3ValidationError

from bot.bucket_refusals import bucket_refusal, failures_of_s3
from bot.clients.delta.tables import DeltaTables
from bot.clients.dvc import DvcData, DvcRemote
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.evidence.dvc_lock import Entry
from bot.domain.model import Evidence, VersionId
from bot.errors import FilesUnread, NoAnswer, NotFetched, NotOnRemote, Permanent, Temporary
from bot.gate.fetching import download
from tests.fixtures.buckets import DENIED, Buckets, Keys, behind_front, credentials, forget_clients
from tests.fixtures.mlflow_seed import client_of, identity

RIDES = b"hour,rides\n0,12\n"
MD5 = hashlib.md5(RIDES, usedforsecurity=False).hexdigest()
ROOT = Keys("root", "root")
LARGE = 8 * 2**20  # bytes; from there on boto3 downloads in parts


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


# What happens while a bucket is read


def test_an_object_that_is_deleted_between_listing_and_download_is_read_again_and_not_taken_for_unreadable(
    buckets: Buckets, version: VersionId, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(buckets)
    md5 = MD5[2:]
    aws.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    with credentials("environment", ROOT, aws, tmp_path), behind_front(aws) as front:

        def deletes(name: str, key: str) -> None:
            front.before_read[name] = lambda: buckets.s3.delete_object(Bucket=buckets.bucket, Key=key)

        deletes("weights", "bike/1/sub/weights")
        with pytest.raises(
            Temporary, match=r"The bucket was written to while .*: the object is gone\. It will be read again"
        ):
            evidence_of(version, mlflow_server)
        again = evidence_of(version, mlflow_server).artifacts
        deletes("MLmodel", "bike/1/MLmodel")
        with pytest.raises(NoAnswer, match="the object is gone"):
            download(f"models:/{version.model}/1", tmp_path / "got", 100)
        deletes(md5, f"dvc/files/md5/{MD5[:2]}/{md5}")
        with pytest.raises(NotFetched, match="the object is gone"):
            fetch(buckets, tmp_path / "data")

    assert again is not None
    assert again.files == 1
    assert not (tmp_path / "data/data/rides.csv").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0\1\2", "handed out another size than it lists"),
        (b"\0" * LARGE, "the object was replaced while it was read"),
    ],
    ids=["another size", "in the middle of a large one"],
)
def test_an_object_that_is_replaced_between_listing_and_download_is_read_again(
    content: bytes,
    said: str,
    buckets: Buckets,
    version: VersionId,
    mlflow_server: str,
    aws: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    is_large = len(content) == LARGE
    buckets.put("bike/1/sub/weights", b"\1" * LARGE if is_large else b"\0\1")
    with credentials("environment", ROOT, aws, tmp_path), behind_front(aws) as front:
        front.before_read["weights"] = lambda: buckets.put("bike/1/sub/weights", content)

        with pytest.raises(Temporary, match=said):
            evidence_of(version, mlflow_server)
        after = evidence_of(version, mlflow_server).artifacts

    assert after is not None
    assert after.size == len(content) + len(b"flavors: {}\n")


def test_of_an_object_that_is_replaced_by_one_of_the_same_size_the_bytes_that_were_read_are_frozen(
    buckets: Buckets, version: VersionId, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with credentials("environment", ROOT, aws, tmp_path), behind_front(aws) as front:
        front.before_read["weights"] = lambda: buckets.put("bike/1/sub/weights", b"\7\7")
        raced = evidence_of(version, mlflow_server).artifacts
        after = evidence_of(version, mlflow_server).artifacts

    assert raced is not None
    assert raced == after


def test_a_wrong_region_is_put_right_where_the_store_names_the_right_one_and_said_where_it_does_not(
    buckets: Buckets, version: VersionId, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(buckets)
    aws.setenv("AWS_DEFAULT_REGION", "us-east-2")
    aws.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    with credentials("environment", ROOT, aws, tmp_path):
        with behind_front(aws):
            read = evidence_of(version, mlflow_server)
            fetch(buckets, tmp_path / "data")
            download(f"models:/{version.model}/1", tmp_path / "got", 100)
        with behind_front(aws, names_region=False):
            unread = evidence_of(version, mlflow_server).artifacts_unread
            with pytest.raises(NotFetched, match="the bucket is in another region"):
                fetch(buckets, tmp_path / "again")
            with pytest.raises(NoAnswer, match="the bucket is in another region"):
                download(f"models:/{version.model}/1", tmp_path / "nothing", 100)

    assert read.artifacts is not None, read.artifacts_unread
    assert (tmp_path / "data/data/rides.csv").read_bytes() == RIDES
    assert "the bucket is in another region. Set AWS_DEFAULT_REGION" in unread


# A Delta table in a bucket


def test_what_is_gone_from_a_bucket_is_told_from_a_bucket_that_cannot_be_read(
    buckets: Buckets, version: VersionId, mlflow_server: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(buckets)
    registry, wanted = MlflowRegistry(mlflow_server, webhook_secrets=[]), ["MLmodel", "sub/weights"]
    with credentials("environment", ROOT, aws, tmp_path):
        there = DvcData().open(f"s3://{buckets.bucket}/dvc").there([MD5, "0" * 32])
        whole = registry.file_sizes(version, ("s3://",), wanted)
        buckets.s3.delete_object(Bucket=buckets.bucket, Key="bike/1/sub/weights")
        less = registry.file_sizes(version, ("s3://",), wanted)
        with pytest.raises(NotFetched, match="there is no such bucket"):
            DvcData().open("s3://nowhere-to-be-found/dvc").there([MD5])
    forget_clients(aws)
    with credentials("environment", buckets.user("nosy", DENIED), aws, tmp_path), buckets.strict():
        with pytest.raises(NotFetched, match="no permission"):
            DvcData().open(f"s3://{buckets.bucket}/dvc").there([MD5])
        with pytest.raises((FilesUnread, Permanent), match="no permission"):
            registry.file_sizes(version, ("s3://",), wanted)

    assert there == {MD5}
    assert whole == {"MLmodel": 12, "sub/weights": 2}
    assert less == {"MLmodel": 12}


@pytest.fixture
def lake(buckets: Buckets, tmp_path: Path) -> str:
    """The address of a table whose version N has N + 1 rides, in files of one ride."""
    for number in range(3):
        write_deltalake(tmp_path / "rides", pa.table({"rides": [number]}), mode="append")
    for path in (tmp_path / "rides").rglob("*.*"):
        if path.is_file():
            buckets.put(f"lake/{path.relative_to(tmp_path)}", path.read_bytes())
    return f"s3://{buckets.bucket}/lake/rides"


def bring(place: str, version: int, into: Path) -> None:
    DeltaTables().fetch(place, version, into, datetime.now(UTC) + timedelta(hours=1))


def refusal_of(place: str, version: int, into: Path) -> str:
    with pytest.raises(NotFetched) as refused:
        bring(place, version, into / "nothing")
    return str(refused.value)


def test_a_delta_table_in_a_bucket_is_copied_with_the_credentials_of_the_process(
    buckets: Buckets, lake: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody = refusal_of(lake, 1, tmp_path)
    aws.setenv("AWS_DEFAULT_REGION", "us-east-2")
    with credentials("role", buckets.role("tables"), aws, tmp_path), buckets.strict(), behind_front(aws):
        bring(lake, 1, tmp_path / "out")

    assert "no credentials were found. Give this process credentials" in nobody
    assert sorted(DeltaTable(tmp_path / "out").to_pyarrow_table().to_pydict()["rides"]) == [0, 1]


@pytest.mark.proof
def test_what_a_bucket_refuses_of_a_delta_table_is_told_apart(
    buckets: Buckets, lake: str, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with credentials("environment", buckets.user("stranger", DENIED), aws, tmp_path), buckets.strict():
        denied = refusal_of(lake, 1, tmp_path)
    with credentials("environment", ROOT, aws, tmp_path):
        no_bucket = refusal_of("s3://no-such-lake-of-ours/rides", 1, tmp_path)
        no_table = refusal_of(f"{lake}-gone", 1, tmp_path)
        no_version = refusal_of(lake, 9, tmp_path)
        buckets.put("lake/plain/rides.csv", RIDES)
        plain = refusal_of(f"s3://{buckets.bucket}/lake/plain", 1, tmp_path)
        with behind_front(aws) as front:
            (first,) = (path.name for path in (tmp_path / "rides").glob("*.parquet") if _holds(path, 0))
            front.before_read[first] = lambda: buckets.s3.delete_object(
                Bucket=buckets.bucket, Key=f"lake/rides/{first}"
            )
            deleted = refusal_of(lake, 1, tmp_path)
        vacuumed = refusal_of(lake, 1, tmp_path)
        aws.setenv("AWS_DEFAULT_REGION", "us-east-2")
        with behind_front(aws, names_region=False):
            region = refusal_of(lake, 1, tmp_path)

    assert "no permission. Grant it s3:ListBucket" in denied
    assert "there is no such bucket" in no_bucket
    assert "there is nothing at s3://" in no_table
    assert "has no version 9: its newest is 2" in no_version
    assert "is no Delta table" in plain
    assert "the object is gone. Restore it from the bucket's versions" in deleted
    assert f"1 of the 2 files of version 1 of {lake} are gone, {first} first: the table was vacuumed" in vacuumed
    assert "the bucket is in another region. Set AWS_DEFAULT_REGION" in region


def _holds(file: Path, ride: int) -> bool:
    return bool(parquet.read_table(file).to_pydict()["rides"] == [ride])


# The sentences


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
        ("400", "in another region, or the session's token has expired"),
        ("PreconditionFailed", "replaced while it was read. Try again"),
        ("412", "replaced while it was read"),
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
    assert bucket_refusal(RetriesExceededError("the connection broke")) is None


def test_every_failure_of_the_clients_is_met() -> None:
    for failure in (
        RetriesExceededError("x"),
        S3DownloadFailedError("x"),
        S3ValidationError("x"),
        NoCredentialsError(),
    ):
        assert isinstance(failure, failures_of_s3())
