"""The weekly digest: an auditor's questions and their answers, as plain values that are frozen when the week closes. Pure.

`bot.store.digest_figures` counts and `handlers.digest.gathering` collects. Lists hold at most LISTED items and their total. The complete
events are in the records, which are written from the ledger, and complete inventories in `bot.reports.lists`. People are ids, as in the
ledger; `names` has their names when the week closed, so that a reprint has the same bytes, and `emails` the addresses of those who appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from bot.domain.digest.control import Control
from bot.domain.digest.periods import Period
from bot.domain.model import Kind, Target, VersionId

LISTED = 200
TREND_WEEKS = 12

T = TypeVar("T")


@dataclass(frozen=True)
class Listed(Generic[T]):
    """At most LISTED items, in reading order, and the total."""

    shown: tuple[T, ...]
    total: int


class FindingKind(StrEnum):
    """Kinds of findings, the most serious first, in the order of the sections."""

    LEDGER_BROKEN = "ledger_broken"
    VOTE_REFUSED = "vote_refused"
    GLASS_NOT_REVIEWED = "glass_not_reviewed"
    GLASS_BROKEN = "glass_broken"
    MOVED_WITHOUT_APPROVAL = "moved_without_approval"
    HELD_WITHOUT_APPROVAL = "held_without_approval"
    UNKNOWN_REQUESTER = "unknown_requester"
    ROLLED_BACK = "rolled_back"
    EVIDENCE_LOST = "evidence_lost"
    APPROVAL_TOO_OLD = "approval_too_old"
    LINEAGE_INCOMPLETE = "lineage_incomplete"
    NO_RULE = "no_rule"
    PARKED_JOBS = "parked_jobs"
    SELF_APPROVAL_REFUSED = "self_approval_refused"
    OWN_ASK_APPROVED = "own_ask_approved"
    NOT_SIGNED_OFF = "not_signed_off"
    DIGESTS_LEFT_OUT = "digests_left_out"


@dataclass(frozen=True)
class Finding:
    """One finding. `sentence` says what, which, and what to do next; `link` leads to it, or is empty."""

    concern: FindingKind
    sentence: str
    at: datetime | None = None
    model: str = ""
    link: str = ""


@dataclass(frozen=True)
class Holding:
    """One line of the inventory: the version that held a target when the week ended.

    `since` is None when that was before the first record. `by` are person ids, empty when people did not decide, and `decided` says who or
    what did. `roles` are the groups that each person voted for. `author` is the person who trained the version, else `claimed_author` is
    what the client said. `data` has the digests of the training data sets, with the versions of Delta tables; `approval_age` is the
    approval's age at the end of the week. `restored_at` and `restored_by`: when a rollback brought it back on that approval, and the
    id of who asked for it.
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
    restored_at: datetime | None = None
    restored_by: str | None = None


@dataclass(frozen=True)
class EarlierApproval:
    """Who or what approved a version before a rollback brought it back, as in `Holding`, and when."""

    decided: str
    by: tuple[str, ...]
    roles: tuple[str, ...]
    at: datetime | None
    ticket: str


@dataclass(frozen=True)
class Transition:
    """A transition that ended in the week: `outcome` is the request's state (applied, rejected, expired, ...).

    `previous` held the target before it was applied. `roles`, `author` and `claimed_author` as in `Holding`. `earlier` is the approval
    behind a rollback that the rule allowed at once.
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
    earlier: EarlierApproval | None = None


@dataclass(frozen=True)
class Waiting:
    """A request that was undecided when the week ended. It expires after `decide_by`."""

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
    """The time from opening to decision by people, for requests decided in the week; None without any."""

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
    """One rule's figures in the week. `agreed`, `false_passes` and `false_holds` compare its results with people's (see Agreement)."""

    rule: str
    passed: int
    held: int
    undone: int
    agreed: int
    false_passes: int
    false_holds: int


@dataclass(frozen=True)
class PolicyChange:
    """`kind` is the ledger entry's: PolicyActivated, PolicyRefused, FastTrackSwitched, AwayDeclared, KeyAdded, KeyRetired, ..."""

    at: datetime
    kind: str
    sentence: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """The pipeline of one held version: stages and their inputs, from `bot.domain.evidence.dvc_lock`. `missing` says why there is none."""

    version: VersionId
    target: Target
    stages: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    missing: str = ""


@dataclass(frozen=True)
class LedgerFigures:
    """`first` and `last` are the numbers of the week's entries (both 0 without entries), `count` is the ledger's size at its end.

    `news` is the number of the week's entries that are not about digests. `checkpoint` is the signed note over which the digest was closed;
    `fault` is empty when everything verified.
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
    control: Control = field(default_factory=Control)
    emails: Mapping[str, str] = field(default_factory=dict)
    form: int = 1
    language: str = "en"

    @property
    def is_quiet(self) -> bool:
        """True when nothing moved, was requested, decided or changed; holders and waiting requests may still need attention."""
        return self.ledger.news == 0


def blank(period: Period, closed_at: datetime) -> Digest:
    """A digest without any counts."""
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
