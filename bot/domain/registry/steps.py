"""The steps that may follow for a place. `arrivals` and `decided` choose one; effects carry it out and decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.model import StaleCause, VersionId


class Step:
    """What is to be done next."""


@dataclass(frozen=True)
class Nothing(Step):
    why: str = ""


@dataclass(frozen=True)
class Resume(Step):
    """The move is ours: its own job settles it. `restores` says that the intent gives an emptied target back."""

    request_id: str
    restores: bool = False


@dataclass(frozen=True)
class Report(Step):
    """Record the move and announce it. `approval` is the request that approved the version, empty when none did."""

    approval: str = ""


@dataclass(frozen=True)
class Ask(Step):
    """Record the move and ask people; `why` says why the rule does not act by itself, where it would."""

    why: str = ""


class How(StrEnum):
    """What putting back does with the version that came."""

    MOVE = "move"
    DENY = "deny"
    DELETE = "delete"


@dataclass(frozen=True)
class PutBack(Step):
    """Take `away_from` out of the place; `to` is set first, None when the place is left empty or, for a copy, as it is."""

    away_from: VersionId
    to: VersionId | None
    how: How


@dataclass(frozen=True)
class Restore(Step):
    """Give an emptied target back."""

    to: VersionId


@dataclass(frozen=True)
class CallPeople(Step):
    why: str


@dataclass(frozen=True)
class GoStale(Step):
    """Nothing is applied. `reopen` opens a new request on the present evidence."""

    why: str
    cause: StaleCause
    reopen: bool = True


@dataclass(frozen=True)
class CallOff(Step):
    """The approval ends, because what asked for it was taken away. What we have moved already is judged by the next look."""

    why: str


@dataclass(frozen=True)
class CheckGuard(Step):
    """Read the guard, which may take minutes, and ask again."""


@dataclass(frozen=True)
class Wait(Step):
    until: datetime
    freeze: str


@dataclass(frozen=True)
class Settle(Step):
    """The place is as it should be; `moved` says whether we have moved it."""

    moved: bool


@dataclass(frozen=True)
class Move(Step):
    """Announce it, then bring the version there, then take `archive` out of the stage."""

    from_version: VersionId | None
    archive: tuple[VersionId, ...] = ()


@dataclass(frozen=True)
class LeaveIt(Step):
    """A put-back with nothing left to do; `moved` says that we have done it already."""

    moved: bool = False


@dataclass(frozen=True)
class Guard:
    """What was read: why the approval no longer holds (empty when it does), and the freeze that is on."""

    objection: str = ""
    cause: StaleCause = StaleCause.UNKNOWN
    freeze: str = ""
    until: datetime | None = None
