"""The cards of what waited in a backup that was restored: what was decided since stays, and all others say that they ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.domain.model import State
from tests.e2e.notify.test_shared_cards import asked_at_once
from tests.e2e.registry.test_restored import back_up, restored
from tests.e2e.request.test_freeze import approved, freeze_for_days
from tests.fixtures.installation import CHANNEL, Installation

__all__ = ["restored"]  # the fixture


def test_the_card_of_an_approval_that_a_freeze_held_ends(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    freeze_for_days(installation, 4)
    request = approved(installation)
    file = back_up(installation, tmp_path)

    after = restored(file)
    after.settle()

    assert after.reread(request).state is State.STALE
    assert "call_off" not in after.card(request).buttons
    assert not any("was decided since" in one.all_text for one in after.thread(request))


def test_a_rejection_that_is_on_record_is_not_said_to_be_lost(
    installation: Installation,
    restored: Callable[[Path], Installation],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The move by hand that it rejects waits to be put back."""
    installation.promoted()
    installation.register()
    installation.move(2)
    (asked,) = installation.requests(State.PENDING)
    monkeypatch.setattr("handlers.registry.apply._bring_about", _fail)
    installation.reject(asked, "no", settle=installation.settle_once)
    monkeypatch.undo()
    file = back_up(installation, tmp_path)

    after = restored(file)
    after.settle()

    assert not any("was decided since" in one.all_text for one in after.thread(asked))


def test_of_a_card_in_the_thread_of_a_list_the_reply_is_in_that_thread(
    installation: Installation, restored: Callable[[Path], Installation], tmp_path: Path
) -> None:
    request, *_ = asked_at_once(installation)
    file = back_up(installation, tmp_path)
    installation.approve(request)

    after = restored(file)
    after.settle_all()

    card = after.reread(request).card
    replies = [one for one in after.slack.messages(CHANNEL) if "this request still waited" in one.all_text]
    assert card is not None
    assert [one.thread_ts for one in replies] == [card.thread]


def _fail(*_: object) -> None:
    raise RuntimeError("down")
