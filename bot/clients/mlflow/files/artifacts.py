"""A version's files as evidence: the manifest of them all, its digest, and the signature in the MLmodel file. Fetching: `stores`.

The manifest is the text that `sha256sum` writes and `sha256sum -c` checks, so that anyone can compare the files without us.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import rfc8785

from bot import untrusted_yaml
from bot.clients.mlflow.files.object_versions import NOT_PINNED, Pinned, VersionsRefused
from bot.clients.mlflow.files.stores import Folder, opened_folder
from bot.domain.model import Artifacts, Evidence
from bot.errors import FilesUnread, UnsafePath
from bot.gate import manifests
from bot.gate.manifests import WRITTEN_BY_CLIENTS, check_path, digest_of, sha256_of
from bot.gate.references import MLMODEL, NOTHING, References, read_when_loaded, references_of
from bot.ports import ProgressListener

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

MOST_FILES = 10_000  # folders count too: each is a call
MOST_BYTES = 20 * 2**30
LARGEST_MLMODEL = untrusted_yaml.LARGEST  # a signature of thousands of columns fits in
RENAME = "Log the model again with other file names and register that."


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < 16 else digits


def _float(digits: str) -> float | str:
    return float(digits) if math.isfinite(float(digits)) else digits


JSON = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=str)
"""Keeps as texts the numbers that canonical JSON cannot hold."""


@dataclass(frozen=True)
class FilesRead:
    """`artifacts` is None when the files were not read, and then `unread` says why. `signature` is canonical JSON.

    `object_versions` stands for exactly the bytes that were read, where the store keeps all versions; else it is empty.
    """

    artifacts: Artifacts | None
    signature: str | None = None
    unread: str = ""
    references: References = NOTHING
    object_versions: str = ""


@dataclass(frozen=True)
class Manifest:
    """`text` has one line a file, `<sha256>  <path>`, sorted by path; `size` is the sum of all files, in bytes."""

    text: str
    files: int
    size: int
    signature: str | None
    references: References

    @property
    def digest(self) -> str:
        return digest_of(self.text)


def read_files(
    client: MlflowClient,
    version: ModelVersion,
    stores: Sequence[str],
    follower: ProgressListener | None = None,
    known: Evidence | None = None,
) -> FilesRead:
    """Reads every file once, or none when they are known. Raises Temporary or Permanent; the answer says what can never be read."""
    try:
        with opened_folder(client, version, stores) as folder:
            sizes = _files_in(folder)
            pinned = folder.pinned(sizes)
            if pinned.digest and known and known.artifacts and known.object_versions == pinned.digest:
                return _as_known(known, known.artifacts)
            try:
                manifest = _manifest(folder, sizes, pinned, follower)
            except VersionsRefused:
                pinned = NOT_PINNED
                manifest = _manifest(folder, sizes, pinned, follower)
    except FilesUnread as reason:
        return FilesRead(None, unread=str(reason))
    if follower is not None:
        follower.on_manifest(manifest.text)
    artifacts = Artifacts(manifest.digest, manifest.files, manifest.size)
    return FilesRead(artifacts, manifest.signature, references=manifest.references, object_versions=pinned.digest)


def _as_known(known: Evidence, artifacts: Artifacts) -> FilesRead:
    references = References(known.outside, known.uncovered)
    return FilesRead(artifacts, known.signature, references=references, object_versions=known.object_versions)


def read_signature(client: MlflowClient, version: ModelVersion, stores: Sequence[str]) -> str | None:
    """Of the MLmodel file alone; None when there is none or it is not to be read. Raises Temporary or Permanent."""
    try:
        with opened_folder(client, version, stores) as folder:
            mlmodel = next((entry for entry in folder.entries() if entry.path == MLMODEL), None)
            if mlmodel is None:
                return None
            with folder.fetched(MLMODEL, mlmodel.file_size or 0) as file:
                return signature_in(file)
    except FilesUnread:
        return None


class OpenedFiles:
    """A `bot.ports.sealed_store.VersionFiles`."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.sizes = _files_in(folder)

    def fetched(self, path: str) -> AbstractContextManager[Path]:
        return self._folder.fetched(path, self.sizes[path])


