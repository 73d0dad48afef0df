"""What is said while a request waits: reminders and whom they mention, escalation, delegates, freezes, and what follows the outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.card.card import Called, Fact, Lead, Link, Mention, Weight
from bot.domain.card.next_steps import next_step
from bot.domain.card.request_card import mentions_of, reminder_card, request_card
from bot.domain.card.sentences import CardContext
from bot.domain.conversation import questions
from bot.domain.conversation.speakers import Speaker
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest
from bot.domain.policy.freezes import FreezeNow
from bot.domain.policy.rules import Escalate, Group, UnknownRequester
from tests.builders import (
    BY_ALIAS,
    CARD,
    LATER,
    NOON,
    RULE_HASH,
    a_request,
    a_rule,
    a_version,
    a_vote,
    after,
    an_observed,
)

NAMES = {"ana": "Ana Ruiz", "ben": "Ben Okafor", "cy": "Cy Lindqvist"}
LEADS = Group("leads", "ml-leads", ())
RISK = Group("risk", None, ("cy@example.com", "dan@example.com"))
HEADS = Group("heads", "heads", ())
RULE = a_rule({"leads": 1, "risk": 1}, escalate=Escalate(timedelta(hours=8), "heads"))
PRINTED = CardContext(NAMES, RULE, RULE_HASH, groups=(LEADS, RISK, HEADS))

CALL_LEADS = Mention(Called.GROUP, "ml-leads", "leads")
CALL_RISK = (
    Mention(Called.PERSON, "cy@example.com", "cy@example.com"),
    Mention(Called.PERSON, "dan@example.com", "dan@example.com"),
)
CALL_HEADS = Mention(Called.GROUP, "heads", "heads")
ESCALATED = NOON + timedelta(hours=9, minutes=30)
FREEZE = FreezeNow("year-end", NOON + timedelta(days=9))


# Reminders


def test_a_reminder_says_how_long_it_waits_for_whom_and_where_the_card_is() -> None:
    request = a_request(card=CARD, pending_since=NOON, reminded_at=NOON + timedelta(hours=4), votes=(a_vote(),))

    card = reminder_card(request, PRINTED)

    assert card.title == "Still waiting: bike-demand v7 → champion"
    assert card.paragraphs == (
        "It has waited since 2026-03-02 12:00 UTC, 4 hours.",
        "Needs 1 more approval: 1 of risk.",
    )
    assert card.facts == (Fact("Card", Link("Open the card", CARD.url)), Fact("Decide by", "2026-03-05 12:00 UTC"))
    assert card.mentions == CALL_RISK
    assert card.summary == f"{card.title}. {' '.join(card.paragraphs)}"
    assert card.buttons == ()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (timedelta(days=1, hours=2, minutes=3), "1 day and 2 hours"),
        (timedelta(hours=1, minutes=1), "1 hour and 1 minute"),
        (timedelta(days=2), "2 days"),
        (timedelta(seconds=20), "less than a minute"),
    ],
)
def test_how_long_it_waits_is_said_in_two_units_at_the_most(after: timedelta, words: str) -> None:
    card = reminder_card(a_request(pending_since=NOON, reminded_at=NOON + after, expires_at=None), PRINTED)

    assert card.paragraphs[0] == f"It has waited since 2026-03-02 12:00 UTC, {words}."
    assert card.facts == ()


def test_a_request_from_before_reminders_is_reminded_of_without_a_time() -> None:
    card = reminder_card(a_request(), PRINTED)

    assert card.paragraphs == ("Needs 2 approvals: 1 of leads, 1 of risk.",)


def test_after_escalation_the_second_group_is_called_too_and_everybody_is_told() -> None:
    request = a_request(pending_since=NOON, escalated_at=ESCALATED, votes=(a_vote(),))

    card = reminder_card(request, PRINTED)

    assert card.mentions == (*CALL_RISK, CALL_HEADS)
    assert card.paragraphs == (
        "It has waited since 2026-03-02 12:00 UTC, 9 hours and 30 minutes.",
        "Needs 1 more approval: 1 of risk. Members of heads may stand in since 2026-03-02 21:30 UTC.",
    )


def test_before_escalation_the_second_group_is_left_in_peace() -> None:
    assert mentions_of(a_request(), PRINTED) == (CALL_LEADS, *CALL_RISK)


def test_where_anybody_s_vote_is_missing_all_groups_are_called() -> None:
    rule = a_rule({"leads": 1, "risk": 1}, unknown_requester=UnknownRequester.ONE_MORE)
    votes = (a_vote("cy"), a_vote("dan", "risk"))
    request = a_request(requester=None, ask=BY_ALIAS, votes=votes)

    assert mentions_of(request, replace(PRINTED, rule=rule)) == (CALL_LEADS, *CALL_RISK)


def test_without_a_rule_nobody_is_called() -> None:
    assert mentions_of(a_request(), replace(PRINTED, rule=None)) == ()


# Votes


def test_each_vote_says_what_it_satisfied_and_for_whom_somebody_stood_in() -> None:
    votes = (a_vote("cy", "risk"), a_vote("ben", "leads", standing_in_for=("ana",)))
    request = a_request(State.APPLIED, requester=None, votes=votes)

    card = request_card(request, PRINTED)

    assert card.paragraphs[:2] == (
        "Cy Lindqvist approved (risk), 2026-03-02 13:00 UTC.",
        "Ben Okafor approved (leads, standing in for Ana Ruiz), 2026-03-02 13:00 UTC.",
    )


def test_the_vote_beyond_the_groups_own_is_said_to_be_that() -> None:
    rule = a_rule(unknown_requester=UnknownRequester.ONE_MORE)
    request = a_request(requester=None, ask=BY_ALIAS, votes=(a_vote("ben"), a_vote("cy"), a_vote("ana")))

    lines = request_card(request, CardContext(NAMES, rule, RULE_HASH)).paragraphs[:3]

    told = sorted(line.split(" approved (")[1].split(")")[0] for line in lines)
    assert told == [
        "additional approver, because the requester is unknown",
        "beyond the votes that are needed of leads",
        "leads",
    ]


# Freezes


def test_who_is_to_approve_in_a_freeze_reads_that_it_is_applied_after_it() -> None:
    card = request_card(a_request(), replace(PRINTED, freeze=FREEZE))

    assert card.lead == Lead(
        "No approved version to compare with. "
        "Freeze (year-end) until 2026-03-11 12:00 UTC: an approval takes effect after that.",
        Weight.MEDIUM,
    )


def test_an_approval_that_a_freeze_holds_says_until_when() -> None:
    held = a_request(State.APPROVED, frozen_by="year-end", frozen_until=FREEZE.until)
    by_thresholds = replace(held, decided_by=DecidedBy.FAST_TRACK)

    card = request_card(held, PRINTED)

    assert card.title == "Approved, waiting for the freeze to end: bike-demand v7 → champion"
    assert card.paragraphs[-1] == "champion moves when the freeze (year-end) ends, on 2026-03-11 12:00 UTC."
    assert request_card(by_thresholds, PRINTED).title.startswith("Approved by the fast track, waiting for the freeze")
    assert next_step(held) == (
        "Nothing is left for you to do. It is applied by itself after 2026-03-11 12:00 UTC, when the freeze has ended."
    )


# What comes next


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", [state for state in State if not state.is_open])
def test_every_outcome_tells_what_to_do_next(state: State, kind: Kind) -> None:
    request = a_request(state, kind=kind, away_from=a_version(5))

    assert next_step(request).endswith(".")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (a_request(State.STALE), "If a new request was opened, its card is linked on this one."),
        (a_request(State.EXPIRED), "Tell the approvers why it matters before you ask again."),
        (a_request(State.SUPERSEDED), "The newer version is decided on its own card."),
        (a_request(State.WITHDRAWN), "ask again with countersign request-transition"),
        (a_request(State.APPLIED), "Nothing is left for you to do."),
        (a_request(State.APPLIED, previous=a_version(5)), "roll back to bike-demand v5 with the button on the card"),
        (an_observed(State.REJECTED), "ask with countersign request-transition, so that it is approved first"),
        (an_observed(State.EXPIRED), "The version stays where it was put, without an approval."),
        (an_observed(State.APPLIED, settled_at=LATER), "Nothing is left for you to do."),
    ],
)
def test_what_to_do_next_fits_the_outcome(request_: TransitionRequest, words: str) -> None:
    assert words in next_step(request_)


def test_while_a_question_is_open_the_date_says_that_it_is_for_the_case_of_no_answer() -> None:
    asked = after(a_request(), questions.ask(a_request(), Speaker("cy", ("leads",)), "why?", RULE, NOON))

    dates = [[fact.label for fact in request_card(one, PRINTED).facts][-1] for one in (a_request(), asked)]

    assert dates == ["Decide by", "Decide by, if unanswered"]
