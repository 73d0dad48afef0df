"""The weeks of digests: ISO weeks, from Monday to Monday in the policy's time zone. Pure.

The cron decides when a digest is due (`handlers.digest.schedule`). A week in which the clocks change has an hour more or less.
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
    """`week` is for example 2026-W47; `starts` is inclusive, `ends` exclusive, both in UTC."""

    week: str
    timezone: str
    starts: datetime
    ends: datetime


def period_of(week: str, timezone: str) -> Period:
    """Raises Refused when there is no such week."""
    found = WEEK.fullmatch(week)
    if found:
        with suppress(ValueError, OverflowError):  # dates outside the years 1 to 9999, also after conversion to UTC
            monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
            return Period(week, timezone, _midnight(monday, timezone), _midnight(monday + A_WEEK, timezone))
    raise Refused(f'"{week[:40]}" is no ISO week. Write one such as 2026-W47')


def period_at(moment: datetime, timezone: str) -> Period:
    """The week that contains the time."""
    year, week, _ = moment.astimezone(ZoneInfo(timezone)).isocalendar()
    return period_of(f"{year:04}-W{week:02}", timezone)


def next_period(period: Period) -> Period:
    return period_at(period.ends, period.timezone)


def previous_period(period: Period) -> Period:
    return period_at(period.starts - timedelta(hours=1), period.timezone)


def periods_from(first: Period, until: datetime) -> Iterator[Period]:
    """The weeks that have ended by `until`, oldest first, starting with `first`."""
    period = first
    while period.ends <= until:
        yield period
        period = next_period(period)


def _midnight(day: date, timezone: str) -> datetime:
    """Midnight in UTC. When the clocks skip midnight, the moment of the jump, because zoneinfo uses the offset before it."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
