"""Who may ask and who may answer; everybody else reads a sentence that says what to do instead."""

from __future__ import annotations

import pytest

from bot.domain.conversation import questions
from bot.domain.conversation.speakers import Speaker
from bot.domain.events import QuestionAnswered, QuestionAsked
from bot.domain.model import State, TransitionRequest
from bot.errors import Refused
from tests.builders import LATER, a_request, a_rule, a_vote, after, an_observed

RULE = a_rule()
LEAD = Speaker("cy", ("leads",))


def asked(request: TransitionRequest, text: str = "why is winter missing?") -> TransitionRequest:
    return after(request, questions.ask(request, LEAD, text, RULE, LATER))


def test_who_may_vote_may_ask() -> None:
    (event,) = questions.ask(a_request(), LEAD, "  why?\n", RULE, LATER)

    assert isinstance(event, QuestionAsked)
    assert (event.number, event.person, event.text) == (1, "cy", "why?")


def test_who_has_voted_may_ask_too_also_after_leaving_the_group() -> None:
    request = a_request(votes=(a_vote("cy"),))

    assert questions.ask(request, Speaker("cy"), "why?", RULE, LATER)


@pytest.mark.parametrize(
    ("speaker", "said"),
    [
        (Speaker("ana", ("leads",)), "questions about it are for you to answer"),
        (Speaker("bea", ("leads",)), "questions about it are for you to answer"),
        (Speaker("dan", ("leads",), also=("ana",)), "questions about it are for you to answer"),
        (Speaker("dan", ("strangers",)), "only people who may vote on this ask here: members of leads"),
    ],
    ids=["requester", "author", "another account of the requester", "in no group"],
)
def test_others_may_not_ask(speaker: Speaker, said: str) -> None:
    with pytest.raises(Refused, match=said):
        questions.ask(a_request(), speaker, "why?", RULE, LATER)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
def test_nothing_is_asked_before_or_after_the_vote(state: State) -> None:
    with pytest.raises(Refused):
        questions.ask(a_request(state), LEAD, "why?", RULE, LATER)


@pytest.mark.parametrize(
    ("text", "said"), [(" \n", "there is nothing in it"), ("x" * 1001, "more than 1,000 characters")]
)
def test_an_empty_or_endless_question_is_refused(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        questions.ask(a_request(), LEAD, text, RULE, LATER)


def test_half_a_character_is_made_storable() -> None:
    (event,) = questions.ask(a_request(), LEAD, "why\ud800\0?", RULE, LATER)

    assert isinstance(event, QuestionAsked)
    assert event.text == "why\ufffd\ufffd?"


def test_two_clicks_ask_once() -> None:
    request = asked(a_request())

    with pytest.raises(Refused, match="asked just this already"):
        questions.ask(request, LEAD, "why is winter missing?", RULE, LATER)


def test_no_more_than_a_few_are_open_at_once() -> None:
    request = a_request()
    for number in range(questions.MOST_OPEN):
        request = asked(request, f"question {number}")

    with pytest.raises(Refused, match="5 questions are open already"):
        questions.ask(request, LEAD, "one more", RULE, LATER)


@pytest.mark.parametrize("person", ["ana", "bea", "dan"], ids=["requester", "author", "joined"])
def test_who_asked_for_it_joined_it_or_trained_it_answers(person: str) -> None:
    request = asked(a_request(joined=("dan",)))

    (event,) = questions.answer(request, 1, Speaker(person), "it was too short", LATER)

    assert isinstance(event, QuestionAnswered)
    assert after(request, [event]).conversation.unanswered == ()


def test_another_approver_may_not_answer_for_them() -> None:
    with pytest.raises(Refused, match="only those who asked for this transition, joined it or trained the version"):
        questions.answer(asked(a_request()), 1, Speaker("eve", ("leads",)), "I think so", LATER)


def test_where_nobody_is_known_anybody_but_who_asked_the_question_may_answer() -> None:
    request = asked(an_observed(author=None))

    assert questions.answer(request, 1, Speaker("eve"), "it was me", LATER)
    with pytest.raises(Refused, match="your own question"):
        questions.answer(request, 1, LEAD, "it was me", LATER)


def test_a_question_is_answered_once() -> None:
    request = asked(a_request())
    request = after(request, questions.answer(request, 1, Speaker("ana"), "it was too short", LATER))

    with pytest.raises(Refused, match="was answered on"):
        questions.answer(request, 1, Speaker("bea"), "no", LATER)
    with pytest.raises(Refused, match="not on record"):
        questions.answer(request, 2, Speaker("bea"), "no", LATER)
