"""Copies one version of a Delta table, byte for byte: the data files that its log names, and the entries of the log up to it.

deltalake reads the log, for which it needs the `delta` extra; nothing else in Countersign does. It opens only a copy of the log on this
machine, so a log that names other places leads nowhere. What is written is a Delta table whose newest version is the one asked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bot.clients.delta.files import DirectoryFiles, TableFiles, files_at, place_of, reading
from bot.clients.placed_files import Copied, copied, place_below, put, written_beside
from bot.domain.evidence.delta_log import RESTORE, entry_of, needed, place_in_table
from bot.domain.figures import Artifacts
from bot.domain.text import format_utc
from bot.errors import NotFetched
from bot.gate.manifests import digest_of, manifest_of
from bot.ports.data_stores import FetchedTable

if TYPE_CHECKING:
    from deltalake import DeltaTable

LOG = "_delta_log"
EXTRA_WANTED = "bringing a Delta table back needs the delta extra: pip install 'mlflow-countersign[delta]'"
DELETIONS = "deletionVectors"
OTHER_WAY = "Write that version to a folder with what made it, such as Spark (VERSION AS OF), and use that"


class DeltaTables:
    """The `TableStore` of `bot.ports.data_stores`."""

    def place_of(self, path: str) -> str:
        return place_of(path)

    def real_place(self, place: str) -> str:
        with reading(place):
            return str(Path(place).resolve()) if place.startswith("/") else place

    def fetch(self, place: str, version: int, into: Path, before: datetime) -> FetchedTable:
        _require_deltalake()
        with reading(place):
            return _Fetching(place, version, files_at(place)).into(into, before)


@dataclass(frozen=True)
class _Fetching:
    place: str
    version: int
    files: TableFiles

    def into(self, into: Path, before: datetime) -> FetchedTable:
        """Data files first: a folder that is not complete is no table yet."""
        names = self._log_wanted()
        with TemporaryDirectory(prefix="countersign-") as directory:
            staged = Path(directory).resolve()
            for name in names:
                self._copy(f"{LOG}/{name}", staged, None)
            written_at = _written_at(staged / LOG / entry_of(self.version))
            self._refuse_later(written_at, before)
            sizes = self._data_files(staged)
            self._refuse_missing(sizes)
            data = {path: self._copy(path, into, size) for path, size in sizes.items()}
            as_read = replace(self, files=DirectoryFiles(staged))
            for name in names:
                as_read._copy(f"{LOG}/{name}", into, None)
        self._check_copy(into, sizes, {*sizes, *(f"{LOG}/{name}" for name in names)})
        manifest = manifest_of({path: one.sha256 for path, one in data.items()})
        artifacts = Artifacts(digest_of(manifest), len(data), sum(one.size for one in data.values()))
        return FetchedTable(artifacts, written_at)

    def _log_wanted(self) -> Sequence[str]:
        names = self.files.log()
        if not names and not self.files.is_there():
            raise NotFetched(f"there is nothing at {self.place}: the table was moved or deleted. {RESTORE}")
        return needed(names, self.version, self.place)

    def _refuse_later(self, written_at: datetime | None, before: datetime) -> None:
        if written_at is not None and written_at > before:
            raise NotFetched(
                f"version {self.version} of {self.place} was written on {format_utc(written_at)}, after the model version was registered: "
                f"the table was created again, and this is not what the model was trained on. {RESTORE}"
            )

    def _data_files(self, staged: Path) -> Mapping[str, int]:
        """Their sizes by their paths, as the log has them."""
        with self._opened(staged) as table:
            _refuse_deletions(table, self.place)
            return {place_in_table(path, self.place): size for path, size in _listed(table)}

    def _refuse_missing(self, sizes: Mapping[str, int]) -> None:
        there = {path: self.files.size(path) for path in sizes}
        gone = [path for path, size in there.items() if size is None]
        if gone:
            raise NotFetched(
                f"{len(gone)} of the {len(sizes)} files of version {self.version} of {self.place} are gone, {gone[0]} first: the table was "
                "vacuumed, which removes what newer versions do not need after delta.deletedFileRetentionDuration (7 days unless set). "
                f"{RESTORE}"
            )
        other = [path for path, size in there.items() if size != sizes[path]]
        if other:
            raise NotFetched(
                f"{other[0]} of {self.place} has {there[other[0]]} bytes, and the table's log says {sizes[other[0]]}. {RESTORE}"
            )

    def _copy(self, path: str, into: Path, size: int | None) -> Copied:
        place = place_below(into, path)
        with self.files.opened(path) as file, written_beside(place) as (copy, name):
            found = copied(file, copy, size)
            if size is not None and found.size != size:
                raise NotFetched(f"{path} of {self.place} was changed while it was read. Try again")
            copy.flush()
            put(name, place, found)
        return found

    def _check_copy(self, into: Path, sizes: Mapping[str, int], wanted: Collection[str]) -> None:
        """More in the folder could be a later version, which is the one that readers open."""
        others = sorted(
            path
            for path in (found.relative_to(into).as_posix() for found in into.rglob("*") if not found.is_dir())
            if path not in wanted
        )
        if others:
            raise NotFetched(
                f"the folder {into} has {others[0]!r}, which is not of version {self.version} of {self.place}. Choose an empty directory"
            )
        with self._opened(into) as table:
            if {place_in_table(path, str(into)): size for path, size in _listed(table)} != sizes:
                raise NotFetched(
                    f"the folder {into} has another table than was read from {self.place}. Choose an empty directory"
                )

    @contextmanager
    def _opened(self, folder: Path) -> Iterator[DeltaTable]:
        """Raises NotFetched for a log that deltalake cannot read."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            yield DeltaTable(str(folder), version=self.version)
        except (DeltaError, ArithmeticError, ValueError) as trouble:
            why = str(trouble).splitlines()[0][:300] if str(trouble) else type(trouble).__name__
            raise NotFetched(f"the log of {self.place} cannot be read by deltalake: {why}. {OTHER_WAY}") from trouble


def _require_deltalake() -> None:
    try:
        import deltalake  # noqa: F401 - only whether it is there
    except ImportError:
        raise NotFetched(EXTRA_WANTED) from None


def _listed(table: DeltaTable) -> list[tuple[str, int]]:
    actions = table.get_add_actions()
    paths, sizes = (actions.column(name).to_pylist() for name in ("path", "size_bytes"))
    return list(zip(paths, sizes, strict=True))


def _refuse_deletions(table: DeltaTable, where: str) -> None:
    """Rows that are marked as deleted in files of their own, beside the data."""
    from deltalake.exceptions import DeltaError

    if DELETIONS not in (table.protocol().reader_features or ()):
        return
    try:
        marked = any(batch.num_rows for batch in table.deletion_vectors())
    except (DeltaError, OSError):  # deltalake looks for them beside the copied log, where they are not
        marked = True
    if marked:
        raise NotFetched(f"that version of {where} has deletion vectors, which are not copied. {OTHER_WAY}")


def _written_at(entry: Path) -> datetime | None:
    """By the entry's commitInfo, which every writer may leave out."""
    if not entry.is_file():
        return None
    with entry.open("rb") as lines:
        said = next((info for info in map(_commit_info, lines) if info), {})
    at = said.get("inCommitTimestamp") or said.get("timestamp")
    try:
        return datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int) else None
    except (ValueError, OverflowError, OSError):
        return None


def _commit_info(line: bytes) -> Mapping[str, object]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    found = said.get("commitInfo") if isinstance(said, dict) else None
    return found if isinstance(found, dict) else {}
