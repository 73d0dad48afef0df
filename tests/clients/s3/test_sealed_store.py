"""Copying approved files into a bucket and looking at what is there, on moto with the permissions of docs/sealed-store.md in force."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bot.clients.s3.calls import new_client
from bot.clients.s3.sealed_store import S3SealedStore
from bot.domain.seals.places import SealPlan
from bot.errors import OtherFiles, Permanent, Temporary
from bot.gate.manifests import digest_of, manifest_of
from bot.ports.sealed_store import Sealed, SealOrder
from bot.sandbox.serving import serving
from tests.fixtures.buckets import REGION, Buckets, Keys, client_at, credentials

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

MIB = 2**20
ROOT = Path(__file__).parents[3]
DOC = ROOT / "docs/sealed-store.md"
FILES = {"MLmodel": b"flavors: {}\n", "weights.bin": b"\0\1", "code/näme of a file.py": b"x = 1\n"}
UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)


SEALS_ONE = """
import hashlib, resource, sys
from contextlib import contextmanager
from pathlib import Path
from bot.clients.s3.sealed_store import S3SealedStore
from bot.domain.seals.places import SealPlan
from bot.ports.sealed_store import SealOrder

bucket, size, file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
with file.open("wb") as made:
    made.truncate(size)
with file.open("rb") as made:
    digest = hashlib.file_digest(made, "sha256").hexdigest()

class One:
    sizes = {"weights.bin": size}

    @contextmanager
    def fetched(self, path):
        yield file

S3SealedStore().seal(SealOrder(SealPlan(f"s3://{bucket}/"), f"{size}/", "sha256:1", {"weights.bin": digest}), One())
file.unlink()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def documented() -> tuple[str, str]:
    """The bot's policy and a scientist's, as the page has them."""
    bot, scientist = re.findall(r"^```json\n(.*?)^```", DOC.read_text(), re.MULTILINE | re.DOTALL)
    return bot, scientist


@dataclass
class Folder:
    """A version's files on disk, as the registry hands them out."""

    place: Path
    contents: Mapping[str, bytes]
    fetches: int = 0

    @property
    def sizes(self) -> Mapping[str, int]:
        return {path: len(content) for path, content in self.contents.items()}

    @contextmanager
    def fetched(self, path: str) -> Iterator[Path]:
        self.fetches += 1
        file = self.place / "fetched"
        file.write_bytes(self.contents[path])
        yield file
        file.unlink()


@dataclass
class Store:
    """A bucket with versions and Object Lock; the bot's account and a scientist's by the documented policies; `root` owns all."""

    buckets: Buckets
    store: S3SealedStore
    scientist: Any
    root: Any
    place: Path
    folder: str

    @property
    def bucket(self) -> str:
        return self.buckets.bucket

    def order(self, contents: Mapping[str, bytes] = FILES, **changes: Any) -> SealOrder:
        manifest = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
        plan = SealPlan(f"s3://{self.bucket}/")
        return replace(SealOrder(plan, self.folder, digest_of(manifest_of(manifest)), manifest), **changes)

    def seal(self, order: SealOrder, contents: Mapping[str, bytes] = FILES) -> Sealed:
        return self.store.seal(order, self.files(contents))

    def files(self, contents: Mapping[str, bytes] = FILES) -> Folder:
        return Folder(self.place, contents)

    def names(self) -> list[str]:
        found = self.root.list_objects_v2(Bucket=self.bucket, Prefix=self.folder)
        return [one["Key"] for one in found.get("Contents", ())]

    def uploads(self) -> list[str]:
        return [
            one["UploadId"]
            for one in self.root.list_multipart_uploads(Bucket=self.bucket, Prefix=self.folder).get("Uploads", ())
        ]


