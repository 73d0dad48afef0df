"""What people say about a request beside their votes: questions and answers, hand-overs, comments on record. Plain values.

The clock of a request is said here, and only here: while a question is open, expiry, reminders and escalation stop. A freeze holds back
approvals and no vote, so it neither stops this clock nor is stopped by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.figures import OMIT_EMPTY
from bot.domain.references import PostedCard

LONGEST_STOP = timedelta(days=3)  # where nothing expires: then a question holds up reminders for so long at most
Elapsed = Callable[[datetime, datetime], timedelta]


@dataclass(frozen=True)
class Question:
    """`number` counts from 1 in its request. `posted` is the reply below the card. `answered_by` is empty while it waits."""

    number: int
    person: str
    text: str
    at: datetime
    posted: PostedCard | None = None
    answered_by: str = ""
    answer: str = ""
    answered_at: datetime | None = None

    def is_open_at(self, at: datetime) -> bool:
        return self.at <= at and (self.answered_at is None or self.answered_at > at)


@dataclass(frozen=True)
class Stop:
    """The clock is stopped from `since` to `until`; while a question is open, that is the latest moment at which it goes on."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Handover:
    """`by` asked `to` to decide; others may still vote. `reminders` is how many had been sent before."""

    by: str
    to: str
    note: str
    at: datetime
    reminders: int = 0


@dataclass(frozen=True)
class Comment:
    """A message of the card's thread that `marked_by` put on record, with its text as it was then.

    `message` is its id at the notifier, `author` who wrote it at `written_at`. `is_edit`: an earlier text of it is on record too.
    """

    message: str
    author: str
    marked_by: str
    text: str
    written_at: datetime
    url: str
    at: datetime
    is_edit: bool = False


@dataclass(frozen=True)
class Conversation:
    """In the order in which it happened."""

    questions: tuple[Question, ...] = field(default=(), metadata={OMIT_EMPTY: True})
    stops: tuple[Stop, ...] = field(default=(), metadata={OMIT_EMPTY: True})
    handovers: tuple[Handover, ...] = field(default=(), metadata={OMIT_EMPTY: True})
    comments: tuple[Comment, ...] = field(default=(), metadata={OMIT_EMPTY: True})

    def __bool__(self) -> bool:
        return bool(self.questions or self.stops or self.handovers or self.comments)

    @property
    def unanswered(self) -> tuple[Question, ...]:
        return tuple(question for question in self.questions if question.answered_at is None)

    @property
    def people(self) -> frozenset[str]:
        """The ids of all who are named in it."""
        asked = {person for one in self.questions for person in (one.person, one.answered_by)}
        handed = {person for one in self.handovers for person in (one.by, one.to)}
        wrote = {person for one in self.comments for person in (one.author, one.marked_by)}
        return frozenset(filter(None, asked | handed | wrote))

    def question(self, number: int) -> Question | None:
        return next((one for one in self.questions if one.number == number), None)

    def is_stopped(self, at: datetime) -> bool:
        return any(stop.since <= at < stop.until for stop in self.stops)

    def resumes_at(self, at: datetime, expire_after: timedelta | None) -> datetime | None:
        """When the clock goes on at the latest if a question is asked now; None when that stops nothing.

        All stops of a request together last no longer than its rule's `expire_after`, so that no question keeps it open for ever.
        """
        used = sum((stop.until - stop.since for stop in self.stops), timedelta())
        left = (expire_after or LONGEST_STOP) - used
        return None if self.is_stopped(at) or left <= timedelta() else at + left

    def left_of_stop(self, at: datetime) -> timedelta:
        """How much earlier the clock goes on when it does so at `at`."""
        return max((stop.until - at for stop in self.stops if stop.since <= at < stop.until), default=timedelta())

    def waited(self, since: datetime, until: datetime, elapsed: Elapsed) -> timedelta:
        """The time between the two as `elapsed` measures it, without those in which the clock was stopped."""
        stopped = sum((elapsed(*span) for span in self._stopped(since, until)), timedelta())
        return elapsed(since, until) - stopped

    def stopped_for(self, since: datetime, until: datetime) -> timedelta:
        return sum((ends - begins for begins, ends in self._stopped(since, until)), timedelta())

    def _stopped(self, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
        spans = [(max(stop.since, since), min(stop.until, until)) for stop in self.stops]
        return [(begins, ends) for begins, ends in spans if begins < ends]
