"""What is asked whether evidence is still there, as Protocols: cheap questions, without reading the files. See also `bot.ports`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bot.errors import NotFetched, Temporary


class RunState(StrEnum):
    """A deleted run can be restored, until MLflow's garbage collection takes it."""

    THERE = "there"
    DELETED = "deleted"
    ERASED = "erased"


@dataclass(frozen=True)
class Committed:
    """A commit that a branch of the remote has, or had: `files` are those that were asked for and that it has."""

    is_on_branch: bool
    files: Mapping[str, bytes] = field(default_factory=dict)


class CommitKeeper(Protocol):
    """A read-only copy of a git remote."""

    def look_after(self, remote: str, wanted: Mapping[str, Collection[str]]) -> Mapping[str, Committed]:
        """By commit, as the remote is now; `wanted` are paths in each commit. Fetches once. Raises Temporary or Permanent."""


class KeptData(Protocol):
    """One opened DVC remote."""

    def there(self, md5s: Collection[str]) -> frozenset[str]:
        """Those of the hashes that the remote has, by asking for each. Raises NotFetched when it cannot tell."""

    def listed_in(self, folder: str) -> tuple[str, ...]:
        """The hashes of a folder's files, from its list. Raises NotFetched."""


class DataKeeper(Protocol):
    """Opens the remotes that hold the data of a `dvc.lock`."""

    def can_look(self) -> bool:
        """Whether what it takes is installed."""

    def default_remote(self, config: str) -> str:
        """The address in a repository's `.dvc/config`. Raises NotFetched when it has none that can be used here."""

    def open(self, url: str) -> KeptData:
        """Raises NotFetched for an address that cannot be read."""


class NothingKept:
    """Of a process that looks after nothing."""

    def look_after(self, remote: str, wanted: Mapping[str, Collection[str]]) -> Mapping[str, Committed]:  # noqa: ARG002
        raise Temporary(f"This process keeps no mirror of {remote}.")

    def can_look(self) -> bool:
        return False

    def default_remote(self, config: str) -> str:  # noqa: ARG002 - the Protocol's
        raise NotFetched("this process opens no DVC remote")

    def open(self, url: str) -> KeptData:
        raise NotFetched(f"this process does not open {url}")


NOTHING_KEPT = NothingKept()
