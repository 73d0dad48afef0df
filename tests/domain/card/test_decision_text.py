"""What tickets and requesters read about a decision: the votes, the outcome, and what can be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.card.card import Fact, Link
from bot.domain.card.request_card import outcome_card, ticket_card
from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket_comments import decision_text, outcome_text
from bot.domain.model import State, TransitionRequest
from tests.builders import (
    CARD,
    LATER,
    RULE_HASH,
    TICKET,
    a_rejection,
    a_request,
    a_rule,
    a_version,
    a_vote,
    an_observed,
)

PRINTED = CardContext({"cy": "Cy Lindqvist", "dan": "Dan Achterberg"}, a_rule({"leads": 1, "risk": 1}), RULE_HASH)
BOTH = (a_vote("cy", "leads"), a_vote("dan", "risk", at=LATER + timedelta(minutes=5)))
PUT_BACK = an_observed(State.REJECTED, settled_at=LATER, settled_by_us=True, settled_holder=a_version(5))
REJECTED = {"votes": (a_rejection(),), "outcome": "worse on rainy days"}


def test_a_decision_is_a_record_of_every_vote_with_name_time_meaning_and_reason() -> None:
    votes = (a_vote("cy", reason="fine on all slices"), BOTH[1])
    request = a_request(State.APPLIED, votes=votes)

    assert decision_text(request, PRINTED) == (
        "Approved: bike-demand v7 for alias:champion.\n"
        "Cy Lindqvist on 2026-03-02 13:00 UTC approved for leads: the version may go to the target. Reason: fine on all slices\n"
        "Dan Achterberg on 2026-03-02 13:05 UTC approved for risk: the version may go to the target."
    )


def test_a_decision_reads_the_same_before_and_after_it_was_applied() -> None:
    texts = {
        decision_text(a_request(state, votes=BOTH, outcome=outcome), PRINTED)
        for state, outcome in ((State.APPROVED, ""), (State.APPLIED, ""), (State.STALE, "it was moved"))
    }

    assert len(texts) == 1


def test_a_rejection_is_recorded_with_its_reason_once() -> None:
    assert decision_text(a_request(State.REJECTED, **REJECTED), PRINTED) == (
        "Rejected: bike-demand v7 for alias:champion.\n"
        "Cy Lindqvist on 2026-03-02 13:00 UTC rejected: the version may not go to the target. Reason: worse on rainy days"
    )


@pytest.mark.parametrize("state", [State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED])
def test_an_end_without_a_decision_says_why_whoever_had_voted(state: State) -> None:
    half_way = a_request(state, votes=(a_vote("cy"),), outcome="nobody decided in time")

    assert decision_text(half_way, PRINTED).splitlines() == [
        f"{state.capitalize()}: bike-demand v7 for alias:champion.",
        "Cy Lindqvist on 2026-03-02 13:00 UTC approved for leads: the version may go to the target.",
        "nobody decided in time.",
    ]


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (a_request(State.STALE, outcome="it was moved"), "Not applied: it was moved."),
        (an_observed(State.APPLIED), "bike-demand v7 stays champion."),
        (PUT_BACK, "champion went back to bike-demand v5."),
        (replace(PUT_BACK, settled_holder=None), "champion is unassigned again."),
        (
            replace(PUT_BACK, settled_by_us=False),
            "champion is held by bike-demand v5 now; Countersign did not move it.",
        ),
    ],
)
def test_what_a_decision_came_to_is_one_sentence(request_: TransitionRequest, text: str) -> None:
    assert outcome_text(request_) == text


def test_the_requester_is_told_where_it_ended_and_what_can_be_done() -> None:
    request = a_request(State.REJECTED, **REJECTED, ticket=TICKET, card=CARD)

    card = outcome_card(request, PRINTED)

    assert card.facts == (Fact("Ticket", Link("GOV-7", TICKET.url)), Fact("Card", Link("Open the card", CARD.url)))
    assert card.paragraphs == (
        "Cy Lindqvist rejected, 2026-03-02 13:00 UTC. Reason: worse on rainy days",
        "bike-demand v7 does not become champion.",
        "Read the reason, fix the model, and request approval for the new version. "
        "If you still want it, ask again with countersign request-transition, "
        "or remove the asking alias or tag, wait a minute, and set it again.",
    )


@pytest.mark.parametrize("state", [state for state in State if state not in (State.COLLECTING, State.APPLIED)])
def test_the_ticket_s_description_is_the_same_however_late_it_is_opened(state: State) -> None:
    pending = a_request(ticket=None)
    later = a_request(state, votes=BOTH, outcome="whatever", ticket=TICKET, card=CARD)

    assert ticket_card(later, PRINTED) == ticket_card(pending, PRINTED)
