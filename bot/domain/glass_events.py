"""Events of break glass: a person promoted at once, and others reviewed it. `bot.domain.events` has all events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.event import RequestEvent
from bot.domain.model import Vote


@dataclass(frozen=True)
class GlassBroken(RequestEvent):
    """`deed` is what the person sent, like a vote with a reason; it counts for no quorum. `despite` as in `BrokenGlass`."""

    deed: Vote
    group: str
    reviewers: str
    review_by: datetime
    despite: str = ""


@dataclass(frozen=True)
class GlassHeld(RequestEvent):
    """It decided nothing: people have rejected this content before, which the person had not been shown."""

    reason: str


@dataclass(frozen=True)
class GlassPassed(RequestEvent):
    """What it was done in spite of, once the evidence was frozen: one clause each."""

    what: tuple[str, ...]


@dataclass(frozen=True)
class GlassReviewDue(RequestEvent):
    """A reminder of the review; `is_overdue` when its time was up."""

    number: int
    is_overdue: bool


@dataclass(frozen=True)
class GlassReviewed(RequestEvent):
    """Somebody else has looked at it. `said` is like a vote: to reject is to ask for the way back."""

    said: Vote


GLASS_EVENTS = (GlassBroken, GlassHeld, GlassPassed, GlassReviewDue, GlassReviewed)
