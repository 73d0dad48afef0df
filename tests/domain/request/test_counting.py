"""Whether a vote counts, and for which group, is one answer for card, page, list, digest and the signed decision."""

from __future__ import annotations

import pytest

from bot.commands.reading.deciders import approved_by
from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket_comments import vote_line
from bot.domain.model import State, TransitionRequest, Verdict
from bot.domain.queries.description import told
from bot.domain.queries.description_text import ballot_text
from bot.domain.request.counting import counted_votes, rule_of_decision
from tests.builders import a_policy, a_request, a_rule, a_vote

NAMES = {"cy": "Cy Lindqvist", "dan": "Dan Day", "eve": "Eve Moss"}
RULE = a_rule({"leads": 1, "risk": 1})
POLICY = a_policy(RULE)
HASH = POLICY.rule_hash(RULE)
CY, DAN = a_vote("cy", "leads", rule_hash=HASH), a_vote("dan", "leads", rule_hash=HASH)
EVE = a_vote("eve", "risk", rule_hash=HASH)
OLD = a_vote("eve", "risk", rule_hash="sha256:old")
PLACES = {"for leads": [CY], "for risk": [EVE], "beyond the votes that are needed of leads": [DAN], "": [OLD]}


def a_vote_on(*votes: object, state: State = State.APPLIED) -> TransitionRequest:
    return a_request(state, votes=votes, rule_hash=HASH)


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED, State.APPLIED])
@pytest.mark.parametrize("place", PLACES)
def test_card_and_page_say_the_same_of_each_vote(state: State, place: str) -> None:
    (vote,) = PLACES[place]
    request = a_vote_on(CY, DAN, OLD if vote is OLD else EVE, state=state)

    card = vote_line(vote, request, CardContext(NAMES, RULE, HASH))
    page = told(request, NAMES, signed=(), entry=None, checkpoint=None, now="", under=(RULE, HASH))
    ballot = next(one for one in page.votes if one.person == NAMES[vote.person])

    assert f"approved {place}".rstrip() + ":" in card
    assert f"approve {place}".rstrip() + "," in ballot_text(ballot)


def test_page_list_and_digest_name_only_those_on_whose_votes_the_decision_rests() -> None:
    request = a_vote_on(CY, DAN, EVE)

    page = told(request, NAMES, signed=(), entry=None, checkpoint=None, now="", under=(RULE, HASH))

    assert page.decided_by == "Cy Lindqvist and Eve Moss"
    assert approved_by(request, NAMES, POLICY) == "Cy Lindqvist, Eve Moss"
    assert counted_votes(request, Verdict.APPROVE, *rule_of_decision(request, POLICY)) == (CY, EVE)


def test_where_the_rule_has_changed_since_the_valid_votes_count_for_the_groups_that_they_named() -> None:
    request = a_vote_on(CY, DAN, EVE)

    page = told(request, NAMES, signed=(), entry=None, checkpoint=None, now="", under=(a_rule(), "sha256:new"))

    assert page.decided_by == "Cy Lindqvist, Dan Day and Eve Moss"
    assert [one.worth for one in page.votes] == ["for leads", "for leads", "for risk"]
