"""What happened to the evidence of an approval after the decision: parts of it were lost, found again, or could not be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.event import RequestEvent


@dataclass(frozen=True)
class EvidenceLost(RequestEvent):
    """`part` is a `bot.domain.evidence.losses.Part`, and `names` are the first of the `count` things of it that are gone.

    `seen_at`: when all of it was last known to be there. It changes neither the decision nor any target.
    """

    part: str
    names: tuple[str, ...]
    count: int
    seen_at: datetime


@dataclass(frozen=True)
class EvidenceFound(RequestEvent):
    """All of the part is there: it was lost, or could not be looked at, since then."""

    part: str
    since: datetime


@dataclass(frozen=True)
class EvidenceOutOfSight(RequestEvent):
    """Several looks in a row could not tell whether the part is there. Once, until it can be looked at."""

    part: str
    reason: str
    since: datetime


@dataclass(frozen=True)
class LossAcknowledged(RequestEvent):
    """A person knows that these parts are lost, or out of sight: the digest names them no longer, until more is lost."""

    parts: tuple[str, ...]
    person: str
    reason: str
