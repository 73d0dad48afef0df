"""While a question is open, the time to decide is stopped: expiry, reminders and escalation agree, and it never stops for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.conversation import questions
from bot.domain.conversation.speakers import Speaker
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.calendars import WorkingHours
from bot.domain.request import lifecycle
from bot.domain.request.opening import waits_since
from bot.errors import Refused
from tests.builders import NOON, RULE_HASH, a_request, a_rule, a_vote, after

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
RULE = a_rule(expire_after=3 * DAY)
LEAD = Speaker("cy", ("leads",))
ENDS = NOON + 3 * DAY


def asked(request: TransitionRequest, at: datetime, text: str = "why?") -> TransitionRequest:
    return after(request, questions.ask(request, LEAD, text, RULE, at))


def answered(request: TransitionRequest, number: int, at: datetime) -> TransitionRequest:
    return after(request, questions.answer(request, number, Speaker("ana"), "because", at))


def test_the_deadline_moves_by_the_time_that_a_question_was_open() -> None:
    request = answered(asked(a_request(), NOON + DAY), 1, NOON + DAY + 5 * HOUR)

    assert request.expires_at == ENDS + 5 * HOUR


def test_several_questions_at_once_stop_the_clock_once_and_until_the_last_answer() -> None:
    request = asked(asked(a_request(), NOON + HOUR), NOON + 2 * HOUR, "how?")
    request = answered(request, 1, NOON + 3 * HOUR)
    is_stopped = request.conversation.is_stopped(NOON + 4 * HOUR)
    request = answered(request, 2, NOON + 5 * HOUR)

    assert is_stopped
    assert not request.conversation.is_stopped(NOON + 5 * HOUR)
    assert request.expires_at == ENDS + 4 * HOUR


def test_a_question_that_is_never_answered_stops_the_clock_for_as_long_as_the_rule_gives_and_no_longer() -> None:
    request = asked(a_request(), NOON + 2 * DAY)

    early = lifecycle.expire(request, NOON + 6 * DAY - HOUR)
    (expired,) = lifecycle.expire(request, NOON + 6 * DAY)

    assert early == []
    assert after(request, [expired]).state is State.EXPIRED


def test_question_after_question_gains_no_more_than_that_together() -> None:
    request = a_request()
    for number in range(1, 8):
        at = NOON + number * 16 * HOUR
        request = answered(asked(request, at, f"question {number}"), number, at + 15 * HOUR)

    assert request.expires_at == ENDS + 3 * DAY
    assert sum((stop.until - stop.since for stop in request.conversation.stops), timedelta()) == 3 * DAY


def test_reminders_count_no_time_in_which_a_question_was_open() -> None:
    always = WorkingHours("UTC", tuple(range(7)), 0, 24 * 60, ())
    request = answered(asked(a_request(), NOON + HOUR), 1, NOON + 4 * HOUR)

    waited = request.conversation.waited(NOON, NOON + 6 * HOUR, always.elapsed)

    assert waited == 3 * HOUR


def test_a_renewed_vote_has_the_time_that_was_left_when_an_open_question_ended_with_the_old_one() -> None:
    request = asked(a_request(pending_since=NOON), NOON + DAY)
    ended = replace(request, state=State.SUPERSEDED, decided_at=NOON + DAY + 2 * HOUR)

    fresh = lifecycle.continued(ended, NOON + DAY + 2 * HOUR)

    assert fresh.deadlines is not None
    assert fresh.deadlines.expires_at == ENDS + 2 * HOUR
    assert fresh.deadlines.since == NOON + 2 * HOUR
    assert waits_since(ended) == NOON


def test_a_vote_counts_while_a_question_is_open_and_the_question_ends_with_its_request() -> None:
    request = asked(a_request(), NOON + HOUR)

    approved = after(request, lifecycle.cast_vote(request, a_vote("eve", "leads"), RULE, RULE_HASH))

    assert approved.state is State.APPROVED
    with pytest.raises(Refused, match="already approved"):
        questions.answer(approved, 1, Speaker("ana"), "because", NOON + 2 * HOUR)
