"""Whose vote would bring a request forward."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.model import State, TransitionRequest, Verdict
from bot.domain.policy.rules import Rule
from bot.domain.request.needed import is_needed_from
from tests.builders import RULE_HASH, a_request, a_rule, a_vote

RULE = a_rule({"leads": 1, "risk": 1})
WITH_PASSKEY = replace(RULE, approve=replace(RULE.approve, passkey=True))
PENDING = a_request()


@pytest.mark.parametrize(
    ("ids", "groups", "request_", "rule", "is_needed"),
    [
        pytest.param({"cy"}, ["leads"], PENDING, RULE, True, id="a member of a group whose vote is missing"),
        pytest.param({"cy"}, ["risk"], PENDING, WITH_PASSKEY, True, id="also where it takes a passkey"),
        pytest.param({"cy"}, [], PENDING, RULE, False, id="in none of the groups"),
        pytest.param({"ana"}, ["leads"], PENDING, RULE, False, id="who asked"),
        pytest.param({"cy", "bea"}, ["leads"], PENDING, RULE, False, id="who trained it, under another id"),
        pytest.param(
            {"cy"}, ["leads"], a_request(votes=(a_vote("dan", "leads"),)), RULE, False, id="the group has voted"
        ),
        pytest.param(
            {"cy"}, ["risk"], a_request(votes=(a_vote("dan", "leads"),)), RULE, True, id="another group has voted"
        ),
        pytest.param(
            {"cy"},
            ["leads", "risk"],
            a_request(votes=(a_vote("dan", "leads"),)),
            RULE,
            True,
            id="for the other of two groups",
        ),
        pytest.param(
            {"cy"}, ["risk"], a_request(votes=(a_vote("cy", "leads"),)), RULE, False, id="who has voted already"
        ),
        pytest.param(
            {"cy"},
            ["leads"],
            a_request(votes=(a_vote("dan", "leads", standing_in_for=("cy",)),)),
            RULE,
            False,
            id="for whom a delegate has voted",
        ),
        pytest.param(
            {"cy"},
            ["leads"],
            a_request(votes=(a_vote("dan", "leads", rule_hash="sha256:old"),)),
            RULE,
            True,
            id="a vote under an earlier rule does not count",
        ),
        *(
            pytest.param({"cy"}, ["leads"], a_request(state), RULE, False, id=f"it is {state}")
            for state in State
            if state is not State.PENDING
        ),
    ],
)
def test_a_vote_is_needed_where_it_would_fill_an_open_place(
    ids: set[str], groups: list[str], request_: TransitionRequest, rule: Rule, is_needed: bool
) -> None:
    assert is_needed_from(ids, groups, request_, rule, RULE_HASH) is is_needed


def test_the_answer_changes_no_vote() -> None:
    voted = a_request(votes=(a_vote("dan", "leads", verdict=Verdict.APPROVE),))

    is_needed_from({"cy"}, ["risk"], voted, RULE, RULE_HASH)

    assert [vote.person for vote in voted.votes] == ["dan"]
