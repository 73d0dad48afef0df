"""How long people were at work between two moments, also in the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.policy.calendars import WorkingHours

EVERY_DAY = tuple(range(7))
MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)
MIDNIGHT = 24 * 60
ZONES = ("UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo")


def hours(
    opens: int = 9 * 60,
    closes: int = 18 * 60,
    *holidays: date,
    timezone: str = "Europe/Madrid",
    days: tuple[int, ...] = MONDAY_TO_FRIDAY,
) -> WorkingHours:
    return WorkingHours(timezone, days, opens, closes, holidays)


def day_and_night(timezone: str) -> WorkingHours:
    return hours(0, MIDNIGHT, timezone=timezone, days=EVERY_DAY)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, timezone: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02 07:59", False),  # Madrid is an hour ahead in winter
        ("2026-03-02 08:00", True),
        ("2026-03-02 16:59", True),
        ("2026-03-02 17:00", False),
        ("2026-03-07 12:00", False),  # a Saturday
        ("2026-07-06 07:00", True),  # and two hours in summer
        ("2026-07-06 16:00", False),
    ],
)
def test_people_are_at_work_in_the_hours_of_their_own_zone(moment: str, is_open: bool) -> None:
    assert hours().is_open(at(moment)) is is_open


def test_nobody_works_on_a_holiday() -> None:
    with_a_holiday = hours(9 * 60, 18 * 60, date(2026, 3, 19))

    assert not with_a_holiday.is_open(at("2026-03-19 12:00"))
    assert with_a_holiday.elapsed(at("2026-03-18 16:00"), at("2026-03-20 09:00")) == timedelta(hours=2)


def test_a_night_and_a_weekend_do_not_count() -> None:
    friday_afternoon, monday_morning = at("2026-03-06 16:30"), at("2026-03-09 08:15")

    assert hours().elapsed(friday_afternoon, monday_morning) == timedelta(minutes=45)


def test_a_moment_outside_of_the_hours_counts_from_when_they_open() -> None:
    assert hours().elapsed(at("2026-03-02 03:00"), at("2026-03-02 09:00")) == timedelta(hours=1)


@pytest.mark.parametrize("until", ["2026-03-02 12:00", "2026-03-02 11:00", "2020-01-01 00:00"])
def test_nothing_has_passed_until_a_moment_that_is_not_later(until: str) -> None:
    assert hours().elapsed(at("2026-03-02 12:00"), at(until)) == timedelta()


def test_without_working_days_no_time_ever_passes() -> None:
    never = hours(days=())

    assert never.elapsed(at("2020-01-01 00:00"), at("2026-01-01 00:00")) == timedelta()


def test_the_zone_in_which_a_moment_is_written_does_not_matter() -> None:
    madrid = ZoneInfo("Europe/Madrid")
    since, until = at("2026-03-29 00:30").astimezone(madrid), at("2026-03-29 01:30").astimezone(madrid)

    over_the_jump = day_and_night("Europe/Madrid").elapsed(since, until)

    assert over_the_jump == timedelta(hours=1)


def test_a_year_of_working_days_is_added_up() -> None:
    a_year = hours(timezone="UTC").elapsed(at("2026-01-01 00:00"), at("2027-01-01 00:00"))

    assert a_year == timedelta(hours=9) * 261


@pytest.mark.parametrize(
    ("timezone", "night", "length"),
    [
        ("Europe/Madrid", "2026-03-29", 23),
        ("Europe/Madrid", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Africa/Cairo", "2026-04-24", 23),  # its midnight is skipped
        ("Africa/Cairo", "2026-10-29", 25),  # its last hour comes twice
        ("Pacific/Apia", "2011-12-30", 0),  # the whole day was skipped
    ],
)
def test_a_day_is_as_long_as_its_clock_makes_it(timezone: str, night: str, length: float) -> None:
    that_day = day_and_night(timezone)
    only_that_day = hours(0, MIDNIGHT, timezone=timezone, days=(date.fromisoformat(night).weekday(),))
    since = local(f"{night} 12:00", timezone) - timedelta(days=2)

    assert only_that_day.elapsed(since, since + timedelta(days=4)) == timedelta(hours=length)
    assert that_day.elapsed(since, since + timedelta(days=4)) == timedelta(days=4)


@pytest.mark.parametrize(
    ("timezone", "night", "opens", "jump"),
    [
        ("Europe/Madrid", "2026-03-29", 2 * 60 + 30, "2026-03-29 01:00"),
        ("America/New_York", "2026-03-08", 2 * 60 + 15, "2026-03-08 07:00"),
        ("Australia/Lord_Howe", "2026-10-04", 2 * 60 + 10, "2026-10-03 15:30"),
    ],
)
def test_hours_that_open_at_a_skipped_time_open_when_the_clock_jumps(
    timezone: str, night: str, opens: int, jump: str
) -> None:
    early_risers = hours(opens, 6 * 60, timezone=timezone, days=EVERY_DAY)

    assert not early_risers.is_open(at(jump) - timedelta(seconds=1))
    assert early_risers.is_open(at(jump))
    until = local(f"{night} 06:00", timezone)
    assert early_risers.elapsed(until - timedelta(hours=12), until) == until - at(jump)


def test_hours_that_lie_in_a_skipped_hour_do_not_come() -> None:
    in_the_gap = hours(2 * 60 + 10, 2 * 60 + 50, days=EVERY_DAY)

    assert in_the_gap.elapsed(at("2026-03-28 12:00"), at("2026-03-29 12:00")) == timedelta()


def test_hours_that_close_at_a_time_which_comes_twice_close_the_first_time() -> None:
    late_shift = hours(60, 2 * 60 + 30, days=EVERY_DAY)
    first, second = (local("2026-10-25 02:29", "Europe/Madrid", fold) for fold in (0, 1))

    assert late_shift.is_open(first)
    assert not late_shift.is_open(second)
    assert late_shift.elapsed(first - timedelta(hours=12), second) == timedelta(minutes=90)


def test_hours_that_open_at_a_time_which_comes_twice_open_the_first_time() -> None:
    early_shift = hours(2 * 60 + 30, 9 * 60, days=EVERY_DAY)
    first, end = local("2026-10-25 02:30", "Europe/Madrid"), local("2026-10-25 09:00", "Europe/Madrid")

    assert early_shift.is_open(first)
    assert early_shift.elapsed(first - timedelta(hours=3), end) == timedelta(hours=7, minutes=30)


def test_a_clock_that_is_set_back_over_midnight_does_not_close_again() -> None:
    sundays = hours(0, MIDNIGHT, timezone="America/St_Johns", days=(6,))
    saturday_again = at("2010-11-07 03:00")  # half an hour after the first midnight, and half an hour before the second

    assert sundays.is_open(saturday_again)
    assert sundays.elapsed(saturday_again, saturday_again + timedelta(minutes=5)) == timedelta(minutes=5)


# Any calendar, any moments.

MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
NEAR_CHANGES = st.sampled_from(
    [
        at(f"2026-{day}")
        for day in ("03-29 01:00", "10-25 01:00", "03-08 07:00", "11-01 06:00", "04-04 15:00", "10-03 15:30")
    ]
).flatmap(lambda change: st.integers(-90_000, 90_000).map(lambda seconds: change + timedelta(seconds=seconds)))
ANY_MOMENT = MOMENTS | NEAR_CHANGES
CALENDARS = st.builds(
    lambda zone, days, times, holidays: WorkingHours(zone, days, times[0], times[1], holidays),
    st.sampled_from(ZONES),
    st.sets(st.integers(0, 6)).map(sorted).map(tuple),
    st.lists(st.integers(0, MIDNIGHT), min_size=2, max_size=2, unique=True).map(sorted),
    st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=3).map(tuple),
)


@given(CALENDARS, ANY_MOMENT, ANY_MOMENT, ANY_MOMENT)
def test_two_stretches_of_time_add_up(calendar: WorkingHours, a: datetime, b: datetime, c: datetime) -> None:
    first, second, third = sorted((a, b, c))

    parts = calendar.elapsed(first, second) + calendar.elapsed(second, third)

    assert calendar.elapsed(first, third) == parts
    assert timedelta() <= parts <= third - first


@settings(max_examples=30)
@given(CALENDARS, ANY_MOMENT.map(lambda moment: moment.replace(second=0, microsecond=0)))
def test_what_has_passed_in_two_days_is_the_minutes_in_which_it_was_open(
    calendar: WorkingHours, since: datetime
) -> None:
    minutes = [since + timedelta(minutes=passed) for passed in range(48 * 60)]

    open_minutes = sum(calendar.is_open(minute) for minute in minutes)

    assert calendar.elapsed(since, since + timedelta(days=2)) == timedelta(minutes=open_minutes)


@given(CALENDARS, ANY_MOMENT)
def test_it_is_open_when_the_clock_on_the_wall_says_so(calendar: WorkingHours, moment: datetime) -> None:
    """But for times that come twice, of which the clock on the wall does not say which one it shows."""
    shown = moment.astimezone(ZoneInfo(calendar.timezone))
    comes_twice = any(shown.replace(fold=fold).utcoffset() != shown.utcoffset() for fold in (0, 1))

    works_today = shown.weekday() in calendar.days and shown.date() not in calendar.holidays
    is_in_hours = calendar.opens * 60 <= shown.hour * 3600 + shown.minute * 60 + shown.second < calendar.closes * 60

    assert comes_twice or calendar.is_open(moment) is (works_today and is_in_hours)