@contextmanager
def opened_files(client: MlflowClient, version: ModelVersion, stores: Sequence[str]) -> Iterator[OpenedFiles]:
    """Raises FilesUnread, Temporary or Permanent."""
    with opened_folder(client, version, stores) as folder:
        yield OpenedFiles(folder)


def _manifest(folder: Folder, sizes: Mapping[str, int], pinned: Pinned, follower: ProgressListener | None) -> Manifest:
    digests, signature, references, done = {}, None, NOTHING, 0
    whole, referring = sum(sizes.values()), read_when_loaded(sizes)
    for path in sizes:
        if follower is not None:
            follower.on_progress(done, whole)
        with folder.fetched(path, sizes[path], pinned) as file:
            digests[path] = sha256_of(file)
            references = references.plus(references_of(path, file)) if path in referring else references
            signature = signature_in(file) if path == MLMODEL else signature
        done += sizes[path]
    return Manifest(manifests.manifest_of(digests), len(digests), whole, signature, references)


def _files_in(folder: Folder) -> dict[str, int]:
    """All files with their sizes. Names and limits are checked before anything is fetched."""
    sizes: dict[str, int] = {}
    seen: set[str] = set()
    unseen: list[str | None] = [None]
    while unseen:
        for entry in folder.entries(unseen.pop()):
            _refuse_name(entry.path, seen)
            seen.add(entry.path)
            if entry.is_dir:
                unseen.append(entry.path)
            elif entry.path != WRITTEN_BY_CLIENTS:
                sizes[entry.path] = entry.file_size or 0  # MLflow's server leaves out a size of 0
        _refuse_more_than(MOST_FILES, len(seen))
    _refuse_above(MOST_BYTES, sum(sizes.values()))
    return sizes


def _refuse_name(path: str, seen: set[str]) -> None:
    try:
        check_path(path)
    except UnsafePath as trouble:
        raise FilesUnread(f"{trouble}. {RENAME}") from None
    if path in seen:
        raise FilesUnread(f"The file name {path!r} is listed twice. {RENAME}")


def _refuse_more_than(most: int, count: int) -> None:
    if count > most:
        raise FilesUnread(
            f"The version has more than {most:,} files and folders, so they were not read. Log the model with fewer files."
        )


def _refuse_above(most: int, size: int) -> None:
    if size > most:
        raise FilesUnread(
            f"The version's files are larger than {most / 2**30:g} GiB in all, so they were not read. Log a smaller model."
        )


def signature_in(mlmodel: Path) -> str | None:
    """Inputs, outputs and params of the model's signature as canonical JSON (RFC 8785); None when it has no signature.

    MLflow writes them as JSON inside the YAML. The base loader makes texts, lists and mappings of it and nothing else, so a hostile file
    can at worst be unreadable.
    """
    if mlmodel.stat().st_size > LARGEST_MLMODEL:
        raise FilesUnread(f"The MLmodel file is larger than {LARGEST_MLMODEL // 1024} KiB. Log the model again.")
    try:
        text = mlmodel.read_text(encoding="utf-8")
        described = untrusted_yaml.load(text)
        signature = described.get("signature") if isinstance(described, dict) else None
        if not isinstance(signature, dict):
            return None
        parts = {part: _parsed(signature.get(part, "null")) for part in ("inputs", "outputs", "params")}
        return rfc8785.dumps(parts).decode()  # type: ignore[arg-type]  # anything that JSON can hold
    except (rfc8785.CanonicalizationError, ValueError, RecursionError) as error:
        raise FilesUnread("The MLmodel file cannot be read as MLflow writes it. Log the model again.") from error


def _parsed(part: object) -> object:
    if not isinstance(part, str):
        raise ValueError("a signature's part is JSON in a text")  # noqa: TRY004 - a file is wrong, not a caller
    return JSON.decode(part or "null")
