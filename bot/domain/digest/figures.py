"""The weekly digest: an auditor's questions answered, as plain values that are frozen when the week closes. Pure.

Counting is the database's work (`bot.store.digest_figures`), gathering a story's (`handlers.digest.gathering`).
Lists are capped at LISTED and say
how many there are in all: what happened stands in the records, which are written straight from the ledger, and what was held and waited
in lists of their own (`bot.reports.lists`). People are ids here, as in the ledger; `names` says how they were called when the week closed,
so that a past week is told in the same bytes again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from bot.domain.digest.periods import Period
from bot.domain.model import Kind, Target, VersionId

LISTED = 200
TREND_WEEKS = 12

T = TypeVar("T")


@dataclass(frozen=True)
class Listed(Generic[T]):
    """At most LISTED of them, in the order of reading, and how many there are in all."""

    shown: tuple[T, ...]
    total: int


class FindingKind(StrEnum):
    """What needs attention, the gravest first: the order of the sections."""

    LEDGER_BROKEN = "ledger_broken"
    MOVED_WITHOUT_APPROVAL = "moved_without_approval"
    HELD_WITHOUT_APPROVAL = "held_without_approval"
    APPROVAL_TOO_OLD = "approval_too_old"
    LINEAGE_INCOMPLETE = "lineage_incomplete"
    NO_RULE = "no_rule"
    PARKED_JOBS = "parked_jobs"
    SELF_APPROVAL_REFUSED = "self_approval_refused"
    DIGESTS_LEFT_OUT = "digests_left_out"


@dataclass(frozen=True)
class Finding:
    """One matter. `sentence` says what, which, and what next; `link` leads there, empty when nothing does."""

    concern: FindingKind
    sentence: str
    at: datetime | None = None
    model: str = ""
    link: str = ""


@dataclass(frozen=True)
class Holding:
    """One line of the inventory: who held a target when the week ended.

    `since` is None when that was before anything was recorded. `by` are person ids, empty when `decided` says otherwise (the fast track,
    the rule, nobody), and `roles` the groups that each of them voted for. `author` is the person who trained the version, or else
    `claimed_author` what the client said. `data` is the digest of the training data set, `approval_age` that at the end of the week.
    """

    version: VersionId
    target: Target
    since: datetime | None
    decided: str
    by: tuple[str, ...]
    approved_at: datetime | None
    approval_age: timedelta | None
    commit: str
    data: str
    ticket: str
    ticket_url: str
    request_id: str
    evidence_url: str
    roles: tuple[str, ...] = ()
    author: str | None = None
    claimed_author: str = ""


@dataclass(frozen=True)
class Transition:
    """One that ended in the week: `outcome` is applied, rejected, expired, ... as the request's state says.

    `previous` held the target before it was applied. `roles`, `author` and `claimed_author` as in `Holding`.
    """

    request_id: str
    kind: Kind
    version: VersionId
    target: Target
    outcome: str
    at: datetime
    decided: str
    by: tuple[str, ...]
    requester: str | None
    reason: str
    ticket: str
    ticket_url: str
    evidence_url: str
    roles: tuple[str, ...] = ()
    author: str | None = None
    claimed_author: str = ""
    previous: VersionId | None = None


@dataclass(frozen=True)
class Waiting:
    """A request that nobody had decided when the week ended. After `decide_by` it expires."""

    request_id: str
    version: VersionId
    target: Target
    opened_at: datetime
    age: timedelta
    missing: str
    ticket: str
    ticket_url: str = ""
    decide_by: datetime | None = None


@dataclass(frozen=True)
class Latency:
    """From opening to decision by people, of those decided in the week; None where nobody decided anything."""

    rule: str
    decided: int
    median: timedelta | None
    p95: timedelta | None


@dataclass(frozen=True)
class WeekOfTrend:
    week: str
    decided: int
    median: timedelta | None
    p95: timedelta | None
    transitions: int


@dataclass(frozen=True)
class FastTrackFigures:
    """Of one rule in the week. `agreed`, `false_passes` and `false_holds` compare what it said with what people did (see agreement)."""

    rule: str
    passed: int
    held: int
    undone: int
    agreed: int
    false_passes: int
    false_holds: int


@dataclass(frozen=True)
class PolicyChange:
    """`kind` is the ledger's: PolicyActivated, PolicyRefused, FastTrackSwitched, AwayDeclared, KeyAdded, KeyRetired, ..."""

    at: datetime
    kind: str
    sentence: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """Of one held version: stages and what they read, as `bot.domain.evidence.dvc_lock` tells them. `missing` says why there is none."""

    version: VersionId
    target: Target
    stages: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    missing: str = ""


@dataclass(frozen=True)
class LedgerFigures:
    """`first` and `last` are the numbers of the week's entries (both 0 for a week without any), `count` is all there were at its end.

    `news` are the week's entries that are not about digests. `checkpoint` is the signed note that the digest was closed over; `fault` is
    empty when everything verified.
    """

    first: int
    last: int
    count: int
    checkpoint: str
    fault: str
    news: int


@dataclass(frozen=True)
class Digest:
    period: Period
    closed_at: datetime
    attention: Listed[Finding]
    concerns: Mapping[FindingKind, int]
    inventory: Listed[Holding]
    transitions: Listed[Transition]
    outcomes: Mapping[str, int]
    waiting: Listed[Waiting]
    latency: tuple[Latency, ...]
    trend: tuple[WeekOfTrend, ...]
    fast_track: tuple[FastTrackFigures, ...]
    changes: Listed[PolicyChange]
    pipelines: tuple[Pipeline, ...]
    ledger: LedgerFigures
    names: Mapping[str, str]

    @property
    def is_quiet(self) -> bool:
        """Nothing moved, was asked, decided or changed in the week; what is held and waits may still need attention."""
        return self.ledger.news == 0


def blank(period: Period, closed_at: datetime) -> Digest:
    """One in which nothing was counted."""
    return Digest(
        period=period,
        closed_at=closed_at,
        attention=Listed((), 0),
        concerns={},
        inventory=Listed((), 0),
        transitions=Listed((), 0),
        outcomes={},
        waiting=Listed((), 0),
        latency=(),
        trend=(),
        fast_track=(),
        changes=Listed((), 0),
        pipelines=(),
        ledger=LedgerFigures(0, 0, 0, "", "", 0),
        names={},
    )
