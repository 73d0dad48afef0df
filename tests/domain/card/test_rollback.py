"""What the card says of going back: the rollback itself, and a version that was rolled back once and is asked for again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.card.card import Fact, Lead, Weight
from bot.domain.card.outcomes import what_reject_does
from bot.domain.card.request_card import outcome_card, request_card, ticket_card
from bot.domain.card.risk import approval_text
from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket_comments import decision_text, outcome_text
from bot.domain.model import Ask, AskKind, DecidedBy, Kind, State, TransitionRequest
from bot.domain.queries.description import told
from tests.builders import (
    RULE_HASH,
    a_champion,
    a_metric,
    a_rejection,
    a_request,
    a_rule,
    a_version,
    a_vote,
    an_evidence,
)
from tests.builders.usual import USUAL

NAMES = {"ana": "Ana Ruiz", "cy": "Cy Lindqvist"}
PRINTED = CardContext(NAMES, a_rule(), RULE_HASH)
FAILED = "rolled back from champion on 2026-11-20 14:02 UTC: predictions drifted"


def a_rollback(state: State = State.PENDING, **changes: Any) -> TransitionRequest:
    """From v7 back to v5."""
    asked: dict[str, Any] = {
        "kind": Kind.ROLLBACK,
        "version": a_version(5),
        "away_from": a_version(7),
        "ask": Ask(AskKind.ROLLBACK),
        "comment": "predictions drifted",
        "evidence": an_evidence(champion=a_champion(number=7)),
    }
    return a_request(state, **(asked | changes))


REJECTED = {"votes": (a_rejection(reason="it is the weather"),), "outcome": "it is the weather"}
STORIES = [
    (a_rollback(), "Rollback requested", "Needs 1 approval: 1 of leads."),
    (
        a_rollback(State.APPROVED),
        "Rollback approved, waiting for the registry",
        "champion moves as soon as the registry answers.",
    ),
    (
        a_rollback(State.APPLIED),
        "Restored by a rollback",
        "bike-demand v5 has been champion again since 2026-03-02 13:00 UTC; it replaced bike-demand v7.",
    ),
    (a_rollback(State.REJECTED, **REJECTED), "Rollback rejected", "champion stays with bike-demand v7."),
    (
        a_rollback(State.STALE, outcome="alias:champion is held by bike-demand v8 now"),
        "Rollback approved, but not applied",
        "alias:champion is held by bike-demand v8 now.",
    ),
]


@pytest.mark.parametrize(("request_", "title", "story"), STORIES, ids=[title for _, title, _ in STORIES])
def test_every_state_of_a_rollback_has_its_title_and_its_sentence(
    request_: TransitionRequest, title: str, story: str
) -> None:
    card = request_card(request_, PRINTED)

    what = "champion from v7 back to bike-demand v5" if title == "Rollback requested" else "bike-demand v5 → champion"
    assert card.title == f"{title}: {what}"
    assert card.paragraphs[-1] == story


def test_a_rollback_asks_and_says_what_a_vote_does() -> None:
    card = request_card(a_rollback(), PRINTED)
    approve, reject, *_ = card.buttons

    assert (approve.label, reject.label) == ("Approve", "Reject")
    assert what_reject_does(a_rollback(away_from=None)) == "champion does not go back to bike-demand v5."
    assert ticket_card(a_rollback(), PRINTED).title == "Rollback: bike-demand v5 → champion"
    assert ticket_card(a_rollback(), PRINTED).summary == (
        "May bike-demand v5 become champion again, away from bike-demand v7? Decided on its card; recorded here."
    )


def test_a_rollback_leads_with_why_it_is_asked_and_its_figures_are_no_warning() -> None:
    evidence = an_evidence(metrics=(a_metric("mae", 23.1),), champion=a_champion(a_metric("mae", 22.0), number=9))
    asked = a_rollback(away_from=a_version(9), evidence=evidence, comment="v9 returns NaN for night rides.")

    card = request_card(asked, USUAL)

    assert card.lead == Lead("Reason: v9 returns NaN for night rides", Weight.MEDIUM)
    assert card.paragraphs[0] == "MAE 23.1 vs 22 for v9: 5 % worse."
    assert card.tables[0].columns == ("Metric", "v5 (before)", "v9 (now)", "Difference", "Threshold")
    assert card.tables[0].rows == (("mae", "23.1", "22", "+1.1, worse", "≤ 40"),)
    assert "Why" not in [fact.label for fact in card.facts]
    assert approval_text(asked, USUAL).startswith("Reason: v9 returns NaN for night rides. If you approve: ")


@pytest.mark.parametrize("state", [State.APPROVED, State.APPLIED, State.STALE])
def test_a_rollback_by_the_rule_is_recorded_with_why_nobody_was_asked_again(state: State) -> None:
    request = a_rollback(state, decided_by=DecidedBy.RULE, outcome="whatever")

    assert decision_text(request, PRINTED) == (
        "Rollback approved: bike-demand v5 for alias:champion, away from bike-demand v7.\n"
        "Decided on 2026-03-02 13:00 UTC by the rule itself: approved for this target before, so no new vote was needed.\n"
        "Asked by Ana Ruiz. Reason: predictions drifted"
    )


def test_a_rollback_by_votes_is_recorded_with_the_votes() -> None:
    approved = a_rollback(State.APPLIED, votes=(a_vote(),), decided_by=DecidedBy.PEOPLE)
    rejected = a_rollback(State.REJECTED, **REJECTED)

    assert decision_text(approved, PRINTED).splitlines()[1:] == [
        "Cy Lindqvist on 2026-03-02 13:00 UTC approved for leads: the target may go back to the version.",
        "Asked by Ana Ruiz. Reason: predictions drifted",
    ]
    assert decision_text(rejected, PRINTED).splitlines()[:2] == [
        "Rollback rejected: bike-demand v5 for alias:champion, away from bike-demand v7.",
        "Cy Lindqvist on 2026-03-02 13:00 UTC rejected: the target does not go back to the version. "
        "Reason: it is the weather",
    ]
    assert outcome_text(rejected) == "champion stays with bike-demand v7."


def test_whoever_rolled_back_learns_what_the_failed_version_needs_now() -> None:
    card = outcome_card(a_rollback(State.APPLIED, decided_by=DecidedBy.RULE), PRINTED)

    assert card.paragraphs[-1] == (
        "bike-demand v7 is marked as failed: approving it for this target again takes a reason. "
        "Find out what went wrong, and ask for a version that fixes it."
    )


# Asked for again


def test_a_version_that_was_rolled_back_once_comes_with_a_warning_first() -> None:
    request = a_request(failed_before=FAILED, comment="mended")

    card = request_card(request, PRINTED)

    assert card.lead == Lead(f"Careful: bike-demand v7 was {FAILED}.", Weight.HIGH)
    assert Fact("Why", "mended") in card.facts
    assert ticket_card(request, PRINTED).paragraphs[0] == card.lead.text


def test_approving_it_again_asks_for_a_reason_in_a_form_which_confirms_as_well() -> None:
    approve, *_ = request_card(a_request(failed_before=FAILED), PRINTED).buttons
    usual, *_ = request_card(a_request(), PRINTED).buttons

    assert approve.confirm is None
    assert usual.confirm is not None


@pytest.mark.parametrize(
    ("decided_by", "kind", "title"),
    [
        (DecidedBy.PEOPLE, Kind.PROMOTION, "Approved, and rolled back since"),
        (DecidedBy.FAST_TRACK, Kind.PROMOTION, "Approved by the fast track, and rolled back since"),
        (DecidedBy.PEOPLE, Kind.OBSERVED, "Ratified, and rolled back since"),
        (DecidedBy.RULE, Kind.ROLLBACK, "Restored by a rollback, and rolled back since"),
    ],
)
def test_a_title_follows_its_request_to_the_end(decided_by: DecidedBy, kind: Kind, title: str) -> None:
    request = a_request(State.APPLIED, decided_by=decided_by, kind=kind)

    card = request_card(request, replace(PRINTED, rolled_back=FAILED))
    known = told(request, NAMES, signed=(), entry=None, checkpoint=None, now="", is_rolled_back=True)

    assert card.title == f"{title}: bike-demand v7 → champion"
    assert card.summary.startswith(title)
    assert known.title == title
