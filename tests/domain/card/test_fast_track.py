"""What the card, the ticket and the requester read about the fast track, and how to undo what it decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.card.card import Button, Tone
from bot.domain.card.details import details_card
from bot.domain.card.request_card import outcome_card, request_card, ticket_card
from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket_comments import decision_text
from bot.domain.model import DecidedBy, FastTrackMode, Judgement, State, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.request.fast_track import Agreement
from tests.builders import a_judgement, a_request, a_rule, a_version, an_evidence, an_observed

RULE_HASH = "sha256:1234abcd5678"
PRINTED = CardContext({}, a_rule(), RULE_HASH)
PASSED = a_judgement(mode=FastTrackMode.ON)
QUIET = an_evidence(description="")
LET_THROUGH = (
    "Auto-approved, all thresholds met: rule bike-* → alias:champion (sha256:1234abcd…): mae 31.5 is at most 40."
)


def judged(judgement: Judgement | None, state: State = State.PENDING, **changes: Any) -> TransitionRequest:
    return a_request(state, **({"rule_hash": RULE_HASH, "judgement": judgement, "evidence": QUIET} | changes))


def let_through(state: State = State.APPLIED, **changes: Any) -> TransitionRequest:
    return judged(PASSED, state, **({"decided_by": DecidedBy.FAST_TRACK, "previous": a_version(5)} | changes))


# What it said


@pytest.mark.parametrize(
    ("judgement", "said"),
    [
        (
            a_judgement("r2 0.7 is below the threshold 0.8", mode=FastTrackMode.ON),
            "Not auto-approved: r2 0.7 is below the threshold 0.8.",
        ),
        (
            a_judgement(mode=FastTrackMode.ON, held_back="the fast track is switched off"),
            "Not auto-approved, because the fast track is switched off; all thresholds are met: mae 31.5 is at most 40.",
        ),
        (a_judgement(), "Fast track (shadow): would have let it through: mae 31.5 is at most 40."),
        (a_judgement("no champion."), "Fast track (shadow): would have held it: no champion."),
        (Judgement(FastTrackMode.ON, ()), "Not auto-approved."),
    ],
)
def test_people_read_why_the_fast_track_left_it_to_them(judgement: Judgement, said: str) -> None:
    card = details_card(judged(judgement), PRINTED)
    ticket = ticket_card(judged(judgement), PRINTED)

    assert card.paragraphs[0] == said
    assert ticket.paragraphs == (said,)


@pytest.mark.parametrize("judgement", [None, Judgement(FastTrackMode.OFF, ())])
def test_where_there_is_no_fast_track_nothing_is_said_of_it(judgement: Judgement | None) -> None:
    card = request_card(judged(judgement), PRINTED)

    assert "ast track" not in repr(card)


@pytest.mark.parametrize(
    ("agreement", "said"),
    [
        (Agreement(12, 1, 0), " It agreed with people on 12 of 13 versions in 90 days (1 false pass, 0 false holds)."),
        (Agreement(0, 0, 1), " It agreed with people on 0 of 1 version in 90 days (0 false passes, 1 false hold)."),
        (Agreement(0, 0, 0), ""),
        (None, ""),
    ],
)
def test_in_shadow_the_card_tells_how_often_it_was_right(agreement: Agreement | None, said: str) -> None:
    context = replace(PRINTED, agreement=agreement)

    card = details_card(judged(a_judgement()), context)

    assert card.paragraphs[0] == f"Fast track (shadow): would have let it through: mae 31.5 is at most 40.{said}"
    assert (
        ticket_card(judged(a_judgement()), context).paragraphs == ticket_card(judged(a_judgement()), PRINTED).paragraphs
    )


# What it decided


def test_a_card_of_the_fast_track_proves_why_it_was_let_through() -> None:
    card = request_card(let_through(), PRINTED)

    assert card.title == "Approved by the fast track: bike-demand v7 → champion"
    assert card.paragraphs == (
        LET_THROUGH,
        "bike-demand v7 has been champion since 2026-03-02 13:00 UTC; it replaced bike-demand v5.",
    )


def test_the_record_of_a_fast_track_stays_true_whatever_comes() -> None:
    texts = {decision_text(let_through(state), PRINTED) for state in (State.APPROVED, State.APPLIED, State.STALE)}
    without_its_rule = decision_text(let_through(), replace(PRINTED, rule=None))

    assert texts == {
        "Approved by the fast track: bike-demand v7 for alias:champion.\n"
        "Decided on 2026-03-02 13:00 UTC by rule bike-* → alias:champion, its hash sha256:1234abcd5678.\n"
        "mae 31.5 is at most 40."
    }
    assert "by a rule that is no longer in the policy, its hash sha256:1234abcd5678." in without_its_rule


def test_the_requester_learns_that_no_person_has_looked_yet() -> None:
    card = outcome_card(let_through(), PRINTED)

    assert card.paragraphs == (
        LET_THROUGH,
        "bike-demand v7 has been champion since 2026-03-02 13:00 UTC; it replaced bike-demand v5.",
        "No one has reviewed this version yet. Please check it. If it fails in production, roll back to bike-demand v5 "
        "with the button on the card or with countersign rollback.",
    )


# The way back


@pytest.mark.parametrize(("may_undo", "label"), [(True, "Undo"), (False, "Roll back to v5")])
def test_who_holds_the_target_can_be_taken_back_from_the_card(may_undo: bool, label: str) -> None:
    card = request_card(let_through(), replace(PRINTED, holds=True, back_to=a_version(5), may_undo=may_undo))

    assert card.buttons == (Button("roll_back", label, let_through().id, Tone.DANGER),)


@pytest.mark.parametrize(
    ("request_", "holds", "rule"),
    [
        (let_through(), False, a_rule()),
        (let_through(previous=None), True, a_rule()),
        (let_through(), True, None),
        (an_observed(State.APPLIED), True, a_rule()),
    ],
    ids=["lost it since", "nobody before", "no rule", "ratified"],
)
def test_there_is_no_button_where_there_is_no_way_back(
    request_: TransitionRequest, holds: bool, rule: Rule | None
) -> None:
    card = request_card(request_, replace(PRINTED, holds=holds, rule=rule))

    assert card.buttons == ()


def test_what_is_not_there_yet_can_be_called_off_and_not_rolled_back() -> None:
    card = request_card(let_through(State.APPROVED), replace(PRINTED, holds=True, rule=a_rule()))

    assert [button.action for button in card.buttons] == ["call_off"]
