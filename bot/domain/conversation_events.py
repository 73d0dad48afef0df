"""Events of a request's conversation, and what each changes in the request: questions, answers, hand-overs, comments on record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.conversation_state import Comment, Conversation, Handover, Question, Stop
from bot.domain.event import RequestEvent
from bot.domain.model import TransitionRequest
from bot.domain.references import PostedCard


@dataclass(frozen=True)
class QuestionAsked(RequestEvent):
    """`resumes_at`: when the clock of the request goes on at the latest; None when this question does not stop it."""

    number: int
    person: str
    text: str
    resumes_at: datetime | None = None


@dataclass(frozen=True)
class QuestionPosted(RequestEvent):
    """The reply below the card; its button is believed in this message only."""

    number: int
    posted: PostedCard


@dataclass(frozen=True)
class QuestionAnswered(RequestEvent):
    """With the last answer, the clock of the request goes on."""

    number: int
    person: str
    text: str


@dataclass(frozen=True)
class RequestReassigned(RequestEvent):
    """`by` asks `person` to decide; others may still vote."""

    by: str
    person: str
    note: str


@dataclass(frozen=True)
class CommentRecorded(RequestEvent):
    """Somebody marked a message of the card's thread for the record."""

    comment: Comment


def conversed(request: TransitionRequest, event: RequestEvent) -> TransitionRequest:
    said = request.conversation
    if isinstance(event, QuestionAsked):
        return _asked(request, event)
    if isinstance(event, QuestionPosted):
        return replace(request, conversation=_with_question(said, event.number, posted=event.posted))
    if isinstance(event, QuestionAnswered):
        return _answered(request, event)
    if isinstance(event, RequestReassigned):
        handover = Handover(event.by, event.person, event.note, event.at, request.reminders)
        return replace(request, conversation=replace(said, handovers=(*said.handovers, handover)))
    if isinstance(event, CommentRecorded):
        return replace(request, conversation=replace(said, comments=(*said.comments, event.comment)))
    return request


def _asked(request: TransitionRequest, event: QuestionAsked) -> TransitionRequest:
    """The deadline is later at once by as long as the clock may be stopped: it is never too early, whoever reads it."""
    said = request.conversation
    question = Question(event.number, event.person, event.text, event.at)
    asked = replace(said, questions=(*said.questions, question))
    if event.resumes_at is None:
        return replace(request, conversation=asked)
    stopped = replace(asked, stops=(*said.stops, Stop(event.at, event.resumes_at)))
    return _later(replace(request, conversation=stopped), event.resumes_at - event.at)


def _answered(request: TransitionRequest, event: QuestionAnswered) -> TransitionRequest:
    """With the last answer the clock goes on, and the deadline comes back by the part of the stop that was not used."""
    changes = {"answered_by": event.person, "answer": event.text, "answered_at": event.at}
    said = _with_question(request.conversation, event.number, **changes)
    left = request.conversation.left_of_stop(event.at)
    if said.unanswered or left <= timedelta():
        return replace(request, conversation=said)
    last = said.stops[-1]
    ended = replace(said, stops=(*said.stops[:-1], Stop(last.since, event.at)))
    return _later(replace(request, conversation=ended), -left)


def _later(request: TransitionRequest, by: timedelta) -> TransitionRequest:
    return replace(request, expires_at=request.expires_at + by) if request.expires_at else request


def _with_question(said: Conversation, number: int, **changes: object) -> Conversation:
    return replace(
        said,
        questions=tuple(
            replace(one, **changes) if one.number == number else one  # type: ignore[arg-type]
            for one in said.questions
        ),
    )


CONVERSATION_EVENTS = (QuestionAsked, QuestionPosted, QuestionAnswered, RequestReassigned, CommentRecorded)