@pytest.fixture(scope="module")
def lockable(s3_server: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One bucket and three accounts for all tests: making clients takes longer than what they do."""
    bucket, place = "prod-models-locked", tmp_path_factory.mktemp("files")
    root = client_at(s3_server, "s3")
    where = {"LocationConstraint": REGION}
    root.create_bucket(Bucket=bucket, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
    buckets = Buckets(s3_server, bucket, root)
    bot, scientist = (policy.replace("prod-models", bucket) for policy in documented())
    clients = {
        name: _client_of(buckets.user(f"{name}-{bucket}", document=document), s3_server)
        for name, document in {"bot": bot, "scientist": scientist, "owner": ""}.items()
    }
    store = S3SealedStore(lambda: clients["bot"], part=5 * MIB)
    return Store(buckets, store, clients["scientist"], clients["owner"], place, "")


def _client_of(keys: Keys, url: str) -> Any:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", url)
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        environment.setenv("AWS_ACCESS_KEY_ID", keys.access)
        environment.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
        return new_client()


@pytest.fixture
def sealed_store(lockable: Store, request: pytest.FixtureRequest) -> Iterator[Store]:
    folder = f"default/default/bike-demand/v7-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]}/"
    with lockable.buckets.strict():
        yield replace(lockable, folder=folder)


def test_exactly_the_approved_files_are_sealed_and_every_version_id_is_in_the_list(sealed_store: Store) -> None:
    found = sealed_store.seal(sealed_store.order(until=UNTIL))

    assert [one.path for one in found.objects] == sorted(FILES, key=str.encode)
    assert found.at.uri == f"s3://{sealed_store.bucket}/{sealed_store.folder}model"
    for one in found.objects:
        body = sealed_store.root.get_object(
            Bucket=sealed_store.bucket, Key=found.at.key_of(one.path), VersionId=one.version
        )["Body"].read()
        assert body == FILES[one.path]
    assert sealed_store.store.read_index(found.at) == found.objects
    assert found.lock is not None
    assert (found.lock.mode, found.lock.until) == ("GOVERNANCE", UNTIL)


def test_sealing_again_copies_nothing_and_finds_the_same(sealed_store: Store) -> None:
    order = sealed_store.order(until=UNTIL)
    first = sealed_store.seal(order)
    files = sealed_store.files()

    again = sealed_store.store.seal(order, files)
    a_way_back = sealed_store.store.seal(replace(order, earlier=first.at), files)

    assert files.fetches == 0
    assert first == again == a_way_back


def test_a_lock_is_made_longer_and_never_shorter(sealed_store: Store) -> None:
    sealed_store.seal(sealed_store.order(until=UNTIL))

    shorter = sealed_store.seal(sealed_store.order(until=UNTIL - timedelta(days=30)))
    longer = sealed_store.seal(sealed_store.order(until=UNTIL + timedelta(days=30)))

    assert shorter.lock is not None
    assert longer.lock is not None
    assert (shorter.lock.until, longer.lock.until) == (UNTIL, UNTIL + timedelta(days=30))


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ({**FILES, "weights.bin": b"\0\2"}, "weights.bin has other bytes"),
        ({**FILES, "more.py": b""}, "more.py was added"),
        ({"MLmodel": FILES["MLmodel"], "weights.bin": b"\0\1"}, "code/näme of a file.py is gone"),
    ],
)
def test_files_that_were_not_approved_never_become_an_object(
    sealed_store: Store, contents: Mapping[str, bytes], why: str
) -> None:
    with pytest.raises(OtherFiles, match=why):
        sealed_store.seal(sealed_store.order(), contents)

    assert not [key for key in sealed_store.names() if key.endswith(("weights.bin", "more.py", ".json"))]


def test_a_large_file_goes_in_parts_and_goes_on_after_a_crash(
    sealed_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = {"weights.bin": bytes(range(256)) * (11 * MIB // 256)}
    order, key = sealed_store.order(large), f"{sealed_store.folder}model/weights.bin"
    crashing: Any = sealed_store.store._s3
    send, sent = crashing.upload_part, list[int]()

    def cut(**arguments: Any) -> Any:
        sent.append(arguments["PartNumber"])
        if len(sent) == 2:
            raise ConnectionResetError("the process dies here")
        return send(**arguments)

    monkeypatch.setattr(crashing, "upload_part", cut)
    with pytest.raises(ConnectionResetError):
        sealed_store.seal(order, large)
    assert (sealed_store.names(), len(sealed_store.uploads())) == ([], 1)

    found = sealed_store.seal(order, large)

    assert sent == [1, 2, 2, 3], "the first part was not sent again"
    assert sealed_store.uploads() == []
    assert (
        sealed_store.store.sha256_of(sealed_store.bucket, key, found.objects[0].version)
        == order.manifest["weights.bin"]
    )


def test_parts_of_another_file_are_thrown_away(sealed_store: Store) -> None:
    large, other = (bytes([fill]) * (6 * MIB) for fill in (1, 2))
    order = sealed_store.order({"weights.bin": large})

    with pytest.raises(OtherFiles, match=r"weights\.bin has other bytes"):
        sealed_store.seal(order, {"weights.bin": other})
    assert (sealed_store.names(), sealed_store.uploads()) == ([], [])
    key = f"{sealed_store.folder}model/weights.bin"
    left = sealed_store.root.create_multipart_upload(Bucket=sealed_store.bucket, Key=key)["UploadId"]
    part = {"Bucket": sealed_store.bucket, "Key": key, "UploadId": left, "PartNumber": 1}
    sealed_store.root.upload_part(**part, Body=other[: 5 * MIB])

    found = sealed_store.seal(order, {"weights.bin": large})

    version = found.objects[0].version
    assert sealed_store.store.sha256_of(sealed_store.bucket, key, version) == hashlib.sha256(large).hexdigest()


def test_no_more_than_one_part_is_in_memory(sealed_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    large = {"weights.bin": bytes(11 * MIB), "small.bin": bytes(5 * MIB)}
    client, sizes = sealed_store.store._s3, list[int]()
    for name in ("upload_part", "put_object"):
        monkeypatch.setattr(client, name, _measured(getattr(client, name), sizes))

    sealed_store.seal(sealed_store.order(large), large)

    assert sorted(sizes)[-4:] == [1 * MIB, 5 * MIB, 5 * MIB, 5 * MIB]


def _measured(call: Callable[..., Any], sizes: list[int]) -> Callable[..., Any]:
    def measured(**arguments: Any) -> Any:
        sizes.append(len(arguments["Body"]))
        return call(**arguments)

    return measured


@pytest.mark.proof
def test_four_times_the_size_takes_no_more_memory(buckets: Buckets, aws: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bucket = f"prod-{buckets.bucket}"
    buckets.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    buckets.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def peak_of(size: int) -> int:
        with credentials("environment", Keys("root", "root"), aws, tmp_path):
            arguments = [sys.executable, "-c", SEALS_ONE, bucket, str(size), str(tmp_path / f"{size}")]
            return int(subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=ROOT).stdout)

    assert peak_of(96 * MIB) < peak_of(24 * MIB) + 16 * MIB


def test_a_bucket_whose_object_is_not_ours_is_refused_with_what_to_do(sealed_store: Store) -> None:
    sealed_store.root.put_object(Bucket=sealed_store.bucket, Key=f"{sealed_store.folder}model/MLmodel", Body=b"evil")

    with pytest.raises(Permanent, match="holds other bytes than were approved as MLmodel: somebody else writes there"):
        sealed_store.seal(sealed_store.order())


def test_what_was_put_over_a_sealed_file_is_refused_on_the_way_back_too(sealed_store: Store) -> None:
    first = sealed_store.seal(sealed_store.order())
    key = first.at.key_of("MLmodel")
    sealed_store.root.put_object(Bucket=sealed_store.bucket, Key=key, Body=b"evil")

    with pytest.raises(Permanent, match="holds other bytes than were approved as MLmodel: somebody else writes there"):
        sealed_store.seal(sealed_store.order(earlier=first.at))


def test_an_object_that_goes_away_while_it_is_read_is_tried_again_and_says_nothing_of_the_approved_files(
    sealed_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed_store.seal(sealed_store.order())
    client = sealed_store.store._s3
    read = client.get_object

    def too_late(**arguments: Any) -> Any:
        sealed_store.root.delete_object(
            Bucket=sealed_store.bucket, Key=arguments["Key"], VersionId=arguments["VersionId"]
        )
        return read(**arguments)

    monkeypatch.setattr(client, "get_object", too_late)

    with pytest.raises(Temporary, match=r"is gone from the bucket .* after it was looked at"):
        sealed_store.seal(sealed_store.order())


def test_the_list_has_the_sizes_of_the_objects_and_not_what_a_listing_says(sealed_store: Store) -> None:
    class WithoutSizes(Folder):
        @property
        def sizes(self) -> Mapping[str, int]:
            return dict.fromkeys(self.contents, 0)

    found = sealed_store.store.seal(sealed_store.order(), WithoutSizes(sealed_store.place, FILES))

    assert {one.path: one.size for one in found.objects} == {path: len(content) for path, content in FILES.items()}


def test_a_call_that_the_store_is_too_busy_for_is_made_again_before_the_whole_job_is(aws: pytest.MonkeyPatch) -> None:
    answered = list[str]()

    def busy_once(environ: dict[str, str], start_response: StartResponse) -> list[bytes]:
        is_first = not answered
        answered.append(environ["QUERY_STRING"])
        start_response("503 Slow Down" if is_first else "200 OK", [("Content-Type", "application/xml")])
        said = b"<Error><Code>SlowDown</Code></Error>"
        return [said if is_first else b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"]

    aws.setenv("AWS_ACCESS_KEY_ID", "root")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "root")
    with serving(busy_once) as url:
        aws.setenv("AWS_ENDPOINT_URL", url)
        status = new_client().get_bucket_versioning(Bucket="prod-models")["Status"]

    assert (status, len(answered)) == ("Enabled", 2)


def test_a_bucket_that_keeps_no_versions_or_has_no_lock_seals_nothing(sealed_store: Store) -> None:
    plain, root = f"plain-{sealed_store.bucket}", sealed_store.root
    root.create_bucket(Bucket=plain, CreateBucketConfiguration={"LocationConstraint": REGION})
    store = S3SealedStore(lambda: root)

    with pytest.raises(Permanent, match="keeps no versions of its objects"):
        store.check(SealPlan(f"s3://{plain}/"))
    root.put_bucket_versioning(Bucket=plain, VersioningConfiguration={"Status": "Enabled"})
    assert store.check(SealPlan(f"s3://{plain}/")).is_versioned
    with pytest.raises(Permanent, match="has no Object Lock"):
        store.check(SealPlan(f"s3://{plain}/", timedelta(days=90)))
    with pytest.raises(Permanent, match="there is no such bucket"):
        store.check(SealPlan("s3://no-such-bucket-here/"))


def test_the_bucket_s_own_default_locks_without_lock_for(sealed_store: Store) -> None:
    bucket, root = f"default-{sealed_store.bucket}", sealed_store.root
    where = {"LocationConstraint": REGION}
    root.create_bucket(Bucket=bucket, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
    said = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}}
    root.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=said)

    order = sealed_store.order(plan=SealPlan(f"s3://{bucket}/"))
    found = S3SealedStore(lambda: root).seal(order, sealed_store.files())

    assert found.lock is not None
    assert found.lock.mode == "COMPLIANCE"
    assert found.lock.until > datetime.now(UTC) + timedelta(days=29)


def test_a_scientist_cannot_write_delete_or_unlock_there_and_may_read(sealed_store: Store) -> None:
    found = sealed_store.seal(sealed_store.order(until=UNTIL))
    one, s3 = found.objects[0], sealed_store.scientist
    there = {"Bucket": sealed_store.bucket, "Key": found.at.key_of(one.path)}
    version = {**there, "VersionId": one.version}
    soon = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=1)}
    attempts = {
        "put_object": {**there, "Body": b"evil"},
        "create_multipart_upload": there,
        "copy_object": {**there, "CopySource": f"{sealed_store.bucket}/{found.at.index}"},
        "delete_object": version,
        "put_object_retention": {**version, "Retention": soon, "BypassGovernanceRetention": True},
        "put_object_legal_hold": {**version, "LegalHold": {"Status": "OFF"}},
        "put_object_tagging": {**there, "Tagging": {"TagSet": []}},
        "put_bucket_versioning": {"Bucket": sealed_store.bucket, "VersioningConfiguration": {"Status": "Suspended"}},
        "put_bucket_policy": {"Bucket": sealed_store.bucket, "Policy": "{}"},
        "put_bucket_lifecycle_configuration": {
            "Bucket": sealed_store.bucket,
            "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Expiration": {"Days": 1}, "Prefix": ""}]},
        },
        "delete_bucket": {"Bucket": sealed_store.bucket},
    }

    for call, arguments in attempts.items():
        with pytest.raises(ClientError) as denied:
            getattr(s3, call)(**arguments)
        assert denied.value.response["Error"]["Code"] == "AccessDenied", call

    assert s3.get_object(**version)["Body"].read() == FILES[one.path]
    assert sealed_store.seal(sealed_store.order(until=UNTIL)) == found


def test_even_the_owner_of_the_bucket_cannot_delete_a_locked_object_version(sealed_store: Store) -> None:
    found = sealed_store.seal(sealed_store.order(until=UNTIL))
    one = found.objects[0]
    version = {"Bucket": sealed_store.bucket, "Key": found.at.key_of(one.path), "VersionId": one.version}

    with pytest.raises(ClientError, match="AccessDenied"):
        sealed_store.root.delete_object(**version)

    assert sealed_store.root.get_object(**version)["Body"].read() == FILES[one.path]


def test_the_bot_s_own_account_cannot_delete_what_it_sealed(sealed_store: Store) -> None:
    found = sealed_store.seal(sealed_store.order())
    one, s3 = found.objects[0], sealed_store.store._s3

    for named in ({}, {"VersionId": one.version}):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=sealed_store.bucket, Key=found.at.key_of(one.path), **named)


def test_an_account_without_permission_is_told_what_is_missing(sealed_store: Store) -> None:
    with pytest.raises(Permanent, match=r"no permission\. Give the worker's account .* docs/sealed-store\.md"):
        S3SealedStore(lambda: sealed_store.scientist).seal(sealed_store.order(), sealed_store.files())


def test_a_store_that_does_not_answer_is_tried_again(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws.setenv("AWS_ACCESS_KEY_ID", "root")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "root")

    with pytest.raises(Temporary, match="cannot be reached while looking at the bucket prod-models"):
        S3SealedStore().check(SealPlan("s3://prod-models/"))
