"""Events of votes and of who may cast them: signatures, accounts bound to people, approvals called off. `events` has them all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.event import Event, RequestEvent
from bot.domain.model import Target, Vote


@dataclass(frozen=True)
class VoteCast(RequestEvent):
    vote: Vote


@dataclass(frozen=True)
class VoteRefused(RequestEvent):
    """A vote on record does not count: nothing proves that `person` cast it. `cast_at` is its moment by the record."""

    person: str
    cast_at: datetime
    reason: str


@dataclass(frozen=True)
class DecisionReopened(RequestEvent):
    """Nothing on record supports the decision, and it was not carried out: the request waits for votes again."""

    reason: str


@dataclass(frozen=True)
class OwnAskApproved(RequestEvent):
    """After the approval was carried out it became known that `person`, whose vote it rests on, had asked for it in the registry."""

    person: str
    vouched_by: str


@dataclass(frozen=True)
class SelfApprovalRefused(RequestEvent):
    """Somebody wanted to approve what they had asked for or trained. Once a request, person and day, however often they click."""

    person: str


@dataclass(frozen=True)
class AttestationSigned(RequestEvent):
    """A vote, or the decision, was signed: `about` says which, `person` whose vote it is (empty for the decision).

    `digest` is the sha256 of the envelope's text, so that the ledger vouches for when it was signed."""

    about: str
    person: str
    key: str
    digest: str


@dataclass(frozen=True)
class VoteSigned(AttestationSigned):
    pass


@dataclass(frozen=True)
class DecisionSigned(AttestationSigned):
    """From now on the target may move."""


@dataclass(frozen=True)
class VerdictSigned(Event):
    """A short-lived verdict (VSA) on the version `uri`, which holds until `expires_at`; `digest` is of its envelope."""

    workspace: str
    uri: str
    target: Target
    passed: bool
    expires_at: datetime
    key: str
    digest: str


SIGNATURES = (VoteSigned, DecisionSigned)


@dataclass(frozen=True)
class ModelSigned(RequestEvent):
    """The approved files were signed for other verifiers; `digest` is the sha256 of the envelope's text."""

    key: str
    digest: str


@dataclass(frozen=True)
class ApprovalCalledOff(RequestEvent):
    """An approval ended before it was applied: `person` called it off, or the ask was taken away, and then `person` is empty."""

    person: str
    reason: str


@dataclass(frozen=True)
class VotesRebound(RequestEvent):
    """Since an upgrade the same rule has another hash: votes and approvals under `before` count under `after`."""

    before: str
    after: str


@dataclass(frozen=True)
class StandInsVoided(RequestEvent):
    """The escalation group has other members now, so earlier votes no longer count for it."""

    group: str


@dataclass(frozen=True)
class OldVote:
    """A vote from before signed requests were kept: in which request, whose, and when."""

    request_id: str
    person: str
    at: datetime


@dataclass(frozen=True)
class OldBinding:
    account: str
    person: str


@dataclass(frozen=True)
class OldRecordsListed(Event):
    """What an older release left and this one believes as it is: open votes without a signed request, bindings and verdicts (digests of
    their envelopes) without an entry.

    Recorded once, by the first `migrate` of a release that keeps signed requests; a later one counts for nothing.
    """

    votes: tuple[OldVote, ...]
    bindings: tuple[OldBinding, ...]
    verdicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccountBound(Event):
    """From now on the notifier's account is this person's, also when it shows another e-mail address. `how` is a Binding."""

    person: str
    account: str
    how: str
    by: str = ""


@dataclass(frozen=True)
class AccountUnbound(Event):
    """The account belongs to no person now; what the person may not vote on stays closed to it."""

    person: str
    account: str
    by: str = ""
