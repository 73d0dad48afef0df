"""A review that rejects a broken glass is a no like any other, from its own moment on; until it confirms it, nothing rests on the deed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from bot.domain.broken_glass import BrokenGlass, GlassReview
from bot.domain.grounds import No
from bot.domain.model import Artifacts, DecidedBy, Kind, TransitionRequest, VersionId
from bot.domain.registry.arrivals import step_for_arrival
from bot.domain.registry.custody import custody_of, may_hold, way_back_from
from bot.domain.registry.facts import is_a_no, is_unconfirmed
from bot.domain.registry.steps import How, PutBack
from bot.domain.request.approvals import approval_behind
from bot.domain.request.objections import objections_to
from bot.domain.request.rollback import how_rejected, rejection_of, relied_on, ways_back, why_not_approved
from tests.builders import RULE_HASH, a_request, an_evidence
from tests.builders.custody import V1, V2, V3, applied, hours, the_facts

LEAK = "It leaks personal data."


def by_glass(version: VersionId, at: float, review: GlassReview | None = None, **changes: Any) -> TransitionRequest:
    glass = BrokenGlass("cy", "it is down", hours(at), "on-call", "leads", hours(48), RULE_HASH, review=review)
    evidence = an_evidence(artifacts=Artifacts(f"sha256:{version.version}", 1, 1))
    usual = applied(version, at, decided_by=DecidedBy.BREAK_GLASS, glass=glass, evidence=evidence)
    return replace(usual, **changes)


def said(at: float, *, is_confirmed: bool) -> GlassReview:
    return GlassReview("ben", hours(at), is_confirmed, "" if is_confirmed else LEAK)


NO, YES = said(9, is_confirmed=False), said(9, is_confirmed=True)


@pytest.mark.parametrize(
    ("review", "a_no", "unconfirmed"), [(NO, True, True), (None, False, True), (YES, False, False)]
)
def test_the_review_says_whether_the_deed_is_a_no_or_an_approval_or_neither(
    review: GlassReview | None, a_no: bool, unconfirmed: bool
) -> None:
    deed = by_glass(V2, 2, review)

    assert (is_a_no(deed), is_unconfirmed(deed)) == (a_no, unconfirmed)
    assert (relied_on(V2, [applied(V1, 1), deed]) is None) is unconfirmed


def test_a_rejecting_review_counts_from_its_own_moment() -> None:
    evidence = an_evidence(artifacts=Artifacts("sha256:2", 1, 1))
    approved_between = applied(V2, 5, evidence=evidence)
    approved_after = applied(V2, 10, evidence=evidence)
    deed = by_glass(V2, 2, NO)

    assert rejection_of(V2, [deed, approved_between]) == deed
    assert rejection_of(V2, [deed, approved_after]) is None
    assert how_rejected(deed).count(LEAK.rstrip(".")) == 1


def test_what_a_review_rejected_is_no_way_back() -> None:
    decided = [applied(V1, 1), by_glass(V2, 2, NO), applied(V3, 3)]

    assert ways_back(V3, decided) == (V1,)
    assert way_back_from(V3, the_facts(*decided, holders=(V3,))) == V1
    assert way_back_from(V3, the_facts(*decided[:2], by_glass(V3, 3), holders=(V3,))) == V1


def test_it_holds_its_target_until_the_rollback_comes_and_not_again_afterwards() -> None:
    decided = [applied(V1, 1), by_glass(V2, 2, NO)]

    assert may_hold(V2, the_facts(*decided, holders=(V2,), seen={V2: hours(2)}))
    assert custody_of(the_facts(*decided, holders=(V3,))).way_back == V1
    assert not may_hold(V2, the_facts(*decided, holders=(V1,)))
    assert may_hold(V1, the_facts(*decided, holders=(V1,)))


@pytest.mark.parametrize("seen", [{}, {V2: hours(10)}], ids=["as it arrives", "once it is on record"])
def test_what_a_review_rejected_does_not_come_back_by_hand(seen: dict[VersionId, datetime]) -> None:
    facts = the_facts(applied(V1, 1), by_glass(V2, 2, NO), holders=(V2,), seen=seen)

    assert not may_hold(V2, facts)
    assert step_for_arrival(V2, V3, facts, hours(10)) == PutBack(V2, V1, How.MOVE)


def test_the_same_content_carries_the_no_of_the_review_once() -> None:
    deed = by_glass(V2, 2, NO)
    back = applied(V1, 10, away_from=V2, comment=LEAK)

    (left_there,) = objections_to(a_request(), [deed], [deed])
    (taken_back,) = objections_to(a_request(), [deed], [deed, back])

    assert (left_there.how, left_there.person, left_there.reason, left_there.at) == (No.REVIEWED, "ben", LEAK, hours(9))
    assert taken_back.how is No.ROLLED_BACK
    assert objections_to(a_request(), [deed, applied(V3, 10)], [deed]) == ()


def test_a_rollback_without_votes_rests_on_the_approval_before_the_broken_glass() -> None:
    voted, deed = applied(V2, 1), by_glass(V2, 3)
    back = applied(V2, 6, kind=Kind.ROLLBACK, decided_by=DecidedBy.RULE)

    assert relied_on(V2, [voted, deed]) == voted
    assert approval_behind(back, [voted, deed]).request == voted


def test_the_reason_for_votes_says_whether_the_version_was_ever_there() -> None:
    assert "by a broken glass alone" in why_not_approved(V2, "champion", [by_glass(V2, 2)])
    assert "was never approved" in why_not_approved(V2, "champion", [applied(V1, 1)])
