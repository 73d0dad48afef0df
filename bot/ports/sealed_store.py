"""A store that keeps approved files as they were, as Protocols. Asked only for rules that seal. See also `bot.ports`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bot.domain.seals.places import Lock, SealedAt, SealedObject, SealPlan
from bot.errors import Permanent

NO_STORE = "This process has no sealed store."


class VersionFiles(Protocol):
    """A version's files as the registry hands them out now."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Of all files, in bytes, by path."""

    def fetched(self, path: str) -> AbstractContextManager[Path]:
        """The file's bytes on disk, deleted afterwards. Raises FilesUnread, Temporary or Permanent."""


@dataclass(frozen=True)
class SealOrder:
    """What is to be sealed: `manifest` has the sha256 (hex) of each file by its path, `files` is the digest of that list.

    `until`: how long the objects must be locked, None for no demand. `earlier` is where the same files were sealed before.
    """

    plan: SealPlan
    folder: str
    files: str
    manifest: Mapping[str, str]
    until: datetime | None = None
    earlier: SealedAt | None = None


@dataclass(frozen=True)
class Sealed:
    """What the store holds now. `lock` is the earliest end of the objects' locks; None when one of them has none."""

    at: SealedAt
    objects: tuple[SealedObject, ...] = field(repr=False)
    lock: Lock | None = None


@dataclass(frozen=True)
class Bucket:
    """`default_mode` is the mode of the bucket's own default retention, empty without one."""

    is_versioned: bool
    is_lockable: bool
    default_mode: str = ""


@dataclass(frozen=True)
class ObjectState:
    """`is_newest`: a reader who names no version gets this one."""

    size: int
    lock: Lock | None
    is_newest: bool


class SealedStore(Protocol):
    """Raises Temporary or Permanent."""

    def look(self, plan: SealPlan) -> Bucket: ...

    def check(self, plan: SealPlan) -> Bucket:
        """As `look`. Raises Permanent for a bucket in which nothing can be sealed under this plan."""

    def seal(self, order: SealOrder, files: VersionFiles) -> Sealed:
        """Copies what is not there yet. Running it again copies nothing twice and overwrites nothing.

        Raises OtherFiles when the files are not those of the order, and FilesUnread.
        """

    def read_index(self, at: SealedAt) -> tuple[SealedObject, ...]:
        """Raises OtherFiles when the list is gone or another one."""

    def state_of(self, bucket: str, key: str, version: str) -> ObjectState | None:
        """None when there is no such object version."""

    def sha256_of(self, bucket: str, key: str, version: str) -> str:
        """By reading it; in hex."""

    def newest_below(self, bucket: str, beginning: str) -> Iterator[tuple[str, str]]:
        """Key and version of each object whose key begins so, as readers get them that name no version."""

    def try_to_write(self, plan: SealPlan) -> None:
        """Leaves nothing behind."""


class NoSealedStore:
    """Of a process that seals nothing."""

    def look(self, plan: SealPlan) -> Bucket:  # noqa: ARG002 - the Protocol's
        raise Permanent(NO_STORE)

    def check(self, plan: SealPlan) -> Bucket:
        return self.look(plan)

    def seal(self, order: SealOrder, files: VersionFiles) -> Sealed:  # noqa: ARG002
        raise Permanent(NO_STORE)

    def read_index(self, at: SealedAt) -> tuple[SealedObject, ...]:  # noqa: ARG002
        raise Permanent(NO_STORE)

    def state_of(self, bucket: str, key: str, version: str) -> ObjectState | None:  # noqa: ARG002
        raise Permanent(NO_STORE)

    def sha256_of(self, bucket: str, key: str, version: str) -> str:  # noqa: ARG002
        raise Permanent(NO_STORE)

    def newest_below(self, bucket: str, beginning: str) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        raise Permanent(NO_STORE)

    def try_to_write(self, plan: SealPlan) -> None:  # noqa: ARG002
        raise Permanent(NO_STORE)


NO_SEALS = NoSealedStore()
