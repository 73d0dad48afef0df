"""What a single duration, time of day, day or time zone of `policy.yaml` may look like. What is no time is `config.policy.values`'s."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from config.did_you_mean import guess

DURATION = re.compile(r"([0-9]{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
HOURS = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")  # of this century: nothing overflows in it
MOMENT = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60  # minutes; the one at the end of the day


def _lasting(text: object) -> timedelta:
    found = DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('must be a whole number with its unit, which is s, m, h or d, such as "3d"')
    duration = timedelta(**{UNITS[found[2]]: int(found[1])})
    if duration < timedelta(seconds=1):
        raise ValueError('must be at least "1s"')
    return duration


def _calm(pause: timedelta) -> timedelta:
    if pause < timedelta(minutes=1):
        raise ValueError('must be at least "1m", so that a reminder does not become a flood')
    return pause


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(text: str) -> str:
    if text not in _zones():
        hint = guess(text, _zones()) or ' Write one such as "Europe/Madrid" or "UTC".'
        raise ValueError(f'names a time zone that does not exist, "{text[:40]}".{hint}')
    return text


def _hours(text: object) -> tuple[int, int]:
    found = HOURS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('must be hours of a day such as "09:00-18:00"')
    opens, closes = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if closes > MIDNIGHT:
        raise ValueError("must end at 24:00 or before")
    if closes <= opens:
        raise ValueError(
            f'must end later on the same day than they begin, unlike "{text}". '
            "A freeze over night has two windows: one until 24:00, and one from 00:00 on the next day"
        )
    return opens, closes


def _moment(text: object) -> datetime:
    if isinstance(text, str) and MOMENT.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # such as the 31st of June, or 25 o'clock
            raise ValueError(f'names a moment that does not exist, "{text}"') from None
    raise ValueError('must be a local date and time such as "2026-12-18 18:00"')


def _date(text: object) -> date:
    if isinstance(text, str) and DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError(f'names a day that does not exist, "{text}"') from None
    raise ValueError('must be a date such as "2026-12-25"')


Duration = Annotated[
    timedelta, BeforeValidator(_lasting), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}[smhd]$"})
]
Pause = Annotated[Duration, AfterValidator(_calm)]
TimeZone = Annotated[str, AfterValidator(_zone)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hours = Annotated[
    tuple[int, int], BeforeValidator(_hours), WithJsonSchema({"type": "string", "pattern": f"^{HOURS.pattern}$"})
]
Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "pattern": f"^{MOMENT.pattern}$"})
]
CalendarDay = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "pattern": f"^{DAY.pattern}$"})]


def as_weekdays(days: tuple[Weekday, ...]) -> tuple[int, ...]:
    """As numbers, Monday is 0."""
    return tuple(sorted(WEEKDAYS.index(day) for day in days))
