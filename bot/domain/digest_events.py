"""Events of the weekly digest. `events` has them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.event import Event


@dataclass(frozen=True)
class DigestClosed(Event):
    """A week's figures were frozen. `digest` is the sha256 of their canonical JSON, `files` those of the report's files by name."""

    week: str
    digest: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class DigestDelivered(Event):
    """`to` is slack, jira or email; `where` leads there."""

    week: str
    to: str
    where: str


@dataclass(frozen=True)
class DigestSignedOff(Event):
    """A member of the policy's group signed a digest off. `digest` is the sha256 of its figures, as in `DigestClosed`.

    `entries` is the number of the last ledger entry that the digest covers. `signed_request` is the digest of the notifier's request
    that it came in; empty from a page.
    """

    week: str
    digest: str
    entries: int
    person: str
    remark: str
    signed_request: str = ""


@dataclass(frozen=True)
class DigestsLeftOut(Event):
    """After a long stop only the newest weeks get a digest; these do not, and the next digest says so."""

    weeks: tuple[str, ...]
