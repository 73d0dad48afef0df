"""The signed list of a version's files, in the format that `sha256sum` writes and `sha256sum -c` checks.

The bot uses it when it freezes the evidence, the gate on the files that will be served.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.domain.attestation.file_list import listed_files
from bot.errors import OtherFiles, UnsafePath

WRITTEN_BY_CLIENTS = "registered_model_meta"  # MLflow adds it to downloaded copies; it is not part of the model
UNUSUAL = "\n\r\\\0"  # `sha256sum` escapes names with these, and tools disagree on how


def manifest_of(digests: Mapping[str, str]) -> str:
    """`digests` maps each file's path in the version's folder, with slashes, to its sha256 in hex."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests, key=lambda path: path.encode()))


def digests_in(manifest: str, digest: str) -> dict[str, str]:
    """The sha256 of each file by its path. Raises OtherFiles for a list that is not the one with this digest."""
    if digest_of(manifest) != digest:
        raise OtherFiles("the list of the files is not the one that was approved")
    return listed_files(manifest)


def digest_of(manifest: str) -> str:
    return "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()


def check_path(path: str) -> None:
    """Raises UnsafePath."""
    if any(character in path for character in UNUSUAL) or not _is_text(path):
        raise UnsafePath(f"The file name {path!r} has a line break or a backslash in it")
    if {"", ".", ".."} & set(path.split("/")):
        raise UnsafePath(f"The file name {path!r} leads out of the version's own folder")


def manifest_in(folder: Path) -> str:
    """The list of the files on disk. Refuses links, which could lead anywhere. Raises UnsafePath and OSError."""
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
    """False for names that are not valid UTF-8, which some stores return with lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in path)
