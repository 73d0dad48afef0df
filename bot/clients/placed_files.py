"""Puts downloaded files below a directory that somebody chose: never outside it, never over another file.

The paths come from a dvc.lock or a table's log, which whoever trains may write.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bot.errors import NotFetched

CHUNK = 2**20
READABLE = 0o644  # a temporary file starts as 0600


@dataclass(frozen=True)
class Copied:
    md5: str
    sha256: str
    size: int


def place_below(root: Path, path: str) -> Path:
    """Where `path` belongs below `root`. Raises NotFetched when it leads out of `root`, by `..` or through a symbolic link."""
    parts = PurePosixPath(path).parts
    if not parts or {"..", "/", "//"} & set(parts) or any(letter in path for letter in "\\\0"):
        raise NotFetched(f"{path!r} leads out of the directory, so nothing is written there")
    root = root.resolve()
    place = root.joinpath(*parts)
    for parent in (place, *place.parents):
        if parent == root:
            break
        if parent.is_symlink():
            raise NotFetched(f"{path!r} leads through the link {parent.name!r}, so nothing is written there")
    return place


@contextmanager
def written_beside(place: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A temporary file in the same directory. It is deleted unless it was moved to `place`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".fetching-", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def put(name: Path, place: Path, found: Copied) -> None:
    if place.is_file():
        with place.open("rb") as there:
            if hashlib.file_digest(there, "sha256").hexdigest() != found.sha256:
                raise NotFetched(f"{place} is there already with other bytes. Choose an empty directory")
        return
    try:
        os.link(name, place)  # fails when the place is taken, and never follows a link
    except OSError as trouble:
        raise NotFetched(f"{place} cannot be written: {trouble.strerror}. Choose an empty directory") from None
    place.chmod(READABLE)


def copied(file: BinaryIO, copy: BinaryIO, size: int | None) -> Copied:
    """Hashes while it copies, and stops once there are more bytes than the lock says."""
    md5, sha256, so_far = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        so_far += len(chunk)
        if size is not None and so_far > size:
            break
        md5.update(chunk)
        sha256.update(chunk)
        copy.write(chunk)
    return Copied(md5.hexdigest() if size is None or so_far <= size else "of more bytes", sha256.hexdigest(), so_far)
