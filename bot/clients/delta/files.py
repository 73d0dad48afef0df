"""The files of a Delta table where it is: a directory of this machine, or below an address of S3.

deltalake itself opens only what was copied from here. So S3 is called with the credentials that MLflow and DVC use too, and its refusals
keep their reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote

from bot.bucket_refusals import bucket_refusal, failures_of_s3
from bot.errors import NotFetched
from bot.locations import parts_of

S3 = ("s3", "s3a", "s3n")  # Hadoop's names for the same
S3_EXTRA_WANTED = "a Delta table on S3 needs the s3 extra too: pip install 'mlflow-countersign[delta,s3]'"
NAME_IT = "Name the folder of the table with --table"
SECONDS_TO_CONNECT, SECONDS_TO_READ = 5, 60


class TableFiles(Protocol):
    """Paths are relative to the table."""

    def is_there(self) -> bool:
        """Whether there is anything at all at the table's place."""

    def log(self) -> list[str]:
        """The names right below `_delta_log`; empty without one."""

    def size(self, path: str) -> int | None:
        """In bytes; None when the file is not there."""

    def opened(self, path: str) -> BinaryIO:
        """Raises OSError, or what S3's client raises."""


def place_of(place: str) -> str:
    """See `bot.ports.data_stores.TableStore`."""
    parts = parts_of(place)
    if parts is None:
        raise NotFetched(f"{place!r} is no address. {NAME_IT}")
    if parts.scheme in S3:
        return f"s3://{parts.netloc}{parts.path}".rstrip("/")
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return unquote(parts.path)
    if "://" in place or (parts.scheme and not place.startswith("/")):
        raise NotFetched(
            f"tables are read from directories and from S3, and {place} is neither. Copy it to a directory. {NAME_IT}"
        )
    if not place.startswith("/"):
        raise NotFetched(f"{place!r} is a path in the trainer's own working directory. {NAME_IT}")
    return place


def files_at(place: str) -> TableFiles:
    """`place` is a real one. Raises NotFetched when the client of S3 is not installed."""
    if not place.startswith("s3://"):
        return DirectoryFiles(Path(place))
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise NotFetched(S3_EXTRA_WANTED) from None
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    patience = Config(
        connect_timeout=SECONDS_TO_CONNECT, read_timeout=SECONDS_TO_READ, retries={"total_max_attempts": 3}
    )
    with reading(place):
        return BucketFiles(boto3.session.Session().client("s3", config=patience), bucket, prefix)


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Raises NotFetched for what a directory or a bucket refuses."""
    try:
        yield
    except PermissionError as trouble:
        raise NotFetched(
            f"{trouble.filename or place} may not be read by this account. Grant it the right to read the table's folder, or run this as "
            "an account that has it"
        ) from trouble
    except _failures() as trouble:
        raise NotFetched(f"{place} cannot be read: {bucket_refusal(trouble) or _reason(trouble)}") from trouble


def _failures() -> tuple[type[Exception], ...]:
    return (OSError, *failures_of_s3())


class DirectoryFiles:
    """Follows no link that leads out of the table: whoever trains may have put it there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def is_there(self) -> bool:
        return self._root.exists()

    def log(self) -> list[str]:
        folder = self._below("_delta_log")
        return [found.name for found in folder.iterdir() if found.is_file()] if folder.is_dir() else []

    def size(self, path: str) -> int | None:
        place = self._below(path)
        return place.stat().st_size if place.is_file() else None

    def opened(self, path: str) -> BinaryIO:
        return self._below(path).open("rb")

    def _below(self, path: str) -> Path:
        place = self._root / path
        if place.resolve() != self._root.resolve() / path:
            raise NotFetched(f"{path} of {self._root} is a link, so it is not read. Put the file itself there")
        return place


class BucketFiles:
    """`s3` is boto3's client."""

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def is_there(self) -> bool:
        return bool(self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1).get("KeyCount"))

    def log(self) -> list[str]:
        folder = f"{self._prefix}_delta_log/"
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder, Delimiter="/")
        return [one["Key"].removeprefix(folder) for page in pages for one in page.get("Contents", ())]

    def size(self, path: str) -> int | None:
        try:
            return int(self._s3.head_object(Bucket=self._bucket, Key=self._prefix + path)["ContentLength"])
        except failures_of_s3() as trouble:
            refusal = bucket_refusal(trouble)
            if refusal is not None and refusal.is_gone:
                return None
            raise

    def opened(self, path: str) -> BinaryIO:
        body: BinaryIO = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + path)["Body"]
        return body


def _reason(trouble: Exception) -> str:
    return getattr(trouble, "strerror", None) or " ".join(str(trouble).split())[:300]
