"""Working hours, in which reminders count, and freezes, in which no approval is applied. Times of day are minutes since local midnight.

When clocks change, a skipped local time means the moment of the jump. A local time that occurs twice means the first one for working hours;
for a freeze it means the one that makes the freeze longer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
LOOKED_AHEAD = timedelta(days=400)  # a year, plus a month for yearly windows on a movable day
FIRST, SECOND = 0, 1  # Python's `fold`, which selects one of two equal local times: https://peps.python.org/pep-0495/

Span = tuple[datetime, datetime]
"""From one time up to but excluding another, both in UTC."""


@dataclass(frozen=True)
class WorkingHours:
    """`days` are weekdays, Monday is 0; `opens` and `closes` are minutes since midnight in `timezone`, `closes` up to 1440."""

    timezone: str
    days: tuple[int, ...]
    opens: int
    closes: int
    holidays: tuple[date, ...]

    def is_open(self, at: datetime) -> bool:
        """Whether this time is within working hours."""
        return _is_in(self._spans(at, at), at)

    def elapsed(self, since: datetime, until: datetime) -> timedelta:
        """The working time between two times; zero when `until` is not after `since`."""
        since, until = since.astimezone(UTC), until.astimezone(UTC)
        shared = (min(ends, until) - max(begins, since) for begins, ends in self._spans(since, until))
        return sum((length for length in shared if length > timedelta()), timedelta())

    def most_within(self, length: timedelta) -> timedelta:
        """The most working time that so much time by the clock can hold, holidays aside: it begins when work begins on some day."""
        if length > LOOKED_AHEAD:
            return self.most_within(LOOKED_AHEAD) * (length // LOOKED_AHEAD + 1)
        usual = replace(self, timezone="UTC", holidays=())
        begins = (A_MONDAY + number * DAY + timedelta(minutes=self.opens) for number in self.days)
        return max((usual.elapsed(at, at + length) for at in begins), default=timedelta())

    def _spans(self, first: datetime, last: datetime) -> Iterator[Span]:
        zone = ZoneInfo(self.timezone)
        for day in _days_around(first, last, zone):
            if day.weekday() in self.days and day not in self.holidays:
                yield (
                    _moment(_on(day, self.opens), zone, FIRST),
                    _moment(_on(day, self.closes), zone, FIRST),
                )


@dataclass(frozen=True)
class Weekly:
    """The same hours on these days of every week."""

    days: tuple[int, ...]
    opens: int
    closes: int

    def between(self, first: datetime, last: datetime, zone: ZoneInfo) -> Iterator[Dated]:
        """The occurrences from `first` to `last`, possibly with the ones just before and after."""
        for day in _days_around(first, last, zone):
            if day.weekday() in self.days:
                yield Dated(_on(day, self.opens), _on(day, self.closes))


@dataclass(frozen=True)
class Dated:
    """From one local time to another, both in the freeze's zone."""

    begins: datetime
    ends: datetime

    def between(self, _first: datetime, _last: datetime, _zone: ZoneInfo) -> Iterator[Dated]:
        """Its one occurrence."""
        yield self


Window = Weekly | Dated


@dataclass(frozen=True)
class Freeze:
    """In force in every `deny` window and, when there are `allow` windows, outside all of them: deny wins."""

    name: str
    timezone: str
    deny: tuple[Window, ...]
    allow: tuple[Window, ...]

    def until(self, at: datetime) -> datetime | None:
        """When the freeze in force at this time ends (UTC); None when none is in force.

        Looks 400 days ahead. For a longer freeze, returns that limit.
        """
        if not self._is_on(at):
            return None
        latest = at.astimezone(UTC) + LOOKED_AHEAD
        return next((turn for turn in self._turns(at, latest) if not self._is_on(turn)), latest)

    def opens_again(self, at: datetime) -> bool:
        """Whether it ends within a year."""
        ends = self.until(at)
        return ends is None or ends < at + LOOKED_AHEAD

    def _is_on(self, at: datetime) -> bool:
        return _is_in(self._denied(at, at), at) or (bool(self.allow) and not _is_in(self._allowed(at, at), at))

    def _turns(self, at: datetime, latest: datetime) -> list[datetime]:
        """The times at which it may end: the end of a deny window or the start of an allow window."""
        ends = {ends for _, ends in self._denied(at, latest)}
        begins = {begins for begins, _ in self._allowed(at, latest)}
        return sorted(turn for turn in ends | begins if at < turn < latest)

    def _denied(self, first: datetime, last: datetime) -> Iterator[Span]:
        zone = ZoneInfo(self.timezone)
        for once in _times(self.deny, first, last, zone):
            yield _moment(once.begins, zone, FIRST), _moment(once.ends, zone, SECOND)

    def _allowed(self, first: datetime, last: datetime) -> Iterator[Span]:
        zone = ZoneInfo(self.timezone)
        for once in _times(self.allow, first, last, zone):
            yield _moment(once.begins, zone, SECOND), _moment(once.ends, zone, FIRST)


def _times(windows: Iterable[Window], first: datetime, last: datetime, zone: ZoneInfo) -> Iterator[Dated]:
    return (once for window in windows for once in window.between(first, last, zone))


def _is_in(spans: Iterable[Span], at: datetime) -> bool:
    return any(begins <= at < ends for begins, ends in spans)


def _days_around(first: datetime, last: datetime, zone: ZoneInfo) -> Iterator[date]:
    """With a day before and after, because a clock set back over midnight shows times of the other day."""
    day, final = first.astimezone(zone).date() - DAY, last.astimezone(zone).date() + DAY
    while day <= final:
        yield day
        day += DAY


def _on(day: date, minutes: int) -> datetime:
    """The local time; 1440 minutes mean the next day's midnight."""
    return datetime.combine(day, time.min) + timedelta(minutes=minutes)


def _moment(local: datetime, zone: ZoneInfo, fold: int) -> datetime:
    at = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    is_skipped = at.astimezone(zone).replace(tzinfo=None) != local
    return _jump(local, zone) if is_skipped else at


def _jump(skipped: datetime, zone: ZoneInfo) -> datetime:
    """When the clock jumped over this local time, to the second. zoneinfo knows the offsets but not when they change."""
    before = skipped.replace(tzinfo=zone, fold=SECOND, microsecond=0).astimezone(
        UTC
    )  # read with the offset that holds afterwards
    after = skipped.replace(tzinfo=zone, fold=FIRST).astimezone(UTC)
    old = before.astimezone(zone).utcoffset()

    def has_jumped(seconds: int) -> bool:
        return (before + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != old

    seconds = range(int((after - before).total_seconds()))
    return before + timedelta(seconds=bisect_left(seconds, True, key=has_jumped))
