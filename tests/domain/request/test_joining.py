"""Somebody asks in words for what is asked already: it becomes their request too."""

from __future__ import annotations

import pytest

from bot.domain.model import Ask, AskKind, State
from bot.domain.policy.rules import UnknownRequester
from bot.domain.request import lifecycle
from bot.domain.request.askers import known_as
from bot.domain.request.lifecycle import cast_vote
from bot.errors import Refused
from tests.builders import (
    LATER,
    RULE_HASH,
    a_request,
    a_rule,
    a_vote,
    after,
    an_observed,
)

RULE = a_rule()


def test_who_asks_in_words_for_what_an_alias_asks_already_becomes_its_requester() -> None:
    asked_by_alias = a_request(requester=None, ask=Ask(AskKind.ALIAS, "candidate"))

    events = lifecycle.join(asked_by_alias, "dan", Ask(AskKind.API), "for spring", LATER)

    joined = after(asked_by_alias, events)
    assert (joined.requester, joined.joined, joined.comment, joined.ask) == (
        "dan",
        ("dan",),
        "for spring",
        Ask(AskKind.API),
    )


def test_a_second_who_asks_takes_nothing_from_the_first_and_may_not_decide_either() -> None:
    request = a_request(comment="mine")

    joined = after(request, lifecycle.join(request, "dan", Ask(AskKind.API), "yours", LATER))

    assert (joined.requester, joined.comment) == ("ana", "mine")
    with pytest.raises(Refused, match="someone else must decide it"):
        cast_vote(joined, a_vote("dan"), RULE, RULE_HASH)


def test_an_approval_of_somebody_who_asks_for_it_afterwards_no_longer_counts() -> None:
    rule = a_rule({"leads": 2})
    voted = after(a_request(), cast_vote(a_request(), a_vote("dan"), rule, RULE_HASH))
    joined = after(voted, lifecycle.join(voted, "dan", Ask(AskKind.API), "", LATER))

    events = cast_vote(joined, a_vote("cy"), rule, RULE_HASH)

    assert after(joined, events).state is State.PENDING


def test_a_vote_no_longer_counts_once_its_voter_is_known_to_be_an_asker_under_another_address() -> None:
    rule = a_rule({"leads": 2})
    voted = after(a_request(), cast_vote(a_request(), a_vote("dan"), rule, RULE_HASH))
    joined = after(voted, lifecycle.join(voted, "dan.new", Ask(AskKind.API), "", LATER))

    known = after(joined, known_as(joined, "dan.new", {"dan", "dan.new"}, LATER))

    assert (known.requester, known.joined) == (joined.requester, joined.joined)
    assert after(known, cast_vote(known, a_vote("cy"), rule, RULE_HASH)).state is State.PENDING
    assert known_as(known, "dan.new", {"dan", "dan.new"}, LATER) == []
    assert known_as(known, "cy", {"cy.new"}, LATER) == []


@pytest.mark.parametrize("state", State)
def test_an_asker_is_known_under_more_addresses_only_while_it_is_open(state: State) -> None:
    request = a_request(requester="dan", state=state)

    assert bool(known_as(request, "dan", {"dan.new"}, LATER)) is state.is_open


@pytest.mark.parametrize("state", State)
def test_nobody_joins_twice_or_once_it_has_ended(state: State) -> None:
    request = a_request(state, joined=("dan",))

    is_live = state.is_open or state is State.APPROVED
    assert bool(lifecycle.join(request, "eve", Ask(AskKind.API), "", LATER)) is is_live
    assert lifecycle.join(request, "dan", Ask(AskKind.API), "", LATER) == []
    assert lifecycle.join(request, "ana", Ask(AskKind.API), "", LATER) == []


def test_who_joins_once_it_is_approved_takes_no_vote_from_it_and_has_none_on_what_follows() -> None:
    approved = after(a_request(), cast_vote(a_request(), a_vote("cy"), RULE, RULE_HASH))

    joined = after(approved, lifecycle.join(approved, "cy", Ask(AskKind.API), "", LATER, also=("cy-before",)))

    assert (joined.parties, joined.latecomers) == (approved.parties, ("cy", "cy-before"))
    assert {"cy", "cy-before"} <= set(lifecycle.reopened(joined).joined)


def test_votes_that_are_enough_once_it_is_known_who_asked_decide_at_once() -> None:
    rule = a_rule(unknown_requester=UnknownRequester.ONE_MORE)
    asked_by_alias = a_request(requester=None, ask=Ask(AskKind.ALIAS, "candidate"))
    voted = after(asked_by_alias, cast_vote(asked_by_alias, a_vote("cy"), rule, RULE_HASH))

    events = lifecycle.join(voted, "dan", Ask(AskKind.API), "", LATER, under_rule=(rule, RULE_HASH))

    assert (voted.state, after(voted, events).state) == (State.PENDING, State.APPROVED)


def test_an_observed_move_stays_what_it_was_when_somebody_says_that_it_was_theirs() -> None:
    observed = an_observed(ask=Ask(AskKind.ADOPTED))

    joined = after(observed, lifecycle.join(observed, "dan", Ask(AskKind.COMMAND), "", LATER))

    assert (joined.requester, joined.ask, joined.is_adopted) == ("dan", Ask(AskKind.ADOPTED), True)
