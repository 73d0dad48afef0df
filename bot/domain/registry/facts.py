"""The facts about one place, a target of a registered model by name. What they mean is in `custody`, what follows from them in `steps`.

`handlers.custody.facts` gathers them: holders and existing versions from the registry, read now; the rest from our database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.broken_glass import GlassReview
from bot.domain.model import Ask, DecidedBy, Kind, State, Target, TargetKind, TransitionRequest, VersionId

RESTORE = "restore:"  # begins the id of an intent that belongs to no request


class Handling(StrEnum):
    """What the rule says about a move by hand. `IGNORE` and, without a rule, `REPORT` are the policy's default."""

    IGNORE = "ignore"
    REPORT = "report"
    ASK = "ask"
    REVERT = "revert"

    def is_stricter_than(self, other: Handling) -> bool:
        order = list(Handling)
        return order.index(self) > order.index(other)


@dataclass(frozen=True)
class Intent:
    """Our committed announcement that we are about to move a target. An observed move that equals it is our own.

    `to_version` is None when the target is emptied, or when a copy is made, whose number is not known before. `done_at`: once settled.
    """

    request_id: str
    workspace: str
    model: str
    target: Target
    from_version: int | None
    to_version: int | None
    at: datetime
    done_at: datetime | None = None

    @property
    def restores(self) -> bool:
        """Whether it gives an emptied target back, for which there is no request."""
        return self.request_id.startswith(RESTORE)


@dataclass(frozen=True)
class Facts:
    """All that is known about a place.

    `holders`: who holds it in the registry now, newest first. `there`: all versions that the registry still has.
    `decisions`: the requests about the place, oldest first, with versions and targets under the model's present name.
    `baseline`: what was in the place when it began to be watched, and when that was. `seen`: since when we know of each holder.
    `sources`: for each copy in a target model, the version that it was made from. `intents`: the open ones.
    `handling` and `deletes_copies` are the rule's; `watched_since` is None for a place that is not watched yet.
    `restored`: when the rule has given the emptied target back. `accepted_backup`: our database was restored from a backup of then, and
    an admin has accepted what the registry held: what was decided before gives way to that. `taken_away`: the asks that were taken away
    in the registry, by the id of the request that nothing else asks for. `spared`: the ledger says of these that they were there when a
    watch began, whatever our rows say.
    """

    workspace: str
    model: str
    target: Target
    holders: tuple[VersionId, ...] = ()
    there: frozenset[VersionId] = frozenset()
    decisions: tuple[TransitionRequest, ...] = ()
    baseline: Mapping[VersionId, datetime] = field(default_factory=dict)
    seen: Mapping[VersionId, datetime] = field(default_factory=dict)
    sources: Mapping[VersionId, VersionId] = field(default_factory=dict)
    intents: tuple[Intent, ...] = ()
    handling: Handling = Handling.REPORT
    deletes_copies: bool = False
    watched_since: datetime | None = None
    restored: tuple[datetime, ...] = ()
    accepted_backup: datetime | None = None
    taken_away: tuple[tuple[str, Ask], ...] = ()
    spared: frozenset[VersionId] = frozenset()

    @property
    def is_shared(self) -> bool:
        """A stage or a target model may have several holders."""
        return self.target.kind is not TargetKind.ALIAS

    def about(self, version: VersionId) -> tuple[TransitionRequest, ...]:
        """The requests about the version, or that made it as their copy; oldest first."""
        return tuple(request for request in self.decisions if is_about(request, version))


def is_about(request: TransitionRequest, version: VersionId) -> bool:
    return version in (request.version, *request.copies)


def came_by(request: TransitionRequest) -> tuple[VersionId, ...]:
    """Which versions the applied request brought to its place, or let stay there."""
    is_copied = request.target.kind is TargetKind.MODEL and request.version.model != request.target.name
    return request.copies if is_copied else (request.version,)


def when(request: TransitionRequest) -> datetime:
    """The moment that counts when the newest decision wins."""
    return request.settled_at if request.state is State.APPLIED and request.settled_at else decided(request)


def decided(request: TransitionRequest) -> datetime:
    """When people, or the rule, decided it: of two approvals the later one counts, however long each takes to be applied."""
    return request.decided_at or request.opened_at


def is_a_no(request: TransitionRequest) -> bool:
    """People rejected the version for this target, before or after it got there. A rule that puts a move back says nothing about it."""
    was_rejected = request.state is State.REJECTED and request.decided_by is not DecidedBy.RULE
    return was_rejected or rejected_by_review(request) is not None


def rejected_by_review(request: TransitionRequest) -> GlassReview | None:
    """The review of a broken glass, if it said no to what was applied."""
    review = request.glass.review if request.glass is not None and request.state is State.APPLIED else None
    return None if review is None or review.is_confirmed else review


def last_word(request: TransitionRequest) -> datetime:
    """When people last said something with it. `when` gives the order in which versions came to the place."""
    review = rejected_by_review(request)
    return review.at if review is not None else when(request)


def is_unconfirmed(request: TransitionRequest) -> bool:
    """One person decided it by breaking the glass, and no review has confirmed that."""
    glass = request.glass
    if glass is None or request.decided_by is not DecidedBy.BREAK_GLASS:
        return False
    return glass.review is None or not glass.review.is_confirmed


def was_put_back_by_rule(request: TransitionRequest) -> bool:
    is_no = request.state is State.REJECTED and request.kind is Kind.OBSERVED
    return is_no and request.decided_by is DecidedBy.RULE


def intent_of(request: TransitionRequest, facts: Facts) -> Intent | None:
    return next((intent for intent in facts.intents if intent.request_id == request.id), None)


def copies_of(request: TransitionRequest, facts: Facts) -> tuple[VersionId, ...]:
    """What an earlier try has copied already: made from our version, and newer than the newest at the time of the intent."""
    intent = intent_of(request, facts)
    if facts.target.kind is not TargetKind.MODEL or intent is None:
        return ()
    made = (version for version in facts.holders if facts.sources.get(version) == request.version)
    return tuple(version for version in made if version.version > (intent.from_version or 0))
