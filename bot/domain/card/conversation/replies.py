"""Messages about a request's conversation: the question and the answer below its card, and the word to whom it was handed."""

from __future__ import annotations

from bot.domain.card.card import Button, Card, Fact, Link, Mention, Tone
from bot.domain.card.context import CardContext, name_or_someone
from bot.domain.card.conversation.sentences import clock_text, decide_by, resumes_at
from bot.domain.card.risk import risk_of
from bot.domain.conversation.questions import answerers
from bot.domain.conversation_state import Handover, Question
from bot.domain.model import State, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.request.shown import SEPARATOR
from bot.domain.text import target_label, version_name
from bot.language import Value, _, sentences


def question_card(
    request: TransitionRequest, question: Question, context: CardContext, mentions: tuple[Mention, ...]
) -> Card:
    """Below the card. Its button goes with the answer, or with the request."""
    title = _("Question about {version} → {target}", **_names(request))
    asker = name_or_someone(context.names, question.person)
    asked = _("{person} asks: {question}", person=asker, question=in_one_line(question.text))
    is_open = request.state is State.PENDING and question.answered_at is None
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), asked),
        paragraphs=(asked, _what_becomes_of_it(request, question, context)),
        mentions=mentions if is_open else (),
        waits_for=_("To answer:"),
        buttons=(_answer_button(request, question),) if is_open else (),
    )


def _answer_button(request: TransitionRequest, question: Question) -> Button:
    """Its value ends in the question's number, where a vote's has what the card showed."""
    return Button("answer", _("Answer"), f"{request.id}{SEPARATOR}{question.number}", Tone.PRIMARY)


def _what_becomes_of_it(request: TransitionRequest, question: Question, context: CardContext) -> str:
    if question.answered_at is not None:
        person = name_or_someone(context.names, question.answered_by)
        return _("Answered by {person} on {when}.", person=person, when=question.answered_at)
    if request.state is not State.PENDING:
        return _("Closed without an answer, with its request.")
    return sentences(_who_is_to_answer(request), clock_text(request))


def _who_is_to_answer(request: TransitionRequest) -> str:
    if answerers(request):
        return _("Who asked for this, joined it or trained the version answers with the button.")
    return _("It is not known who asked for this or trained it: anyone here who knows answers with the button.")


def answer_card(
    request: TransitionRequest, question: Question, context: CardContext, mentions: tuple[Mention, ...]
) -> Card:
    """Below the card and, because the request is to be decided now, in its channel as well. It mentions who asked."""
    title = _("Answer about {version} → {target}", **_names(request))
    names = context.names
    asked = _(
        "{person} asked: {question}",
        person=name_or_someone(names, question.person),
        question=in_one_line(question.text),
    )
    answered = _(
        "{person} answers: {answer}",
        person=name_or_someone(names, question.answered_by),
        answer=in_one_line(question.answer),
    )
    goes_on = _("It waits for votes again.") if _waits_again(request) else ""
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), answered),
        facts=tuple(_link_to_the_card(request)),
        paragraphs=tuple(filter(None, (asked, answered, goes_on))),
        mentions=mentions,
    )


def _waits_again(request: TransitionRequest) -> bool:
    return request.state is State.PENDING and resumes_at(request) is None


def handed_over_card(request: TransitionRequest, handover: Handover, context: CardContext) -> Card:
    """The direct message to whom the request was handed."""
    by = name_or_someone(context.names, handover.by)
    title = _("For you to decide: {version} → {target}", **_names(request))
    said = _("{person} asks you to decide on this request. Others may still vote.", person=by)
    note = _("{person} says: {note}", person=by, note=in_one_line(handover.note)) if handover.note.strip() else ""
    risk = risk_of(request, context)
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), said),
        facts=(*_link_to_the_card(request), *decide_by(request)),
        lead=risk,
        paragraphs=tuple(filter(None, (said, note))),
    )


def _link_to_the_card(request: TransitionRequest) -> list[Fact]:
    return [Fact(_("Card"), Link(_("Open the card"), request.card.url))] if request.card else []


def _names(request: TransitionRequest) -> dict[str, Value]:
    return {"version": version_name(request.version), "target": target_label(request)}
