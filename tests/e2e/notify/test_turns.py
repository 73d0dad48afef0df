"""Messages that take turns in a channel are still posted once, whoever posts them at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import pytest
import sqlalchemy as sa

from bot.domain.card.card import Card
from bot.domain.references import PostedCard
from bot.engine.pace import PaceRows, paces
from bot.errors import NotYet, OutsideError
from handlers.notify.outbox import post_once
from tests.fixtures.installation import CHANNEL, Installation

CARD = Card("A message", "It is posted once.")


def test_two_jobs_that_post_the_same_at_once_make_one_message(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read that nothing is reserved before either gets the channel's lock."""
    installation.s.notifier.post_spacing = 0.01
    installation.s.notifier.post_settles = 3600.0  # seconds; the second must not take the first's message for lost
    both_are_here, take = Barrier(2), PaceRows.take

    def take_together(rows: PaceRows, *asked: object, **more: object) -> object:
        with suppress(Exception):
            both_are_here.wait(timeout=20)
        return take(rows, *asked, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(PaceRows, "take", take_together)

    def post(_: int) -> PostedCard | None:
        with suppress(OutsideError):
            return post_once("same", CHANNEL, CARD, installation.s)
        return None

    with ThreadPoolExecutor(2) as threads:
        posted = [one for one in threads.map(post, range(2)) if one]

    assert len({one.message for one in posted}) == 1
    assert [message.all_text for message in installation.slack.messages(CHANNEL)].count("A message") <= 1
    assert sum("A message" in message.all_text for message in installation.slack.messages(CHANNEL)) == 1


def test_a_card_by_its_channels_name_and_a_reply_by_its_id_keep_to_one_pace(installation: Installation) -> None:
    installation.s.notifier.post_spacing = 30.0
    posted = post_once("card", CHANNEL, CARD, installation.s)

    with pytest.raises(NotYet):
        post_once("reply", posted.channel, CARD, installation.s, thread=posted.message)

    with installation.s.store.engine.connect() as connection:
        known = {row.place: row.leads_to for row in connection.execute(sa.select(paces))}
    assert known[CHANNEL] == posted.channel


def test_what_a_message_costs_is_paid_when_its_turn_has_come(installation: Installation) -> None:
    installation.s.notifier.post_spacing = 30.0
    made: list[str] = []

    def costly() -> Card:
        made.append("made")
        return CARD

    post_once("first", CHANNEL, CARD, installation.s)
    for _ in range(3):
        with pytest.raises(NotYet):
            post_once("second", CHANNEL, costly, installation.s)

    assert made == []
