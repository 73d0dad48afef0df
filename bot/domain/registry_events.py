"""What was seen in the registry, or done in it without a request. `bot.domain.events` has all events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from bot.domain.event import Event
from bot.domain.model import Placed, Target, VersionId

T = TypeVar("T")
LISTED = 100  # holders in one ledger entry; a registry may have thousands


@dataclass(frozen=True)
class RegistryEvent(Event):
    workspace: str


@dataclass(frozen=True)
class BaselineTaken(RegistryEvent):
    """The first sweep: holders were recorded, no requests were opened."""

    models: int
    held: int


@dataclass(frozen=True)
class Held:
    """That a version held a target."""

    target: Target
    version: VersionId


@dataclass(frozen=True)
class BaselineRecorded(RegistryEvent):
    """These versions held their targets when the watch of these began: `LISTED` at most in one entry.

    A row of the table `baselines` counts only with the entry that says so. For a new rule that is `WatchBegun`. `since`: when that was, of
    rows that a rename has copied; None for this moment.
    """

    held: tuple[Held, ...]
    since: datetime | None = None


@dataclass(frozen=True)
class OldBaselinesListed(Event):
    """Of the table `baselines`, the rows that an older release wrote without an entry. `follow`: how many more entries the list has.

    Recorded once, by the first `migrate` of a release that records what is baseline; a later list counts for nothing.
    """

    held: tuple[Placed, ...]
    follow: int = 0


@dataclass(frozen=True)
class MoveObserved(RegistryEvent):
    """A target was moved by hand, or emptied (`version` None). `handling`: what the rule says of it, or `approved` if the version is."""

    target: Target
    model: str
    version: VersionId | None
    previous: VersionId | None
    handling: str


@dataclass(frozen=True)
class MoveReverted(RegistryEvent):
    """A target that was emptied without asking was given back to `to`, as the rule says."""

    target: Target
    model: str
    to: VersionId


@dataclass(frozen=True)
class ModelRenamed(RegistryEvent):
    before: str
    after: str


@dataclass(frozen=True)
class ModelGone(RegistryEvent):
    """`accepted` says that an admin has accepted a registry without it, which is announced once for all such models."""

    model: str
    reason: str
    placements: tuple[Placed, ...] = ()
    accepted: bool = False


@dataclass(frozen=True)
class ModelUnreadable(RegistryEvent):
    """A registered model cannot be looked at, for longer than a sweep takes. Once, until it can be read again."""

    model: str
    reason: str
    since: datetime


@dataclass(frozen=True)
class ModelReadable(RegistryEvent):
    """It could not be looked at since then, and can be again; the same look has judged what happened meanwhile."""

    model: str
    since: datetime


@dataclass(frozen=True)
class LookalikeSeen(RegistryEvent):
    """An alias, stage or tag (`what`) called `name` looks like `meant`, which a rule waits for. It asks nothing. Once for each name."""

    model: str
    what: str
    name: str
    meant: str
    version: int


@dataclass(frozen=True)
class RegistryDoubted(RegistryEvent):
    """It holds much less than it did, so it is not acted on: no target moves, no holder is dropped, no request is opened or expires."""

    reason: str
    known: int
    lost: int


@dataclass(frozen=True)
class RegistryTrusted(RegistryEvent):
    """What was missing is there again, or a person has accepted what there is: `person` and `reason` are empty in the first case."""

    since: datetime
    person: str = ""
    reason: str = ""


@dataclass(frozen=True)
class DatabaseRestored(Event):
    """Our own database is a backup made at `made_at`, which ends at this entry. What happened later is not on record."""

    made_at: datetime
    entries: int
    ended: int


def in_lists(many: Sequence[T]) -> list[tuple[T, ...]]:
    """As many as one ledger entry has, again and again."""
    return [tuple(many[first : first + LISTED]) for first in range(0, len(many), LISTED)]
