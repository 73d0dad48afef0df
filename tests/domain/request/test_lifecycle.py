"""The life of one request, law by law. That no sequence of commands gets around them is `test_state_machine`'s matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.events import (
    RequestApproved,
    RequestRejected,
    VoteCast,
)
from bot.domain.model import Ask, AskKind, State, TransitionRequest, Vote
from bot.domain.policy.rules import ReasonDemand, Rule, UnknownRequester
from bot.domain.request import lifecycle
from bot.domain.request.evolution import initial
from bot.domain.request.lifecycle import AlreadyDecided, Authors, NewRequest, cast_vote, check_may_vote, freeze_evidence
from bot.errors import Refused
from tests.builders import (
    CHAMPION,
    LATER,
    NOON,
    REQUEST_ID,
    RULE_HASH,
    a_rejection,
    a_request,
    a_rule,
    a_version,
    a_vote,
    after,
    an_evidence,
    an_observed,
)
from tests.strategies import rules, votes

DECIDED = [state for state in State if not state.is_open]
RULE = a_rule()


# Opening and freezing


def test_a_request_is_born_collecting_and_expires_when_the_rule_says() -> None:
    new = NewRequest(a_version(), CHAMPION, Ask(AskKind.COMMAND), requester="ana", comment="for spring")

    event = lifecycle.open_request(new, REQUEST_ID, RULE, RULE_HASH, NOON)

    request = initial(event)
    assert (request.state, request.requester, request.author, request.comment) == (
        State.COLLECTING,
        "ana",
        None,
        "for spring",
    )
    assert request.expires_at == NOON + timedelta(days=3)
    assert (request.rule_hash, request.opened_at, request.evidence, request.votes) == (RULE_HASH, NOON, None, ())


def test_a_rule_without_an_expiry_lets_requests_wait() -> None:
    new = NewRequest(a_version(), CHAMPION, Ask(AskKind.COMMAND))

    event = lifecycle.open_request(new, REQUEST_ID, a_rule(expire_after=None), RULE_HASH, NOON)

    assert event.expires_at is None


def test_frozen_evidence_opens_the_vote_and_names_the_author() -> None:
    events = freeze_evidence(a_request(State.COLLECTING), an_evidence(), Authors("bea"), RULE_HASH, LATER)

    request = after(a_request(State.COLLECTING), events)
    assert (request.state, request.author, request.evidence, request.rule_hash) == (
        State.PENDING,
        "bea",
        an_evidence(),
        RULE_HASH,
    )


@pytest.mark.parametrize("state", [state for state in State if state is not State.COLLECTING])
def test_evidence_is_frozen_once(state: State) -> None:
    assert freeze_evidence(a_request(state), an_evidence(), Authors("eve"), RULE_HASH, LATER) == []


# Voting


def test_the_approval_that_fills_the_last_place_decides() -> None:
    events = cast_vote(a_request(), a_vote("cy"), RULE, RULE_HASH)

    assert events == [
        VoteCast(LATER, REQUEST_ID, a_vote("cy")),
        RequestApproved(LATER, REQUEST_ID, ("cy",), RULE_HASH),
    ]
    decided = after(a_request(), events)
    assert (decided.state, decided.decided_at, decided.rule_hash, decided.votes) == (
        State.APPROVED,
        LATER,
        RULE_HASH,
        (a_vote("cy"),),
    )


def test_an_approval_before_the_last_place_only_counts() -> None:
    events = cast_vote(a_request(), a_vote("cy"), a_rule({"leads": 2}), RULE_HASH)

    assert events == [VoteCast(LATER, REQUEST_ID, a_vote("cy"))]
    assert after(a_request(), events).state is State.PENDING


def test_one_rejection_decides_whatever_was_approved_before() -> None:
    half_way = a_request(votes=(a_vote("dan"),))

    events = cast_vote(half_way, a_rejection("cy"), a_rule({"leads": 2}), RULE_HASH)

    assert events[-1] == RequestRejected(LATER, REQUEST_ID, "cy", "worse on rainy days", RULE_HASH)
    assert after(half_way, events).outcome == "worse on rainy days"


@pytest.mark.parametrize("person", ["ana", "bea"])
@pytest.mark.parametrize("vote", [a_vote(), a_rejection()])
def test_who_asked_and_who_trained_may_not_decide(person: str, vote: Vote) -> None:
    with pytest.raises(Refused, match="you asked for this transition or trained the version, so someone else"):
        cast_vote(a_request(), replace(vote, person=person), RULE, RULE_HASH)


@pytest.mark.parametrize("groups", [(), ("strangers",), ("risk",)])
def test_who_belongs_to_no_group_of_the_rule_is_told_whom_to_ask(groups: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match=r"only members of leads, legal may decide this\. Ask one of them"):
        check_may_vote(a_request(), a_vote(groups=groups), a_rule({"leads": 1, "legal": 1}))


def test_nobody_votes_twice() -> None:
    voted = a_request(votes=(a_vote("cy"),))

    with pytest.raises(Refused, match="you have voted on this already; your vote stands"):
        cast_vote(voted, a_rejection("cy"), a_rule({"leads": 2}), RULE_HASH)


def test_who_has_voted_is_told_so_before_a_form_for_a_reason_opens() -> None:
    voted = a_request(votes=(a_vote("cy"),))

    with pytest.raises(Refused, match="you have voted on this already; your vote stands"):
        check_may_vote(voted, replace(a_rejection("cy", reason=""), rule_hash=RULE_HASH), a_rule({"leads": 2}))


def test_nobody_votes_before_the_evidence_is_there() -> None:
    with pytest.raises(Refused, match=r"the evidence is still being collected\. Try again in a moment"):
        cast_vote(a_request(State.COLLECTING), a_vote(), RULE, RULE_HASH)


@pytest.mark.parametrize("state", DECIDED)
def test_who_votes_after_the_decision_is_told_what_it_was(state: State) -> None:
    with pytest.raises(AlreadyDecided, match=f"request 3f1c9a70 is already {state}") as late:
        cast_vote(a_request(state), a_vote(), RULE, RULE_HASH)

    assert late.value.request.state is state


@pytest.mark.parametrize(
    ("demand", "vote", "is_refused"),
    [
        (ReasonDemand.ON_REJECT, a_vote(), False),
        (ReasonDemand.ON_REJECT, a_rejection(reason=" \n"), True),
        (ReasonDemand.ON_APPROVE, a_vote(reason="\t"), True),
        (ReasonDemand.ON_APPROVE, a_rejection(reason=""), False),
        (ReasonDemand.ALWAYS, a_vote(), True),
        (ReasonDemand.ALWAYS, a_rejection(reason=""), True),
        (ReasonDemand.ALWAYS, a_vote(reason="better on all slices"), False),
    ],
)
def test_a_reason_is_demanded_where_the_rule_says(demand: ReasonDemand, vote: Vote, is_refused: bool) -> None:
    rule = a_rule(reason=demand)

    if is_refused:
        with pytest.raises(Refused, match=f"the policy wants a reason to {vote.verdict}. Say in a sentence why"):
            cast_vote(a_request(), vote, rule, RULE_HASH)
    else:
        assert len(cast_vote(a_request(), vote, rule, RULE_HASH)) == 2


@pytest.mark.parametrize("unknown", [a_request(requester=None), a_request(author=None), an_observed(author=None)])
def test_a_rule_can_refuse_to_approve_what_nobody_known_wants(unknown: TransitionRequest) -> None:
    rule = a_rule(unknown_requester=UnknownRequester.REFUSE)

    with pytest.raises(Refused, match="nobody knows who asked for this or who trained it"):
        cast_vote(unknown, a_vote(), rule, RULE_HASH)
    assert after(unknown, cast_vote(unknown, a_rejection(), rule, RULE_HASH)).state is State.REJECTED


def test_an_observed_transition_can_be_ratified_once_somebody_has_said_that_it_was_theirs() -> None:
    rule = a_rule(unknown_requester=UnknownRequester.REFUSE)

    with pytest.raises(Refused, match="Ask for it with `countersign request-transition`"):
        cast_vote(an_observed(), a_vote(), rule, RULE_HASH)
    assert len(cast_vote(an_observed(requester="dan"), a_vote(), rule, RULE_HASH)) == 2


def test_an_unknown_author_costs_one_more_approval_where_only_the_author_matters() -> None:
    unknown = a_request(author=None)

    first = after(unknown, cast_vote(unknown, a_vote("cy"), RULE, RULE_HASH))
    second = after(first, cast_vote(first, a_vote("dan"), RULE, RULE_HASH))

    assert (first.state, second.state) == (State.PENDING, State.APPROVED)


def test_an_unknown_requester_can_cost_one_more_approval() -> None:
    rule = a_rule(unknown_requester=UnknownRequester.ONE_MORE)
    unknown = a_request(requester=None)

    first = after(unknown, cast_vote(unknown, a_vote("cy"), rule, RULE_HASH))
    second = after(first, cast_vote(first, a_vote("dan"), rule, RULE_HASH))

    assert (first.state, second.state) == (State.PENDING, State.APPROVED)


@given(rules(), st.lists(votes, max_size=6), st.data())
def test_the_order_of_approvals_never_matters(rule: Rule, ballot: list[Vote], data: st.DataObject) -> None:
    approvals = [a_vote(vote.person, *vote.groups, reason="fine") for vote in ballot]
    shuffled = data.draw(st.permutations(approvals))

    one, other = (_taking(order, rule) for order in (approvals, shuffled))

    # Of somebody's several votes the first stands, so only ballots in which nobody votes twice are the same ballot.
    if len({vote.person for vote in approvals}) == len(approvals):
        assert one.state is other.state


def _taking(ballot: list[Vote], rule: Rule) -> TransitionRequest:
    request = a_request()
    for vote in ballot:
        try:
            request = after(request, cast_vote(request, vote, rule, RULE_HASH))
        except Refused:
            continue
    return request


def test_a_vote_under_a_rule_that_has_changed_since_no_longer_counts_and_may_be_cast_anew() -> None:
    rule, changed = a_rule({"leads": 2}), "sha256:changed"
    voted = after(a_request(), cast_vote(a_request(), a_vote("cy"), rule, RULE_HASH))

    second = after(voted, cast_vote(voted, a_vote("dan"), rule, changed))
    third = after(second, cast_vote(second, a_vote("cy"), rule, changed))

    assert (second.state, third.state) == (State.PENDING, State.APPROVED)


def test_nobody_votes_when_the_time_is_over_though_the_clock_has_not_come_by_yet() -> None:
    late = a_vote(at=NOON + timedelta(days=3))

    with pytest.raises(Refused, match=r"the time to decide is over\. Ask again if it is still wanted"):
        cast_vote(a_request(), late, RULE, RULE_HASH)
