"""Where training code and data can be brought back from, as Protocols: the git remote and the data store. See also `bot.ports`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bot.domain.evidence.dvc_lock import Entry
from bot.domain.evidence.lineage import Mirrored
from bot.domain.figures import Artifacts


class GitMirror(Protocol):
    """A read-only copy of a git remote, so that a commit need not be taken on trust."""

    def look(self, remote: str, commit: str, main: str, lock_path: str, code: str) -> Mirrored:
        """What the remote now has of the commit, and of the file `lock_path` in it. Raises Temporary or Permanent.

        `code` is the commit that the training ran from, empty when none is named.
        """

    def read_files(self, remote: str, commit: str, paths: Collection[str]) -> Mapping[str, bytes]:
        """The bytes of these files in the commit; leaves out files that it does not have. Raises Temporary or Permanent."""


@dataclass(frozen=True)
class Fetched:
    """A downloaded file whose md5 is the one in the lock. `size` is in bytes."""

    path: str
    md5: str
    sha256: str
    size: int


class DataRemote(Protocol):
    """One opened DVC remote."""

    def fetch(self, entry: Entry, into: Path) -> list[Fetched]:
        """Writes below `into` only, and overwrites nothing. Raises NotFetched, or NotOnRemote when it lacks that hash."""


class DataStore(Protocol):
    """Opens the remotes that hold the data of a `dvc.lock`."""

    def default_remote(self, config: str) -> str:
        """The address in a repository's `.dvc/config`. Raises NotFetched when it has none that can be used here."""

    def open(self, url: str) -> DataRemote:
        """Raises NotFetched for an address that cannot be read."""


@dataclass(frozen=True)
class FetchedTable:
    """A version of a Delta table as it was copied: the digest of its data files, and when the version was written, None if its log no
    longer says so."""

    files: Artifacts
    written_at: datetime | None


class TableStore(Protocol):
    """Copies Delta tables from where they are."""

    def place_of(self, path: str) -> str:
        """The directory or address that a recorded path means; looks at nothing. Raises NotFetched for what cannot be read here."""

    def real_place(self, place: str) -> str:
        """Where the links of a directory lead. Raises NotFetched."""

    def fetch(self, place: str, version: int, into: Path, before: datetime) -> FetchedTable:
        """Writes that version below `into`, and overwrites nothing. Raises NotFetched, also when it was written after `before`."""
