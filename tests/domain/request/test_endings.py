"""How a request ends when no vote ends it: taken away, overdue, overtaken, stale; and what applying and putting back record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.events import (
    RequestExpired,
    RequestRejected,
    RequestSuperseded,
    RequestWithdrawn,
    TargetMoved,
    TargetPutBack,
)
from bot.domain.model import Ask, AskKind, Kind, StaleCause, State, TransitionRequest
from bot.domain.request import lifecycle
from tests.builders import (
    CHAMPION,
    LATER,
    NOON,
    PRODUCTION,
    REQUEST_ID,
    RULE_HASH,
    a_request,
    a_version,
    a_vote,
    after,
    an_observed,
)

DECIDED = [state for state in State if not state.is_open]


@pytest.mark.parametrize("state", State)
def test_only_an_open_request_can_be_withdrawn(state: State) -> None:
    events = lifecycle.withdraw(a_request(state), "no longer asked for", LATER)

    assert events == ([RequestWithdrawn(LATER, REQUEST_ID, "no longer asked for")] if state.is_open else [])


@pytest.mark.parametrize("state", State)
def test_only_an_open_request_expires(state: State) -> None:
    events = lifecycle.expire(a_request(state), NOON + timedelta(days=4))

    assert bool(events) is state.is_open


@pytest.mark.parametrize(("seconds", "is_over"), [(-1, False), (0, True), (1, True)])
def test_a_request_expires_at_its_moment_and_not_before(seconds: int, is_over: bool) -> None:
    request = a_request()
    at = NOON + timedelta(days=3, seconds=seconds)

    events = lifecycle.expire(request, at)

    sentence = "nobody decided in time. Ask again when it is still wanted"
    assert events == ([RequestExpired(at, REQUEST_ID, sentence)] if is_over else [])


def test_a_request_without_an_expiry_never_expires() -> None:
    assert lifecycle.expire(a_request(expires_at=None), NOON + timedelta(days=9999)) == []


def test_a_newer_version_that_asks_for_the_same_target_takes_the_place() -> None:
    newer = a_request(id="newer", version=a_version(8))

    events = lifecycle.supersede(a_request(), newer, LATER)

    reason = "bike-demand v8 asks for alias:champion too and is newer"
    assert events == [RequestSuperseded(LATER, REQUEST_ID, "newer", reason)]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (a_request(), a_request(id="newer", version=a_version(6))),
        (a_request(), a_request(id="newer", version=a_version(7))),
        (a_request(), a_request(id="newer", version=a_version(8), target=PRODUCTION)),
        (a_request(), a_request(id="newer", version=a_version(8, model="churn"))),
        (a_request(), a_request(version=a_version(8))),
        (a_request(), an_observed(id="newer", version=a_version(8))),
        (an_observed(), a_request(id="newer", version=a_version(8))),
        *((a_request(state), a_request(id="newer", version=a_version(8))) for state in DECIDED),
    ],
)
def test_nothing_else_supersedes(older: TransitionRequest, newer: TransitionRequest) -> None:
    assert lifecycle.supersede(older, newer, LATER) == []


@pytest.mark.parametrize("state", State)
def test_only_an_approval_can_go_stale_or_be_applied(state: State) -> None:
    went_stale = lifecycle.mark_stale(a_request(state), "it was moved", StaleCause.TARGET, LATER)
    applied = lifecycle.apply(a_request(state), a_version(5), LATER, moved=True)

    assert bool(went_stale) is bool(applied) is (state is State.APPROVED)


def test_applying_keeps_who_held_the_target_before() -> None:
    approved = a_request(State.APPROVED)

    events = lifecycle.apply(approved, a_version(5), LATER, moved=True)

    assert events == [TargetMoved(LATER, REQUEST_ID, a_version(), CHAMPION, a_version(5), moved=True)]
    applied = after(approved, events)
    assert (applied.state, applied.previous, applied.settled_at) == (State.APPLIED, a_version(5), LATER)


@pytest.mark.parametrize("state", State)
def test_only_a_rejected_observed_transition_is_put_back_and_only_once(state: State) -> None:
    rejected = an_observed(state)

    events = lifecycle.put_back(rejected, a_version(5), LATER, moved=True)

    expected = [TargetPutBack(LATER, REQUEST_ID, CHAMPION, a_version(), a_version(5), moved=True)]
    assert events == (expected if state is State.REJECTED else [])
    assert lifecycle.put_back(after(rejected, events), None, LATER, moved=True) == []
    assert lifecycle.put_back(a_request(state), a_version(5), LATER, moved=True) == []


@pytest.mark.parametrize("state", State)
def test_a_rule_puts_back_what_is_open_and_overrules_no_decision(state: State) -> None:
    events = lifecycle.reject_by_rule(an_observed(state), "the rule puts it back", RULE_HASH, LATER)

    expected = [RequestRejected(LATER, REQUEST_ID, "policy", "the rule puts it back", RULE_HASH)]
    assert events == (expected if state.is_open else [])
    assert lifecycle.reject_by_rule(a_request(state), "the rule puts it back", RULE_HASH, LATER) == []


def test_a_reopened_request_is_the_same_wish_linked_to_the_stale_one() -> None:
    stale = a_request(State.STALE, comment="for spring", votes=(a_vote(),))

    again = lifecycle.reopened(stale)

    assert (again.version, again.target, again.requester, again.comment) == (
        stale.version,
        CHAMPION,
        "ana",
        "for spring",
    )
    assert (again.follows, again.kind, again.ask) == (REQUEST_ID, Kind.PROMOTION, Ask(AskKind.REOPENED))
