"""Sentences about a request's conversation: on its card while it waits, and on its ticket for good."""

from __future__ import annotations

from datetime import datetime

from bot.domain.card.card import Fact
from bot.domain.card.context import CardContext, name_or_someone
from bot.domain.conversation.reassignment import in_charge
from bot.domain.conversation_state import Comment, Handover, Question
from bot.domain.model import State, TransitionRequest
from bot.domain.names import in_one_line
from bot.language import _, moment, sentences


def conversation_lines(request: TransitionRequest, context: CardContext) -> list[str]:
    """On the card: whom it was handed to, and which questions are open. Empty once no one has to act on them."""
    if request.state is not State.PENDING:
        return []
    handover = in_charge(request)
    lines = [handover_text(handover, context)] if handover else []
    lines += [open_question_text(one, context) for one in request.conversation.unanswered]
    return [*lines, clock_text(request)] if request.conversation.unanswered else lines


def open_question_text(question: Question, context: CardContext) -> str:
    return _(
        "{person} asks: {question}",
        person=name_or_someone(context.names, question.person),
        question=in_one_line(question.text),
    )


def clock_text(request: TransitionRequest) -> str:
    """Without our clock, so that the card does not change by itself: the moment says whether it is past."""
    resumes = resumes_at(request)
    if resumes is None:
        return _("Votes still count. The time to decide runs on: questions have stopped it for as long as they may.")
    return _("Votes still count. The time to decide is stopped until the answer, at most until {until}.", until=resumes)


def resumes_at(request: TransitionRequest) -> datetime | None:
    """When the clock goes on at the latest, if an open question has stopped it."""
    first = min((one.at for one in request.conversation.unanswered), default=None)
    last = next(reversed(request.conversation.stops), None)
    return last.until if last and first and last.until > first else None


def decide_by(request: TransitionRequest) -> list[Fact]:
    """While a question has stopped the clock, the date is that of an answer that comes as late as it may."""
    if request.expires_at is None:
        return []
    label = _("Decide by, if unanswered") if resumes_at(request) else _("Decide by")
    return [Fact(label, moment(request.expires_at))]


def handover_text(handover: Handover, context: CardContext) -> str:
    said = _(
        "{by} asked {person} to decide on {when}.",
        by=name_or_someone(context.names, handover.by),
        person=name_or_someone(context.names, handover.to),
        when=handover.at,
    )
    return sentences(said, in_one_line(handover.note))


def question_text(question: Question, context: CardContext) -> str:
    return _(
        "{person} asked on {when}: {question}",
        person=name_or_someone(context.names, question.person),
        when=question.at,
        question=in_one_line(question.text),
    )


def answer_text(question: Question, context: CardContext) -> str:
    """Of a question that was answered."""
    return _(
        "{person} answered on {when}: {answer}",
        person=name_or_someone(context.names, question.answered_by),
        when=question.answered_at or question.at,
        answer=in_one_line(question.answer),
    )


def comment_text(comment: Comment, context: CardContext) -> str:
    names = {
        "author": name_or_someone(context.names, comment.author),
        "person": name_or_someone(context.names, comment.marked_by),
        "text": in_one_line(comment.text),
    }
    if comment.is_edit:
        return _("{author} wrote, edited since it was recorded, added to the record by {person}: {text}", **names)
    return _("{author} wrote on {when}, added to the record by {person}: {text}", **names, when=comment.written_at)
