"""The sealed store in S3: copies a version's approved files there, and says what is there. Uploading one file: `uploads`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from bot.bucket_refusals import failures_of_s3
from bot.clients.s3.calls import AS_A_JOB, MISSING, asking, code_of, new_client
from bot.clients.s3.uploads import PART, Uploads
from bot.domain.attestation.sealed_places import index_key, index_of, read_index
from bot.domain.seals.places import MODEL_FOLDER, Lock, SealedAt, SealedObject, SealPlan
from bot.errors import InvalidStatement, OtherFiles, Permanent, Temporary
from bot.language import recorded
from bot.ports.sealed_store import Bucket, ObjectState, Sealed, SealOrder, VersionFiles

NO_LOCK_CONFIGURED = ("ObjectLockConfigurationNotFoundError", "NotImplemented", "MethodNotAllowed")
UNLESS_SAID = "GOVERNANCE"  # an administrator with s3:BypassGovernanceRetention can lift it; the bot cannot
A_BIT = timedelta(hours=1)  # by which a lock may end earlier: a job that runs again does not lock anew
TRIES = 3
A_READ = 2**20  # bytes
LARGEST_INDEX = 16 * 2**20  # bytes; 10,000 files with long names fit in


class S3SealedStore:
    """`client` opens the client of S3, at the first call."""

    def __init__(self, client: Callable[[], Any] = new_client, part: int = PART) -> None:
        self._open = client
        self._part = part

    @cached_property
    def _s3(self) -> Any:
        return self._open()

    def look(self, plan: SealPlan) -> Bucket:
        with asking(f"looking at the bucket {plan.bucket}"):
            versioning = self._s3.get_bucket_versioning(Bucket=plan.bucket).get("Status")
            lock = self._lock_configuration(plan.bucket)
        default = lock.get("Rule", {}).get("DefaultRetention", {}).get("Mode", "") if lock else ""
        return Bucket(versioning == "Enabled", lock is not None, str(default))

    def _lock_configuration(self, bucket: str) -> Mapping[str, Any] | None:
        try:
            said = self._s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        except failures_of_s3() as error:
            if code_of(error) in NO_LOCK_CONFIGURED:
                return None
            raise
        return said if said.get("ObjectLockEnabled") == "Enabled" else None

    def check(self, plan: SealPlan) -> Bucket:
        found = self.look(plan)
        if not found.is_versioned:
            raise Permanent(
                f"The bucket {plan.bucket} keeps no versions of its objects, so nothing in it can be sealed. "
                f"Switch versioning on, or name another bucket in `seal`. {AS_A_JOB}"
            )
        if plan.lock_for is not None and not found.is_lockable:
            raise Permanent(
                f"The rule locks what it seals, and the bucket {plan.bucket} has no Object Lock. Switch Object Lock on, or take lock_for "
                f"out of `seal`. {AS_A_JOB}"
            )
        return found

    def seal(self, order: SealOrder, files: VersionFiles) -> Sealed:
        mode = self.check(order.plan).default_mode or UNLESS_SAID
        _check_names(order.manifest, files.sizes)
        lock = Lock(mode, order.until) if order.until else None
        one = _Sealing(self._s3, order, files, lock, self._part)
        objects = tuple(one.file(path) for path in sorted(order.manifest, key=str.encode))
        index = index_of(order.files, objects)
        key = index_key(order.folder, index)
        version = one.index(key, index)
        digest = hashlib.sha256(index).hexdigest()
        at = SealedAt(order.plan.bucket, order.folder, key, version, digest)
        return Sealed(at, objects, one.earliest_lock)

    def read_index(self, at: SealedAt) -> tuple[SealedObject, ...]:
        content = bytearray()
        for chunk in _chunks_of(self._s3, at.bucket, at.index, at.index_version):
            content += chunk
            if len(content) > LARGEST_INDEX:
                raise OtherFiles("the list of the sealed objects is larger than any that Countersign writes")
        if hashlib.sha256(content).hexdigest() != at.index_sha256:
            raise OtherFiles("the list of the sealed objects has other bytes")
        try:
            return read_index(bytes(content))
        except InvalidStatement as fault:
            raise OtherFiles(f"the list of the sealed objects {fault}") from None

    def state_of(self, bucket: str, key: str, version: str) -> ObjectState | None:
        found = _head(self._s3, bucket, key, version)
        if found is None:
            return None
        newest = _head(self._s3, bucket, key)
        is_newest = newest is not None and newest.get("VersionId") == version
        return ObjectState(int(found["ContentLength"]), _lock_in(found), is_newest)

    def sha256_of(self, bucket: str, key: str, version: str) -> str:
        return _sha256_of(self._s3, bucket, key, version)

    def newest_below(self, bucket: str, beginning: str) -> Iterator[tuple[str, str]]:
        with asking(f"listing what is in {beginning}"):
            for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=beginning):
                for found in page.get("Versions", ()):
                    if found["IsLatest"]:
                        yield str(found["Key"]), str(found["VersionId"])

    def try_to_write(self, plan: SealPlan) -> None:
        key = f"{plan.prefix}countersign-doctor"
        with asking(f"trying to write to {plan.to}"):
            upload = self._s3.create_multipart_upload(Bucket=plan.bucket, Key=key)["UploadId"]
            self._s3.abort_multipart_upload(Bucket=plan.bucket, Key=key, UploadId=upload)


@dataclass
class _Sealing:
    """One run over the files of a version."""

    s3: Any
    order: SealOrder
    files: VersionFiles
    lock: Lock | None
    part: int

    def __post_init__(self) -> None:
        self._locks: list[Lock | None] = []
        self._known = {one.path: one for one in self._sealed_before()}
        at_once = {"ObjectLockMode": self.lock.mode, "ObjectLockRetainUntilDate": self.lock.until} if self.lock else {}
        self._uploads = Uploads(self.s3, self.order.plan.bucket, at_once, self.part)

    @property
    def earliest_lock(self) -> Lock | None:
        found = [lock for lock in self._locks if lock is not None]
        return min(found, key=lambda lock: lock.until) if found and len(found) == len(self._locks) else None

    def _sealed_before(self) -> tuple[SealedObject, ...]:
        """What an earlier seal has on record: nothing when its list is gone, and then the files are copied again."""
        if self.order.earlier is None:
            return ()
        try:
            return S3SealedStore(lambda: self.s3).read_index(self.order.earlier)
        except OtherFiles:
            return ()

    def file(self, path: str) -> SealedObject:
        sha256, key = self.order.manifest[path], f"{self.order.folder}{MODEL_FOLDER}/{path}"
        known = self._known.get(path)
        if known is not None and known.sha256 == sha256 and self._is_newest(key, known.version):
            return known
        for _ in range(TRIES):
            found = self._newest_with(key, sha256, path)
            if found is not None:
                version, size = found
                self._note_lock(key, version)
                return SealedObject(path, sha256, size, version)
            with self.files.fetched(path) as file:
                self._uploads.put(key, file, sha256, path)
        raise Temporary(f"{key} is not in the bucket although it was written. It will be tried again.")

    def index(self, key: str, content: bytes) -> str:
        """The list's object version."""
        for _ in range(TRIES):
            found = self._newest_with(key, hashlib.sha256(content).hexdigest(), key)
            if found is not None:
                version, _size = found
                self._note_lock(key, version)
                return version
            self._uploads.put_bytes(key, content)
        raise Temporary(f"{key} is not in the bucket although it was written. It will be tried again.")

    def _is_newest(self, key: str, version: str) -> bool:
        """Whether an object version that is on record is there, and nothing newer lies over it. Its bytes are not read again."""
        newest = _head(self.s3, self.order.plan.bucket, key)
        if newest is None or newest.get("VersionId") != version:
            return False
        self._note_lock(key, version)
        return True

    def _newest_with(self, key: str, sha256: str, path: str) -> tuple[str, int] | None:
        """The newest object version and its size, if it has exactly these bytes, by reading it; None when there is none."""
        bucket = self.order.plan.bucket
        found = _head(self.s3, bucket, key)
        if found is None:
            return None
        version = str(found.get("VersionId", ""))
        try:
            digest = _sha256_of(self.s3, bucket, key, version)
        except OtherFiles as gone:  # of the store: the files in the registry are read elsewhere
            raise Temporary(f"{gone}, after it was looked at. It will be tried again.") from gone
        if digest != sha256:
            raise Permanent(
                f"The bucket {bucket} holds other bytes than were approved as {path}: somebody else writes there. Find out who, take "
                f"their rights away, and delete {key}. {AS_A_JOB}"
            )
        return version, int(found["ContentLength"])

    def _note_lock(self, key: str, version: str) -> None:
        """Locks it for as long as the order says; a lock is lengthened and never shortened."""
        bucket = self.order.plan.bucket
        found = _lock_in(_head(self.s3, bucket, key, version) or {})
        if self.lock is not None and (found is None or found.until < self.lock.until - A_BIT):
            lock = Lock(found.mode if found else self.lock.mode, self.lock.until)
            with asking(f"locking {key}"):
                self.s3.put_object_retention(
                    Bucket=bucket,
                    Key=key,
                    VersionId=version,
                    Retention={"Mode": lock.mode, "RetainUntilDate": lock.until},
                )
            found = lock
        self._locks.append(found)


