"""Whoever wants to approve what is theirs is refused, and the ledger remembers it for the digest."""

from __future__ import annotations

from bot.domain.events import SelfApprovalRefused
from tests.fixtures.installation import House


def test_a_refused_self_approval_is_recorded_once_a_day_however_often_it_is_tried(house: House) -> None:
    request = house.asked(house.register(user="bea"))

    house.approve(request, "bea")
    house.approve(request, "bea")

    [refused] = house.entries(SelfApprovalRefused)
    assert refused["request_id"] == request.id
    assert "someone else must decide it" in house.whispered("bea")
    assert house.ledger_fault() is None


def test_a_form_that_would_ask_for_a_reason_makes_no_difference(house: House) -> None:
    house.use_policy(reason="always")
    request = house.asked(house.register(user="bea"))

    house.approve(request, "bea")

    assert len(house.entries(SelfApprovalRefused)) == 1


def test_to_reject_what_is_ones_own_is_refused_as_well_but_is_no_self_approval(house: House) -> None:
    request = house.asked(house.register(user="bea"))

    house.click("bea", request, "reject")

    assert "someone else must decide it" in house.whispered("bea")
    assert house.entries(SelfApprovalRefused) == []
