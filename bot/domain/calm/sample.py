"""One of each message for many requests and of one person, so that the doctor can ask the notifier whether it takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from bot.domain.calm.daily import Day, daily_card
from bot.domain.calm.group_card import Counts, Shown, call_card, group_card
from bot.domain.calm.mentions import missing
from bot.domain.calm.outcomes import outcomes_card
from bot.domain.calm.reminders import Waits, reminders_card
from bot.domain.card.card import Card, Link
from bot.domain.card.context import CardContext
from bot.domain.card.sample import NAMES, URL, sample_request
from bot.domain.model import Kind, State
from bot.domain.policy.rules import Group, Rule


def calm_samples(rule: Rule | None, groups: tuple[Group, ...], at: datetime) -> Iterator[tuple[str, Card]]:
    """What each message is about, and the message."""
    context = CardContext(NAMES, rule, groups=groups)
    each = enumerate(State)
    requests = [replace(sample_request(state, Kind.PROMOTION, at), id=f"{number:x}" * 32) for number, state in each]
    shown = [Shown(one, context) for one in requests]
    waits = tuple(Waits(one, context) for one in requests if one.state is State.PENDING)
    ended = tuple(one for one in requests if not one.state.is_open)
    counts, called = Counts(90, 5, 5), tuple(dict.fromkeys(who for one in requests for who in missing(one, context)))
    name = rule.label if rule else "models"
    yield "the card that many requests share", group_card(name, shown, counts, called, Link("All", URL))
    yield "the call below it", call_card(name, counts, called)
    yield "the reminders of one person", reminders_card(waits, at)
    yield "the outcomes that one person is sent together", outcomes_card([Shown(one, context) for one in ended])
    yield "the message of the day", daily_card(at.date(), Day(waits, waits, ended, ended), at)
