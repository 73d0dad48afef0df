"""The third answer, as people give it in Slack: asked on the card, answered below it, and the card is back up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.events import QuestionAnswered, QuestionAsked, QuestionPosted, RequestApproved
from bot.domain.model import Ask, AskKind, State, Target, TransitionRequest
from bot.sandbox.slack import Message
from handlers.conversation.questions import show_questions
from handlers.request.asking import request_transition
from tests.fixtures.installation import CHANNEL, Installation

WHY = "Why are the winter weeks <missing>?"
BECAUSE = "They were too short & few."


def asked_by_cy(installation: Installation) -> TransitionRequest:
    version = installation.register()
    target = Target.parse("alias:champion")
    request = request_transition(
        installation.model, version, target, "cy@example.com", "for spring", Ask(AskKind.API), installation.s
    )
    installation.settle()
    return request


def ask(installation: Installation, request: TransitionRequest, text: str = WHY, person: str = "ana") -> None:
    installation.click(person, request, "ask")
    installation.slack.submit_view(person, {"reason": text})
    installation.settle()


def question(installation: Installation, request: TransitionRequest, text: str = WHY) -> Message:
    return next(
        one for one in installation.thread(request) if "Question about" in one.all_text and text in one.all_text
    )


def answer(
    installation: Installation, request: TransitionRequest, text: str = BECAUSE, person: str = "cy", to: str = WHY
) -> None:
    installation.slack.click(person, CHANNEL, question(installation, request, to).ts, "answer")
    installation.slack.submit_view(person, {"reason": text})
    installation.settle()


def test_a_question_is_asked_answered_and_then_decided_and_every_surface_says_so(installation: Installation) -> None:
    request = asked_by_cy(installation)
    before = installation.reread(request).expires_at

    ask(installation, request)
    while_open = installation.card(request).all_text
    reply = question(installation, request)
    answer(installation, request)
    installation.approve(request)

    assert before is not None
    assert f"Ana Ruiz asks: {WHY}" in while_open
    assert "The time to decide is stopped until the answer" in while_open
    assert list(reply.buttons) == ["answer"]
    assert "U0CY0000003" in str(reply.blocks)
    answers = [one for one in installation.thread(request) if "Answer about" in one.all_text]
    assert [(one.is_broadcast, "U0ANA000001" in str(one.blocks)) for one in answers] == [(True, True)]
    assert question(installation, request).buttons == {}
    assert f"Ana Ruiz asks: {WHY}" not in installation.card(request).all_text
    comments = installation.comments(request)
    assert [comments.count(said) for said in (WHY, BECAUSE)] == [1, 1]
    assert installation.champion() == 1
    assert installation.happened(QuestionAsked, QuestionPosted, QuestionAnswered, RequestApproved) == [
        "QuestionAsked",
        "QuestionPosted",
        "QuestionAnswered",
        "RequestApproved",
    ]
    assert installation.unfinished() == []
    assert installation.ledger_fault() is None


def test_a_vote_counts_while_a_question_is_open_and_the_question_closes_with_it(installation: Installation) -> None:
    request = asked_by_cy(installation)
    ask(installation, request)
    installation.slack.click("cy", CHANNEL, question(installation, request).ts, "answer")

    installation.approve(request, "ben")
    late = installation.slack.submit_view("cy", {"reason": BECAUSE})

    assert "already approved by Ben Okafor" in late.errors["reason"]
    assert installation.happened(QuestionAnswered) == []
    assert installation.reread(request).state is State.APPLIED
    closed = question(installation, request)
    assert (closed.buttons, "Closed without an answer, with its request." in closed.all_text) == ({}, True)


def test_an_open_question_keeps_reminders_back_and_expiry_waits_for_it(installation: Installation) -> None:
    installation.use_policy(extra="remind_after: 1h")
    request = asked_by_cy(installation)
    ask(installation, request)

    installation.clock.ahead += timedelta(days=2)  # on working days too: a question stops the clock for three
    installation.sweep("remind_people")
    installation.clock.ahead += timedelta(days=2)
    installation.sweep("expire_requests")
    waits = installation.reread(request)
    installation.clock.ahead += timedelta(days=3)
    installation.sweep("expire_requests")

    assert (waits.state, waits.reminders) == (State.PENDING, 0)
    assert installation.reread(request).state is State.EXPIRED
    assert question(installation, request).buttons == {}


def test_only_who_asked_or_trained_answers_and_others_read_why_not(installation: Installation) -> None:
    request = asked_by_cy(installation)
    ask(installation, request)

    installation.slack.click("ben", CHANNEL, question(installation, request).ts, "answer")
    installation.slack.click("gil", CHANNEL, question(installation, request).ts, "answer")
    installation.click("cy", request, "ask")

    assert installation.slack.open_view_of("ben") is None
    assert "Only those who asked for this transition, joined it or trained the version" in installation.told_privately(
        "ben"
    )
    assert "Guests of the workspace may not decide" in installation.told_privately("gil")
    assert "questions about it are for you to answer" in installation.told_privately("cy")
    assert installation.happened(QuestionAnswered) == []


@pytest.mark.parametrize(
    "forged",
    [{"team_id": "T0ELSEWHERE"}, {"app_id": "A0ANOTHERAPP"}, {"channel_id": "C0SANDBOX02"}, {"forged_ts": "1.000001"}],
    ids=["another workspace", "another app", "another channel", "another message"],
)
def test_buttons_are_believed_on_our_own_messages_only(installation: Installation, forged: dict[str, Any]) -> None:
    request = asked_by_cy(installation)
    ask(installation, request)

    installation.slack.click("cy", CHANNEL, question(installation, request).ts, "answer", **forged)
    installation.click("ana", request, "ask", **forged)

    assert (installation.slack.open_view_of("cy"), installation.slack.open_view_of("ana")) == (None, None)
    assert "Use the one in the thread" in installation.told_privately("cy")
    assert "Use the original card" in installation.told_privately("ana")


def test_two_clicks_and_a_form_left_open_over_a_policy_change_record_nothing_twice_or_wrongly(
    installation: Installation,
) -> None:
    request = asked_by_cy(installation)
    ask(installation, request)
    installation.click("ana", request, "ask")
    again = installation.slack.submit_view("ana", {"reason": WHY})
    installation.slack.close_view("ana")
    installation.click("ben", request, "ask")
    installation.use_policy(quorum=2)
    late = installation.slack.submit_view("ben", {"reason": "And the figures?"})

    assert "asked just this already" in again.errors["reason"]
    assert "before the policy changed" in late.errors["reason"]
    assert installation.happened(QuestionAsked) == ["QuestionAsked"]


def test_where_nobody_is_known_the_thread_says_that_anybody_may_answer(installation: Installation) -> None:
    version = installation.register(user="a-stranger")
    request = installation.asked(version)

    ask(installation, request)
    said = question(installation, request).all_text
    answer(installation, request, person="ben")

    assert "It is not known who asked for this or trained it: anyone here who knows answers" in said
    assert installation.happened(QuestionAnswered) == ["QuestionAnswered"]
    assert f"Ben Okafor answers: {BECAUSE}" in "\n".join(one.all_text for one in installation.thread(request))


def test_slack_down_between_the_record_and_the_reply_loses_nothing_and_doubles_nothing(
    installation: Installation,
) -> None:
    request = asked_by_cy(installation)
    installation.slack.workspace.now = lambda: installation.clock.now().timestamp()
    installation.slack.faults.add("down", path="chat.postMessage$")
    installation.slack.faults.add("cut", path="chat.postMessage$")
    ask(installation, request)
    installation.clock.ahead += timedelta(minutes=1)
    installation.make_jobs_due()
    installation.settle_all()
    installation.slack.faults.add("cut", path="chat.postMessage$")
    answer(installation, request)
    installation.clock.ahead += timedelta(minutes=1)
    installation.make_jobs_due()
    installation.settle_all()
    show_questions(request.id, installation.s)

    texts = [one.all_text for one in installation.thread(request)]
    assert len([text for text in texts if "Question about" in text]) == 1
    assert len([text for text in texts if "Answer about" in text]) == 1
    assert installation.happened(QuestionAsked, QuestionPosted, QuestionAnswered) == [
        "QuestionAsked",
        "QuestionPosted",
        "QuestionAnswered",
    ]
    assert installation.unfinished() == []
