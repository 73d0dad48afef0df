"""The weeks that digests tell of: an ISO week, Monday to Monday on the wall clock of the policy's time zone. Pure.

When a week's digest is due is the cron's matter (`handlers.digest.schedule`). A week in which the clocks change has an hour more or less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.errors import Refused

WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
A_WEEK = timedelta(days=7)


@dataclass(frozen=True, order=True)
class Period:
    """`week` is such as 2026-W47; `starts` belongs to it and `ends` does not, both in UTC."""

    week: str
    timezone: str
    starts: datetime
    ends: datetime


def period_of(week: str, timezone: str) -> Period:
    """Raises Refused when there is no such week."""
    found = WEEK.fullmatch(week)
    if found:
        with suppress(ValueError, OverflowError):  # the calendar begins with the year 1 and ends with 9999, also in UTC
            monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
            return Period(week, timezone, _midnight(monday, timezone), _midnight(monday + A_WEEK, timezone))
    raise Refused(f'"{week[:40]}" is no ISO week. Write one such as 2026-W47')


def period_at(moment: datetime, timezone: str) -> Period:
    """The week that the moment belongs to."""
    year, week, _ = moment.astimezone(ZoneInfo(timezone)).isocalendar()
    return period_of(f"{year:04}-W{week:02}", timezone)


def next_period(period: Period) -> Period:
    return period_at(period.ends, period.timezone)


def previous_period(period: Period) -> Period:
    return period_at(period.starts - timedelta(hours=1), period.timezone)


def periods_from(first: Period, until: datetime) -> Iterator[Period]:
    """Those that have ended by then, oldest first, beginning with `first`."""
    period = first
    while period.ends <= until:
        yield period
        period = next_period(period)


def _midnight(day: date, timezone: str) -> datetime:
    """Where the clocks skip midnight, the first moment after it: zoneinfo reads the skipped time by the offset before."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
