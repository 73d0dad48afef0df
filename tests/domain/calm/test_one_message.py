"""Reminders of one person are one message, and the note of the day comes once for each day of the person's own calendar."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.calm.daily import (
    DailyNote,
    Day,
    begun,
    clock_text,
    daily_card,
    day_before,
    due_day,
    is_overdue,
    read_minute,
)
from bot.domain.calm.reminders import LINES, Waits, is_due, reminders_card
from bot.domain.card.context import CardContext
from bot.domain.model import State
from bot.domain.policy.calendars import WorkingHours
from tests.builders import CARD, NOON, RULE_HASH, a_request, a_rule, a_version

ALWAYS = WorkingHours("UTC", days=(0, 1, 2, 3, 4, 5, 6), opens=0, closes=1440, holidays=())
RULE = a_rule(remind_after=timedelta(hours=4))
HOUR = timedelta(hours=1)


def waits(reminded: datetime | None = None, number: int = 7, rule: object = RULE) -> Waits:
    request = a_request(reminded_at=reminded, version=a_version(number), pending_since=NOON, card=CARD)
    return Waits(request, CardContext({}, rule, RULE_HASH))  # type: ignore[arg-type]


def test_the_first_reminder_that_comes_due_sends_one_message_and_the_next_waits_for_the_rules_pause() -> None:
    first, second = waits(NOON + 4 * HOUR), waits(NOON + 5 * HOUR, 8)

    assert is_due([first, second], None, ALWAYS, NOON + 4 * HOUR)
    assert not is_due([first, second], NOON + 4 * HOUR, ALWAYS, NOON + 5 * HOUR)
    assert is_due([first, waits(NOON + 8 * HOUR, 8)], NOON + 4 * HOUR, ALWAYS, NOON + 8 * HOUR)
    assert is_due([first], NOON + 365 * 24 * HOUR, ALWAYS, NOON + 4 * HOUR)  # the clock was fast


@pytest.mark.parametrize("quiet", [waits(None), waits(NOON, rule=a_rule()), waits(NOON, rule=None)])
def test_what_no_rule_reminds_of_sends_nothing(quiet: Waits) -> None:
    assert not is_due([quiet], None, ALWAYS, NOON + 9 * HOUR)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_two_messages_to_one_person_are_never_closer_than_the_pause(minutes: list[int]) -> None:
    last, sent = None, list[datetime]()
    for minute in sorted(minutes):
        now = NOON + timedelta(minutes=minute)
        if is_due([waits(now)], last, ALWAYS, now):
            last = now
            sent.append(now)

    assert all(later - before >= 4 * HOUR for before, later in itertools.pairwise(sent))
    assert sent[0] == NOON + timedelta(minutes=min(minutes))


def test_the_message_lists_everything_with_age_needs_and_link_the_longest_first() -> None:
    old = replace(waits(NOON, 3), request=replace(waits(NOON, 3).request, pending_since=NOON - 26 * HOUR))
    card = reminders_card([waits(NOON), old], NOON + HOUR)

    assert card.title == "2 requests wait for you"
    assert [item.title for item in card.items] == ["bike-demand v3 → champion", "bike-demand v7 → champion"]
    assert card.items[0].text.startswith("Waits for 1 day and 3 hours. Needs ")
    assert card.items[0].link is not None
    assert card.items[0].link.url == CARD.url
    assert card.mentions == ()


def test_a_long_list_says_how_many_it_leaves_out() -> None:
    card = reminders_card([waits(NOON, number) for number in range(1, LINES + 4)], NOON)

    assert len(card.items) == LINES
    assert card.paragraphs[-1] == "And 3 more: countersign requests list has all."


MADRID = DailyNote("p1", "U1", 9 * 60, "Europe/Madrid")


@pytest.mark.parametrize(
    ("at", "sent_for", "due"),
    [
        (datetime(2026, 3, 2, 7, 59, tzinfo=UTC), None, None),
        (datetime(2026, 3, 2, 8, 0, tzinfo=UTC), None, date(2026, 3, 2)),
        (datetime(2026, 3, 2, 8, 0, tzinfo=UTC), date(2026, 3, 2), None),
        (datetime(2026, 3, 2, 22, 59, tzinfo=UTC), date(2026, 3, 1), date(2026, 3, 2)),
        (datetime(2026, 7, 2, 7, 0, tzinfo=UTC), None, date(2026, 7, 2)),  # in summer two hours ahead of UTC
        (datetime(2026, 3, 2, 9, 0, tzinfo=UTC), date(2026, 3, 3), None),  # the person has gone west
        (datetime(2026, 3, 2, 9, 0, tzinfo=UTC), date(2026, 3, 4), date(2026, 3, 2)),  # the clock was fast
    ],
)
def test_the_note_is_due_once_a_day_from_its_hour_on_where_the_person_is(
    at: datetime, sent_for: date | None, due: date | None
) -> None:
    assert due_day(replace(MADRID, sent_for=sent_for), at) == due


def test_switched_on_after_its_hour_it_begins_tomorrow() -> None:
    late = datetime(2026, 3, 2, 15, tzinfo=UTC)

    assert due_day(begun(MADRID, late), late) is None
    assert due_day(begun(MADRID, late), late + timedelta(days=1)) == date(2026, 3, 3)
    assert begun(MADRID, datetime(2026, 3, 2, 6, tzinfo=UTC)).sent_for is None


@given(st.lists(st.integers(0, 60 * 24 * 6), max_size=80), st.sampled_from(["UTC", "Europe/Madrid", "Asia/Kolkata"]))
def test_however_often_it_is_looked_at_no_day_is_sent_twice(minutes: list[int], zone: str) -> None:
    note, sent = replace(MADRID, timezone=zone), list[date]()
    for minute in sorted(minutes):
        day = due_day(note, NOON + timedelta(minutes=minute))
        if day is not None:
            sent.append(day)
            note = replace(note, sent_for=day)

    assert sorted(set(sent)) == sent


def test_yesterday_is_the_day_before_where_the_person_is_also_when_the_clocks_change() -> None:
    assert day_before(date(2026, 3, 30), "Europe/Madrid") == (
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("text", "minute"), [("09:00", 540), ("9:30", 570), ("23:59", 1439), ("24:00", None), ("9", None)]
)
def test_a_time_of_day_is_read_strictly(text: str, minute: int | None) -> None:
    assert read_minute(text) == minute
    if minute is not None:
        assert read_minute(clock_text(minute)) == minute


def test_the_note_says_what_waits_what_was_decided_and_what_moved() -> None:
    applied = a_request(State.APPLIED, card=CARD, settled_at=NOON)
    told = Day(waits=(waits(NOON),), decided=(a_request(State.REJECTED),), moved=(applied,))
    card = daily_card(date(2026, 3, 3), told, NOON + HOUR)

    assert "1 waits for you" in card.summary
    assert [item.title.partition(":")[0] for item in card.items] == ["Waits for you", "Decided", "Moved"]
    assert Day().is_empty
    assert not told.is_empty


def test_overdue_is_what_has_waited_longer_than_its_rules_reminder() -> None:
    assert is_overdue(waits(NOON), ALWAYS, NOON + 4 * HOUR)
    assert not is_overdue(waits(NOON), ALWAYS, NOON + 3 * HOUR)
    assert not is_overdue(waits(NOON, rule=a_rule()), ALWAYS, NOON + 99 * HOUR)
