"""The note of the day for who wants it: when it is due in the person's own time zone, and what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.calm.reminders import Waits, by_age, line_of, name_of
from bot.domain.card.card import Card, Item, Link
from bot.domain.card.titles import title_of
from bot.domain.model import TransitionRequest
from bot.domain.policy.calendars import WorkingHours
from bot.domain.request.opening import waits_since
from bot.language import _, day, listed, ngettext, sentences

USUALLY = 9 * 60  # minutes after midnight
CLOCK = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)")
LINES = 8  # of each part
YESTERDAY = timedelta(days=1)


@dataclass(frozen=True)
class DailyNote:
    """`minute` is since midnight in `timezone`; `sent_for` is the last day that is done."""

    person: str
    account: str
    minute: int
    timezone: str
    sent_for: date | None = None


@dataclass(frozen=True)
class Day:
    """What a note is about. `waits` and `overdue` are now, `decided` and `moved` of the day before; `overdue` waits for others' votes."""

    waits: tuple[Waits, ...] = ()
    overdue: tuple[Waits, ...] = ()
    decided: tuple[TransitionRequest, ...] = ()
    moved: tuple[TransitionRequest, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.waits or self.overdue or self.decided or self.moved)


def due_day(note: DailyNote, now: datetime) -> date | None:
    """The day whose note is due. None before its hour and once it is done, also when the person has gone west and the day comes again."""
    local = now.astimezone(ZoneInfo(note.timezone))
    is_time = local.hour * 60 + local.minute >= note.minute
    is_new = (
        note.sent_for is None or not local.date() <= note.sent_for <= local.date() + YESTERDAY
    )  # else a clock was fast
    return local.date() if is_time and is_new else None


def begun(note: DailyNote, now: datetime) -> DailyNote:
    """As it is when somebody switches it on: today's hour may be over, and then the first one comes tomorrow."""
    fresh = replace(note, sent_for=None)
    return replace(fresh, sent_for=due_day(fresh, now))


def day_before(on: date, timezone: str) -> tuple[datetime, datetime]:
    """From when until when the day before was, there."""
    zone = ZoneInfo(timezone)
    first, last = (datetime.combine(one, time.min, zone) for one in (on - YESTERDAY, on))
    return first.astimezone(UTC), last.astimezone(UTC)


def read_minute(text: str) -> int | None:
    """Minutes after midnight, for example of 09:30; None when it is no time of day."""
    found = CLOCK.fullmatch(text.strip())
    return int(found["hour"]) * 60 + int(found["minute"]) if found else None


def clock_text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def is_overdue(one: Waits, calendar: WorkingHours, now: datetime) -> bool:
    """It has waited longer than the rule lets pass before it reminds."""
    since, rule = waits_since(one.request), one.rule
    if since is None or rule is None or rule.remind_after is None:
        return False
    return calendar.elapsed(since, now) >= rule.remind_after


def daily_card(on: date, told: Day, now: datetime) -> Card:
    """`told` is not empty."""
    title = _("Your day: {day}", day=day(on))
    said = _in_short(told)
    return Card(title, sentences(_("{said}.", said=title), said), paragraphs=(said,), items=tuple(_items(told, now)))


def _in_short(told: Day) -> str:
    waits, late, decided, moved = len(told.waits), len(told.overdue), len(told.decided), len(told.moved)
    parts = [
        ngettext("{count} waits for you", "{count} wait for you", waits) if waits else "",
        ngettext("{count} of yours is overdue", "{count} of yours are overdue", late) if late else "",
        ngettext("{count} of yours was decided yesterday", "{count} of yours were decided yesterday", decided)
        if decided
        else "",
        ngettext("{count} moved in the registry yesterday", "{count} moved in the registry yesterday", moved)
        if moved
        else "",
    ]
    return _("{said}.", said=listed(part for part in parts if part))


def _items(told: Day, now: datetime) -> list[Item]:
    return [
        *_part([_with(_("Waits for you"), line_of(one, now)) for one in by_age(told.waits)]),
        *_part([_with(_("Overdue"), line_of(one, now)) for one in by_age(told.overdue)]),
        *_part([_with(_("Decided"), _ended(one)) for one in told.decided]),
        *_part([_with(_("Moved"), _ended(one)) for one in told.moved]),
    ]


def _part(items: Sequence[Item]) -> list[Item]:
    left = len(items) - LINES
    more = [Item(ngettext("… {count} more", "… {count} more", left), _("countersign requests list has all."))]
    return [*items[:LINES], *(more if left > 0 else [])]


def _with(label: str, item: Item) -> Item:
    return replace(item, title=_("{label}: {name}", label=label, name=item.title))


def _ended(request: TransitionRequest) -> Item:
    link = Link(_("Open the card"), request.card.url) if request.card else None
    return Item(name_of(request), _("{said}.", said=title_of(request)), link=link)
