"""Outcomes that one person is told in one message, where several come at once."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.calm.group_card import Shown
from bot.domain.calm.reminders import name_of
from bot.domain.card.card import Card, Item, Link
from bot.domain.card.next_steps import next_step
from bot.domain.card.sentences import status_sentence
from bot.domain.card.titles import title_of
from bot.language import _, ngettext, sentences

ALONE = 3  # so many at once are still a message each
TOGETHER = 25  # in one message at most


def are_many(coming: int) -> bool:
    """Whether so many outcomes that are due for one person now share messages."""
    return coming > ALONE


def outcomes_card(ended: Sequence[Shown]) -> Card:
    title = ngettext("News of {count} request of yours", "News of {count} requests of yours", len(ended))
    return Card(title, _("{said}.", said=title), items=tuple(_line(one) for one in ended))


def _line(one: Shown) -> Item:
    request = one.request
    link = Link(_("Open the card"), request.card.url) if request.card else None
    said = _("{said}.", said=title_of(request, is_rolled_back=bool(one.context.rolled_back)))
    return Item(name_of(request), sentences(said, status_sentence(request, one.context), next_step(request)), link=link)
