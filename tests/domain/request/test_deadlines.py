"""Changes in the registry open a request again, and neither begin its deadlines again nor forget who was asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.model import Ask, AskKind, State, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.request import lifecycle
from bot.domain.request.evolution import evolve, initial
from bot.domain.request.lifecycle import Authors, NewRequest
from bot.domain.request.opening import asked_again, waits_since
from tests.builders import LATER, NOON, RULE_HASH, a_request, a_rule, an_evidence

DAY = timedelta(days=1)
RULE = a_rule(expire_after=3 * DAY)


def opened(new: NewRequest, at: datetime, rule: Rule = RULE) -> TransitionRequest:
    return initial(lifecycle.open_request(new, "fresh", rule, RULE_HASH, at))


def in_vote(request: TransitionRequest, at: datetime) -> TransitionRequest:
    (frozen,) = lifecycle.freeze_evidence(request, an_evidence(), Authors(), RULE_HASH, at)
    return evolve(request, frozen)


def test_however_often_a_comparison_is_renewed_the_vote_ends_when_the_first_one_would_have() -> None:
    request = a_request(pending_since=NOON + timedelta(minutes=5), reminders=1, reminded_at=NOON + DAY)

    for hours in range(30, 60, 5):
        at = NOON + timedelta(hours=hours)
        request = in_vote(opened(lifecycle.continued(request, at), at), at + timedelta(minutes=1))

    assert request.expires_at == NOON + 3 * DAY
    assert waits_since(request) == NOON + timedelta(minutes=5)
    assert (request.reminders, request.reminded_at) == (1, NOON + DAY)


def test_the_group_that_stands_in_is_asked_in_the_renewed_vote_too() -> None:
    renewed = opened(lifecycle.continued(a_request(escalated_at=LATER), NOON + DAY), NOON + DAY)

    assert renewed.escalated_at == LATER


@pytest.mark.parametrize("again", [asked_again, lambda ended, _, at: lifecycle.continued(ended, at)])
@pytest.mark.parametrize("state", [State.SUPERSEDED, State.WITHDRAWN])
def test_the_time_in_which_it_was_closed_does_not_count(state: State, again: object) -> None:
    ended = a_request(state, decided_at=NOON + 2 * DAY, pending_since=NOON, reminders=1, reminded_at=NOON + DAY)

    fresh = opened(again(ended, Ask(AskKind.TAG, "ask"), NOON + 10 * DAY), NOON + 10 * DAY)  # type: ignore[operator]

    assert fresh.expires_at == NOON + 11 * DAY
    assert (waits_since(fresh), fresh.reminded_at) == (NOON + 8 * DAY, NOON + 9 * DAY)


@pytest.mark.parametrize(
    ("of_the_first", "of_the_rule", "expected"),
    [
        (NOON + 3 * DAY, 3 * DAY, NOON + 3 * DAY),
        (NOON + 30 * DAY, 3 * DAY, NOON + 5 * DAY),
        (NOON + 3 * DAY, 30 * DAY, NOON + 3 * DAY),
        (NOON + 3 * DAY, None, None),
        (None, 3 * DAY, NOON + 5 * DAY),
    ],
)
def test_a_rule_that_was_changed_meanwhile_shortens_the_time_and_never_makes_it_longer(
    of_the_first: datetime | None, of_the_rule: timedelta | None, expected: datetime | None
) -> None:
    first = a_request(expires_at=of_the_first)

    fresh = opened(lifecycle.continued(first, NOON + 2 * DAY), NOON + 2 * DAY, replace(RULE, expire_after=of_the_rule))

    assert fresh.expires_at == expected


def test_an_approval_that_went_stale_gets_all_the_time_for_its_new_vote() -> None:
    stale = a_request(State.STALE, decided_at=NOON + 2 * DAY)

    fresh = opened(lifecycle.reopened(stale), NOON + 40 * DAY)

    assert fresh.expires_at == NOON + 43 * DAY
