"""Whoever stands in for somebody votes with what was true when Slack was asked; it is compared once more when the vote is recorded."""

from __future__ import annotations

import pytest

from bot.errors import Refused
from bot.ports import Click
from handlers.request.casting import check_is_still
from handlers.request.voters import voter_for
from tests.e2e.request.test_away import RISK_ALONE, go_away, say, use_groups
from tests.fixtures.installation import Installation

BEN = "U0BEN000002"


@pytest.mark.parametrize("meanwhile", ["cy is back", "cy has named ana"])
def test_a_vote_for_somebody_who_has_changed_that_meanwhile_is_not_recorded(
    installation: Installation, meanwhile: str
) -> None:
    use_groups(installation, RISK_ALONE)
    go_away(installation, "cy", "ben")
    request = installation.asked()
    s, click = installation.s, Click("T1", "A1", "C1", "1.2", BEN, "approve", request.id, "")
    rule = s.store.policy().rule_for("default", installation.model, request.target)
    assert rule is not None
    voter = voter_for(BEN, rule, request, s)
    with s.store.transaction() as tx:
        check_is_still(voter, click, tx, s.clock.now())

    if meanwhile == "cy is back":
        say(installation, "cy", "back")
    else:
        go_away(installation, "cy", "ana")

    with s.store.transaction() as tx, pytest.raises(Refused, match="the people whom you stand in for have changed"):
        check_is_still(voter, click, tx, s.clock.now())
