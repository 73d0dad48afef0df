"""Break glass in plain values: what the form carries, what it passes, and when the review is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.break_glass.breaking import VIA, break_glass, decide_by_glass
from bot.domain.break_glass.offer import Offer, as_value, despite_of, offer_of, read_offer
from bot.domain.break_glass.reviewing import next_reminder, remind, review, wants_review
from bot.domain.events import GlassHeld, GlassPassed, RequestApproved
from bot.domain.grounds import No, Objection
from bot.domain.model import DecidedBy, State, Target, TransitionRequest, Verdict, Vote
from bot.domain.policy.freezes import FreezeNow, freeze_on
from bot.domain.policy.rules import BreakGlass
from bot.domain.request.evolution import evolve
from bot.domain.request.proofs import NO_GLASS, why_not_decided
from bot.errors import Refused
from tests.builders import NOON, RULE_HASH, a_policy, a_request, a_rule, a_version, an_evidence

MAY = BreakGlass("on-call", "leads", timedelta(days=2))
RULE = a_rule(break_glass=MAY)
DEED = Vote("cy", Verdict.APPROVE, "it is down", NOON, ("on-call",), VIA, RULE_HASH)
NO = Objection("r0", No.REJECTED, "bike-demand v6", "champion", "ana", "it forgets holidays", NOON)


def broken(deed: Vote = DEED, despite: str = "", **changes: object) -> TransitionRequest:
    request = a_request(State.PENDING, requester="cy", **changes)
    for event in break_glass(request, deed, RULE, despite, NOON):
        request = evolve(request, event)  # type: ignore[arg-type]
    return request


def decided(request: TransitionRequest) -> TransitionRequest:
    for event in decide_by_glass(request, RULE, RULE_HASH, None, NOON):
        request = evolve(request, event)  # type: ignore[arg-type]
    return request


@given(
    model=st.text(min_size=1, max_size=200),
    target=st.sampled_from(["alias:champion", "stage:Production", "model:prod.x"]),
    despite=st.sampled_from(["", "ab" * 32]),
)
def test_what_a_form_carries_is_read_as_it_was_written(model: str, target: str, despite: str) -> None:
    offer = Offer("r1", replace(a_version(), model=model), Target.parse(target), RULE_HASH, despite)

    assert read_offer(as_value(offer)) == offer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "r1",
        "[]",
        "null",
        "{}",
        '{"id": 1}',
        '{"version": true}',
        as_value(Offer("r", a_version(), RULE.target, "h"))[:-9],
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="another release"):
        read_offer(text)


def test_one_member_of_the_group_decides_and_what_was_passed_is_recorded() -> None:
    freeze = FreezeNow("year-end", NOON + timedelta(days=9))

    passed, approved = decide_by_glass(broken(), RULE, RULE_HASH, freeze, NOON)

    assert isinstance(passed, GlassPassed)
    assert passed.what[:2] == ("the votes that the rule asks for (1 leads)", "the freeze year-end")
    assert isinstance(approved, RequestApproved)
    assert (approved.by, approved.approvers) == (DecidedBy.BREAK_GLASS, ())


def test_a_no_that_was_not_shown_holds_it_and_one_that_was_shown_does_not() -> None:
    unknown, shown = broken(objections=(NO,)), broken(despite=despite_of((NO,), ""), objections=(NO,))

    (held,) = decide_by_glass(unknown, RULE, RULE_HASH, None, NOON)

    assert isinstance(held, GlassHeld)
    assert decided(shown).state is State.APPROVED
    assert despite_of((NO,), "") != despite_of((NO, replace(NO, request_id="r9")), "")
    assert despite_of((), "") == ""


@pytest.mark.parametrize(
    ("deed", "rule", "sentence"),
    [
        (replace(DEED, reason="  "), RULE, "say in a sentence why"),
        (replace(DEED, groups=("leads",)), RULE, "only members of on-call may break the glass"),
        (DEED, a_rule(), "has no break_glass"),
    ],
)
def test_what_is_not_lawful_is_refused_with_a_sentence(deed: Vote, rule: object, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        break_glass(a_request(State.PENDING), deed, rule, "", NOON)  # type: ignore[arg-type]


def test_it_is_broken_once() -> None:
    with pytest.raises(Refused, match="broken already"):
        break_glass(broken(), DEED, RULE, "", NOON)


def test_a_decision_without_a_deed_or_under_a_rule_without_it_is_not_believed() -> None:
    request = decided(broken())

    assert why_not_decided(request, RULE) == ""
    assert why_not_decided(replace(request, glass=None), RULE) == NO_GLASS
    assert why_not_decided(request, a_rule()) == NO_GLASS
    assert request.glass is not None
    assert why_not_decided(replace(request, glass=replace(request.glass, group="leads")), RULE) == NO_GLASS


def test_no_freeze_holds_it_back() -> None:
    policy = a_policy(RULE)

    assert freeze_on(decided(broken()), policy, NOON) is None


def test_the_review_is_asked_for_at_half_of_its_time_at_its_end_and_then_every_day() -> None:
    request, asked = decided(broken()), []
    for hour in range(24 * 5):
        at = NOON + timedelta(hours=hour)
        for event in remind(request, at):
            asked.append((hour, event.is_overdue))  # type: ignore[attr-defined]
            request = evolve(request, event)  # type: ignore[arg-type]

    assert asked == [(24, False), (48, True), (72, True), (96, True)]


def test_a_late_clock_asks_once_for_what_it_has_missed() -> None:
    request = decided(broken())

    (late,) = remind(request, NOON + timedelta(days=9))
    again = evolve(request, late)  # type: ignore[arg-type]

    assert next_reminder(again) == NOON + timedelta(days=10)


def test_after_its_review_nothing_is_asked_for_any_more() -> None:
    request = decided(broken())
    said = Vote("dan", Verdict.APPROVE, "", NOON, ("leads",), "review")

    (reviewed,) = review(request, said, NOON)
    request = evolve(request, reviewed)  # type: ignore[arg-type]

    assert not wants_review(request)
    assert next_reminder(request) is None
    with pytest.raises(Refused, match="was reviewed already"):
        review(request, replace(said, person="eve"), NOON)


@pytest.mark.parametrize("person", ["cy", "bea"])
def test_neither_who_broke_the_glass_nor_the_author_reviews_it(person: str) -> None:
    request = decided(broken(author="bea"))
    said = Vote(person, Verdict.APPROVE, "", NOON, ("leads",), "review")

    with pytest.raises(Refused, match="somebody else must review this"):
        review(request, said, NOON)
    with pytest.raises(Refused, match="somebody else must review this"):
        review(request, replace(said, person="zoe", also=(person,)), NOON)


def test_what_the_worker_compares_with_the_signed_form_is_in_the_request() -> None:
    request = broken(evidence=an_evidence())

    assert offer_of(request) == Offer(request.id, request.version, request.target, RULE_HASH)
    assert offer_of(a_request()) is None
