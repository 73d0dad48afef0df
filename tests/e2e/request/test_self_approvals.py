"""People who try to approve their own request are refused, and the ledger records it for the digest."""

from __future__ import annotations

from bot.domain.events import SelfApprovalRefused
from tests.fixtures.installation import Installation


def test_a_refused_self_approval_is_recorded_once_a_day_however_often_it_is_tried(installation: Installation) -> None:
    request = installation.asked(installation.register(user="bea"))

    installation.approve(request, "bea")
    installation.approve(request, "bea")

    [refused] = installation.entries(SelfApprovalRefused)
    assert refused["request_id"] == request.id
    assert "someone else must decide it" in installation.told_privately("bea")
    assert installation.ledger_fault() is None


def test_a_form_that_would_ask_for_a_reason_makes_no_difference(installation: Installation) -> None:
    installation.use_policy(reason="always")
    request = installation.asked(installation.register(user="bea"))

    installation.approve(request, "bea")

    assert len(installation.entries(SelfApprovalRefused)) == 1


def test_to_reject_what_is_ones_own_is_refused_as_well_but_is_no_self_approval(installation: Installation) -> None:
    request = installation.asked(installation.register(user="bea"))

    installation.click("bea", request, "reject")

    assert "someone else must decide it" in installation.told_privately("bea")
    assert installation.entries(SelfApprovalRefused) == []