def _check_names(manifest: Mapping[str, str], sizes: Mapping[str, int]) -> None:
    """Raises OtherFiles."""
    added, gone = sorted(sizes.keys() - manifest.keys()), sorted(manifest.keys() - sizes.keys())
    if added:
        raise OtherFiles(recorded("outcome", "{path} was added", path=added[0]))
    if gone:
        raise OtherFiles(recorded("outcome", "{path} is gone", path=gone[0]))


def _head(s3: Any, bucket: str, key: str, version: str | None = None) -> Mapping[str, Any] | None:
    """None when there is no such object, or no such version of it."""
    named = {"VersionId": version} if version is not None else {}
    with asking(f"looking at {key}"):
        try:
            found: Mapping[str, Any] = s3.head_object(Bucket=bucket, Key=key, **named)
        except failures_of_s3() as error:
            if code_of(error) in MISSING:
                return None
            raise
    return found


def _lock_in(found: Mapping[str, Any]) -> Lock | None:
    mode, until = found.get("ObjectLockMode"), found.get("ObjectLockRetainUntilDate")
    if not mode or not isinstance(until, datetime):
        return None
    return Lock(str(mode), until.astimezone(UTC))


def _sha256_of(s3: Any, bucket: str, key: str, version: str) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks_of(s3, bucket, key, version):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks_of(s3: Any, bucket: str, key: str, version: str) -> Iterator[bytes]:
    """Raises OtherFiles when it is gone."""
    with asking(f"reading {key}"):
        try:
            body = s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"]
        except failures_of_s3() as error:
            if code_of(error) in MISSING:
                raise OtherFiles(f"{key} is gone from the bucket {bucket}") from error
            raise
        yield from body.iter_chunks(A_READ)
