"""Puts one file into a bucket, never over another: small ones in one call, large ones in parts that outlive the process.

What is sent is hashed on the way. A file that turns out to be another one is never completed, so it never becomes an object.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bot.bucket_refusals import failures_of_s3
from bot.clients.s3.calls import NO_SUCH_UPLOAD, THERE_ALREADY, asking, code_of
from bot.errors import OtherFiles, Temporary
from bot.language import recorded

PART = 8 * 2**20  # bytes; S3 takes parts from 5 MiB on
MOST_PARTS = 10_000  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
CHECKSUM = "ChecksumSHA256"
NEVER_OVER = {"IfNoneMatch": "*"}  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html


@dataclass(frozen=True)
class Part:
    """As S3 has it. `checksum` is base64, empty where the store keeps none; `etag` is then the md5 of its bytes."""

    number: int
    etag: str
    size: int
    checksum: str

    def has(self, chunk: bytes) -> bool:
        if self.size != len(chunk):
            return False
        if self.checksum:
            return self.checksum == _checksum(chunk)
        return self.etag.strip('"') == hashlib.md5(chunk, usedforsecurity=False).hexdigest()

    def named(self) -> dict[str, object]:
        checksum = {CHECKSUM: self.checksum} if self.checksum else {}
        return {"PartNumber": self.number, "ETag": self.etag, **checksum}


@dataclass(frozen=True)
class Uploads:
    """Into one bucket. `locking` are the arguments that lock an object from its first moment."""

    s3: Any
    bucket: str
    locking: Mapping[str, object]
    part: int = PART

    def put(self, key: str, file: Path, sha256: str, path: str) -> None:
        """Does nothing when somebody else puts an object there meanwhile: the caller looks what it is.

        `path` is how people know the file. Raises OtherFiles, Temporary and Permanent.
        """
        if file.stat().st_size > self.part:
            self._in_parts(key, file, sha256, path)
        else:
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != sha256:
                raise OtherFiles(_other_bytes(path))
            self.put_bytes(key, content)

    def put_bytes(self, key: str, content: bytes) -> None:
        # Locked objects take a checksum, which some stores believe only with the name of its algorithm.
        named = {"Bucket": self.bucket, "Key": key, "ChecksumAlgorithm": "SHA256", CHECKSUM: _checksum(content)}
        self._unless(THERE_ALREADY, self.s3.put_object, key, Body=content, **named, **NEVER_OVER, **self.locking)

    def _in_parts(self, key: str, file: Path, sha256: str, path: str) -> None:
        size = max(self.part, -(-file.stat().st_size // MOST_PARTS))  # the same in every run, so that parts match
        upload = self._begun(key) or self._begin(key)
        there = self._parts_of(key, upload)
        with file.open("rb") as source:
            if there and not _are_ours(source, there, size):
                self.abort(key, upload)
                upload, there = self._begin(key), {}
            source.seek(0)
            whole, parts = hashlib.sha256(), []
            for number, chunk in _chunks(source, size):
                whole.update(chunk)
                parts.append(there.get(number) or self._send(key, upload, number, chunk))
        if whole.hexdigest() != sha256:
            self.abort(key, upload)
            raise OtherFiles(_other_bytes(path))
        self._unless(
            (*THERE_ALREADY, NO_SUCH_UPLOAD),
            self.s3.complete_multipart_upload,
            key,
            Bucket=self.bucket,
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": [part.named() for part in parts]},
            **NEVER_OVER,
        )
        for other in self._uploads_of(key):
            self.abort(key, other)

    def _begun(self, key: str) -> str | None:
        """The oldest upload of this key that was never completed. Younger ones are aborted: whoever made them finds this one."""
        found = self._uploads_of(key)
        for one in found[1:]:
            self.abort(key, one)
        return found[0] if found else None

    def _uploads_of(self, key: str) -> list[str]:
        with asking(f"looking for uploads of {key}"):
            pages = self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=key)
            found = [one for page in pages for one in page.get("Uploads", ()) if one["Key"] == key]
        return [str(one["UploadId"]) for one in sorted(found, key=lambda one: (one["Initiated"], one["UploadId"]))]

    def _begin(self, key: str) -> str:
        with asking(f"beginning the upload of {key}"):
            made = self.s3.create_multipart_upload(
                Bucket=self.bucket, Key=key, ChecksumAlgorithm="SHA256", **self.locking
            )
        return str(made["UploadId"])

    def _parts_of(self, key: str, upload: str) -> dict[int, Part]:
        with asking(f"looking at the parts of {key}"):
            pages = self.s3.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload)
            return {
                int(one["PartNumber"]): Part(
                    int(one["PartNumber"]), str(one["ETag"]), int(one["Size"]), str(one.get(CHECKSUM, ""))
                )
                for page in pages
                for one in page.get("Parts", ())
            }

    def _send(self, key: str, upload: str, number: int, chunk: bytes) -> Part:
        checksum = _checksum(chunk)
        named = {"Bucket": self.bucket, "Key": key, "UploadId": upload, "PartNumber": number, CHECKSUM: checksum}
        try:
            sent = self.s3.upload_part(Body=chunk, **named)
        except failures_of_s3() as error:
            if code_of(error) == NO_SUCH_UPLOAD:
                raise Temporary(
                    f"another job has taken over the upload of {key}. This one will be tried again."
                ) from error
            with asking(f"sending part {number} of {key}"):
                raise
        return Part(number, str(sent["ETag"]), len(chunk), checksum)

    def abort(self, key: str, upload: str) -> None:
        named = {"Bucket": self.bucket, "Key": key, "UploadId": upload}
        self._unless((NO_SUCH_UPLOAD,), self.s3.abort_multipart_upload, key, **named)

    def _unless(self, codes: tuple[str, ...], call: Any, key: str, **arguments: object) -> None:
        """Makes the call; that S3 refuses it with one of the codes is no failure."""
        with asking(f"writing {key}"):
            try:
                call(**arguments)
            except failures_of_s3() as error:
                if code_of(error) not in codes:
                    raise


def _other_bytes(path: str) -> str:
    return recorded("outcome", "{path} has other bytes", path=path)


def _are_ours(source: BinaryIO, there: Mapping[int, Part], size: int) -> bool:
    """Whether the parts were made of this file."""
    return all(number not in there or there[number].has(chunk) for number, chunk in _chunks(source, size))


def _chunks(source: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    number = 0
    while chunk := source.read(size):
        number += 1
        yield number, chunk


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
