"""Slack dates its messages by its own clock, and our database may be ahead of it or behind, or be set back meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.model import State
from bot.domain.references import PostedCard
from bot.errors import OutcomeUnknown
from tests.fixtures.installation import Installation


@pytest.mark.parametrize(("seconds_ahead", "then"), [(45, 45), (240, 240), (540, 540), (-240, -240), (86_400, 0)])
def test_a_card_whose_answer_was_lost_is_found_and_not_posted_again(
    seconds_ahead: int, then: int, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.sweep()
    installation.clock.ahead = timedelta(seconds=seconds_ahead)
    post, lost = installation.s.notifier.post, list[PostedCard]()

    def post_and_lose_the_first_answer(*what: object, **more: object) -> PostedCard:
        posted = post(*what, **more)  # type: ignore[arg-type]
        if lost:
            return posted
        lost.append(posted)
        installation.clock.ahead = timedelta(seconds=then)
        raise OutcomeUnknown("the answer was lost")

    monkeypatch.setattr(installation.s.notifier, "post", post_and_lose_the_first_answer)
    request = installation.asked()
    installation.settle_until(lambda: installation.reread(request).card is not None)

    assert installation.reread(request).state is State.PENDING
    assert len(installation.cards()) == 1
    assert installation.reread(request).card == lost[0]
