"""Reads a sealed version from its store: the list of its objects, and then exactly the object versions in it. Imports boto3 when called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.bucket_refusals import bucket_refusal, failures_of_s3
from bot.domain.attestation.answers import GateResult, Reason, ReasonCode
from bot.domain.attestation.sealed_places import read_index
from bot.domain.seals.places import SealedAt, SealedObject
from bot.errors import InvalidStatement, NoAnswer, OtherFiles, TooLarge
from bot.gate.manifests import check_path, digest_of, manifest_of

ATTEMPTS = 3
CONNECT, READ = 5, 60  # seconds
A_READ = 2**20  # bytes
LARGEST_INDEX = 16 * 2**20  # bytes
MISSING = ("NoSuchKey", "NoSuchVersion", "404", "405", "MethodNotAllowed")


def with_sealed_place(result: GateResult) -> GateResult:
    """The answer, once the list of the sealed objects was read and is of the approved files. It allows nothing when that fails."""
    if not result.allowed or result.sealed is None:
        return result
    try:
        read_list(result.sealed, result.artifacts)
    except OtherFiles as fault:
        reason = Reason(ReasonCode.NOT_SEALED, f"What is sealed at {result.sealed.uri} does not count: {fault}.")
        return replace(result, allowed=False, reasons=(reason,), sealed=None)
    except NoAnswer as trouble:
        reason = Reason(ReasonCode.CANNOT_TELL, str(trouble))
        return replace(result, allowed=False, decided=False, reasons=(reason,), sealed=None)
    return result


def download_sealed(place: SealedAt, artifacts: str, folder: Path, size: int) -> None:
    """All files into an empty folder, at most `size` bytes. `artifacts` is the digest of the approved files.

    Raises OtherFiles, TooLarge, UnsafePath and NoAnswer.
    """
    s3 = _client()
    objects = read_list(place, artifacts, s3)
    for one in objects:
        check_path(one.path)
    if sum(one.size for one in objects) > size:
        raise TooLarge
    for one in objects:
        _fetch(s3, place, one, folder / one.path)


def read_list(place: SealedAt, artifacts: str, s3: Any = None) -> tuple[SealedObject, ...]:
    """The sealed objects. Raises OtherFiles when they are not the approved files, and NoAnswer."""
    content = bytearray()
    for chunk in _chunks(s3 or _client(), place.bucket, place.index, place.index_version):
        content += chunk
        if len(content) > LARGEST_INDEX:
            raise OtherFiles("its list of objects is larger than any that Countersign writes")
    if hashlib.sha256(content).hexdigest() != place.index_sha256:
        raise OtherFiles("its list of objects has other bytes than the bot has recorded")
    try:
        objects = read_index(bytes(content))
    except InvalidStatement as fault:
        raise OtherFiles(f"its list {fault}") from None
    if digest_of(manifest_of({one.path: one.sha256 for one in objects})) != artifacts:
        raise OtherFiles("its list is not of the files that were approved")
    return objects


def _fetch(s3: Any, place: SealedAt, one: SealedObject, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    digest, read = hashlib.sha256(), 0
    with file.open("xb") as target:
        for chunk in _chunks(s3, place.bucket, place.key_of(one.path), one.version):
            read += len(chunk)
            if read > one.size:
                raise TooLarge
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() != one.sha256:
        raise OtherFiles(f"{one.path} has other bytes")


def _chunks(s3: Any, bucket: str, key: str, version: str) -> Iterator[bytes]:
    """Of exactly this object version. Raises OtherFiles when it is gone, and NoAnswer."""
    try:
        yield from s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].iter_chunks(A_READ)
    except failures_of_s3() as trouble:
        if _code_of(trouble) in MISSING:
            raise OtherFiles(f"{key} is gone from the bucket {bucket}") from None
        refusal = bucket_refusal(trouble)
        why = str(refusal) if refusal else f"{type(trouble).__name__}. Try again"
        raise NoAnswer(f"The sealed files in s3://{bucket}/ cannot be read: {why}.") from None


def _client() -> Any:
    """With the credentials and the address of the AWS environment. Raises NoAnswer."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise NoAnswer(
            "The files are sealed in a bucket, and the Python package boto3 that reads it is not installed. "
            "Install mlflow-countersign[s3]."
        ) from None
    options = Config(
        connect_timeout=CONNECT,
        read_timeout=READ,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        response_checksum_validation="when_required",
    )
    try:
        return boto3.session.Session().client("s3", config=options)
    except failures_of_s3() as trouble:
        refusal = bucket_refusal(trouble)
        why = refusal or f"{type(trouble).__name__}: {trouble}"
        raise NoAnswer(f"The client of S3 cannot be made: {why}.") from None


def _code_of(error: BaseException) -> str:
    response = getattr(error, "response", None)
    said = response.get("Error") if isinstance(response, Mapping) else None
    return str(said.get("Code", "")) if isinstance(said, Mapping) else ""
