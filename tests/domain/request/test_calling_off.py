"""An approval that is not applied yet can be called off, which is a decision like others: recorded, signed, announced."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.attestation.decision import of_decision, verdict_of
from bot.domain.card.next_steps import next_step
from bot.domain.card.request_card import request_card
from bot.domain.card.sentences import CardContext, status_sentence
from bot.domain.card.ticket_comments import decision_text
from bot.domain.model import DecidedBy, Kind, StaleCause, State, Verdict
from bot.domain.request import lifecycle
from tests.builders import LATER, NOON, a_request, a_rule, a_vote, after

AFTERWARDS = LATER + timedelta(hours=2)
PRINTED = CardContext({"ana": "Ana Ruiz", "cy": "Cy Lindqvist"}, a_rule())


@pytest.mark.parametrize("state", State)
def test_only_what_is_approved_and_not_applied_can_be_called_off(state: State) -> None:
    events = lifecycle.call_off(a_request(state), "ana", "the test data leaked", AFTERWARDS)

    assert bool(events) is (state is State.APPROVED)


@pytest.mark.parametrize("kind", Kind)
def test_what_was_called_off_is_never_applied_and_waits_for_no_freeze(kind: Kind) -> None:
    approved = a_request(State.APPROVED, kind=kind, frozen_by="year-end", frozen_until=AFTERWARDS, attested_at=LATER)

    ended = after(approved, lifecycle.call_off(approved, "ana", "the test data leaked", AFTERWARDS))

    assert (ended.state, ended.ended_by, ended.ended_at, ended.frozen_until) == (
        State.CALLED_OFF,
        "ana",
        AFTERWARDS,
        None,
    )
    assert ended.decided_at == approved.decided_at
    assert lifecycle.apply(ended, None, AFTERWARDS, moved=True) == []
    assert lifecycle.hold(ended, "summer", AFTERWARDS, AFTERWARDS) == []
    assert lifecycle.thaw(ended, AFTERWARDS) == lifecycle.mark_stale(ended, "late", StaleCause.TARGET, AFTERWARDS) == []


def test_calling_off_is_signed_as_a_rejection_by_who_did_it_newer_than_the_approval() -> None:
    approved = a_request(State.APPROVED, votes=(a_vote("cy"),), decided_by=DecidedBy.PEOPLE, attested_at=LATER)
    ended = after(approved, lifecycle.call_off(approved, "ana", "the test data leaked", AFTERWARDS))

    said = of_decision(ended, a_rule(), {"ana": "Ana Ruiz"})["predicate"]  # type: ignore[index, call-overload]

    assert (verdict_of(approved), verdict_of(ended), ended.attested_at) == (Verdict.APPROVE, Verdict.REJECT, None)
    assert (said["verdict"], said["at"], said["reason"]) == ("reject", AFTERWARDS.isoformat(), "the test data leaked")
    assert [(one["name"], one["reason"]) for one in said["approvers"]] == [("Ana Ruiz", "the test data leaked")]


def test_an_ask_that_was_taken_away_names_nobody_and_says_that_the_rule_ended_it() -> None:
    approved = a_request(State.APPROVED)
    ended = after(approved, lifecycle.call_off(approved, "", "v7 no longer asks by alias candidate", AFTERWARDS))

    said = of_decision(ended, a_rule(), {})["predicate"]  # type: ignore[index, call-overload]

    assert (said["decidedBy"], said["approvers"]) == ("rule", [])
    assert "by unknown" not in status_sentence(ended, PRINTED)


def test_an_approved_card_offers_to_call_off_and_then_says_who_did_and_why() -> None:
    approved = a_request(State.APPROVED, votes=(a_vote("cy"),))
    ended = after(approved, lifecycle.call_off(approved, "ana", "The test data leaked.", AFTERWARDS))

    before, now = request_card(approved, PRINTED), request_card(ended, PRINTED)

    assert [button.action for button in before.buttons] == ["call_off"]
    assert now.buttons == ()
    assert (
        "Called off by Ana Ruiz on 2026-03-02 15:00 UTC: The test data leaked. Countersign does not move" in now.summary
    )
    assert "Called off by Ana Ruiz" in decision_text(ended, PRINTED)
    assert "Read the reason" in next_step(ended)
    assert NOON < AFTERWARDS
