"""An open card never asks for votes that cannot count: when its target changed hands, or a freeze begins, it says so at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.model import State, TransitionRequest
from bot.domain.text import format_utc
from tests.e2e.request.test_freeze import freeze, go_to, in_days, window
from tests.e2e.request.test_rollback import roll_back
from tests.fixtures.installation import Installation


def champion_of(request: TransitionRequest) -> int | None:
    compared = request.evidence.champion if request.evidence else None
    return compared.version.version if compared else None


@pytest.mark.proof
def test_a_rollback_renews_the_comparison_of_an_open_card_and_the_two_cards_lead_to_each_other(
    installation: Installation,
) -> None:
    installation.promoted()
    second = installation.promoted()
    old = installation.asked(installation.register())

    roll_back(installation, second)
    fresh = installation.request(3)
    before, after = installation.card(old), installation.card(fresh)
    installation.approve(fresh)

    assert (champion_of(old), champion_of(fresh)) == (2, 1)
    assert fresh.expires_at == old.expires_at
    assert installation.reread(old).state is State.SUPERSEDED
    assert not before.buttons
    assert "Renewed on another card" in before.all_text
    assert f"to {installation.model} v1 after the evidence" in before.all_text
    assert fresh.card is not None
    assert old.card is not None
    assert fresh.card.url in str(before.blocks)
    assert old.card.url in str(after.blocks)
    assert installation.reread(fresh).state is State.APPLIED
    assert installation.champion() == 3


@pytest.mark.proof
def test_a_move_by_hand_renews_an_open_card_and_so_does_its_end(installation: Installation) -> None:
    installation.promoted()
    installation.promoted()
    old = installation.asked(installation.register())

    installation.move(1)
    during = installation.request(3)
    installation.click("ana", installation.request(1), "reject")
    installation.slack.submit_view("ana", {"reason": "nobody asked"})
    installation.settle()
    after = installation.request(3)

    assert [one.state for one in map(installation.reread, (old, during, after))] == [
        State.SUPERSEDED,
        State.SUPERSEDED,
        State.PENDING,
    ]
    assert [champion_of(one) for one in (old, during, after)] == [2, 2, 2]
    assert installation.champion() == 2


@pytest.mark.proof
def test_a_target_that_goes_back_and_forth_does_not_renew_a_card_for_ever(installation: Installation) -> None:
    installation.use_policy(observed="report")
    installation.promoted()
    installation.promoted()
    installation.asked(installation.register())

    for version in (1, 2, 1, 2, 1, 2):
        installation.move(version)
        installation.sweep()

    cards = [one for one in installation.requests() if one.version.version == 3]
    assert len(cards) == 4
    assert len({one.expires_at for one in cards}) == 1
    assert cards[-1].state is State.PENDING


@pytest.mark.proof
def test_a_freeze_that_begins_and_ends_is_on_the_open_card_at_once(installation: Installation) -> None:
    begins, ends = in_days(installation, 1), in_days(installation, 2)
    freeze(installation, release=f"deny: {window(begins, ends)}")
    request = installation.asked()
    before = installation.card(request).all_text

    go_to(installation, begins + timedelta(minutes=1))
    during = installation.card(request).all_text
    go_to(installation, ends + timedelta(minutes=1))
    installation.make_jobs_due()
    installation.settle()

    said = f"Freeze (release) until {format_utc(ends)}: an approval takes effect after that."
    assert (said in before, said in during, said in installation.card(request).all_text) == (False, True, False)
