"""The list of a version's files, as it is signed: the text that `sha256sum` writes and `sha256sum -c` checks.

Used on both sides: by the bot when it freezes the evidence, by the gate on the bytes that are about to be served.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.errors import UnsafePath

WRITTEN_BY_CLIENTS = "registered_model_meta"  # MLflow leaves it in downloaded copies; it is no part of the model
UNUSUAL = "\n\r\\\0"  # `sha256sum` writes such names in another way, and no two tools agree on them


def manifest_of(digests: Mapping[str, str]) -> str:
    """`digests` has each file's sha256 in hex by its path from the version's folder, with slashes."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests, key=lambda path: path.encode()))


def digest_of(manifest: str) -> str:
    return "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()


def check_path(path: str) -> None:
    """Raises UnsafePath."""
    if any(character in path for character in UNUSUAL) or not _is_text(path):
        raise UnsafePath(f"The file name {path!r} has a line break or a backslash in it")
    if {"", ".", ".."} & set(path.split("/")):
        raise UnsafePath(f"The file name {path!r} leads out of the version's own folder")


def manifest_in(folder: Path) -> str:
    """Of the files on disk. A link could lead anywhere, so there must be none. Raises UnsafePath and OSError."""
    return manifest_of({path: sha256_of(file) for path, file in _files_in(folder)})


def _files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    for top, folders, files in os.walk(folder):
        for name in (*folders, *files):
            file = Path(top, name)
            path = file.relative_to(folder).as_posix()
            if file.is_symlink():
                raise UnsafePath(f"The file {path!r} is a link, which could lead out of the version's own folder")
            check_path(path)
            if name in files and path != WRITTEN_BY_CLIENTS:
                yield path, file


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_text(path: str) -> bool:
    """Some stores hand out names that are no UTF-8, with half characters in them."""
    return not any("\ud800" <= character <= "\udfff" for character in path)
