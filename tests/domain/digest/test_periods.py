"""ISO weeks on a wall clock: where they begin and end, also when the clocks change in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.digest.periods import next_period, period_at, period_of, periods_from, previous_period
from bot.errors import Refused

ZONES = ("Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Kathmandu", "UTC")
MOMENTS = st.integers(946_684_800, 2_840_140_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def test_a_week_goes_from_monday_to_monday_by_the_clock_on_the_wall() -> None:
    period = period_of("2026-W47", "Europe/Madrid")

    assert period.starts == datetime(2026, 11, 15, 23, tzinfo=UTC)
    assert period.ends == datetime(2026, 11, 22, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("week", "zone", "hours"),
    [
        ("2026-W13", "Europe/Madrid", 167),
        ("2026-W43", "Europe/Madrid", 169),
        ("2026-W10", "America/New_York", 167),
        ("2026-W44", "America/New_York", 169),
        ("2026-W40", "Australia/Lord_Howe", 167.5),
        ("2026-W14", "Australia/Lord_Howe", 168.5),
        ("2026-W47", "Europe/Madrid", 168),
    ],
)
def test_a_week_in_which_the_clocks_change_is_longer_or_shorter(week: str, zone: str, hours: float) -> None:
    period = period_of(week, zone)

    assert period.ends - period.starts == timedelta(hours=hours)


def test_the_first_week_of_a_year_may_begin_in_the_year_before() -> None:
    assert period_at(datetime(2024, 12, 30, 12, tzinfo=UTC), "UTC").week == "2025-W01"
    assert next_period(period_of("2026-W53", "UTC")).week == "2027-W01"


def test_midnight_belongs_to_the_week_that_it_begins() -> None:
    period = period_of("2026-W47", "America/New_York")

    assert period_at(period.starts, "America/New_York") == period
    assert period_at(period.ends, "America/New_York") == next_period(period)


@given(MOMENTS, st.sampled_from(ZONES))
def test_every_moment_is_in_its_week_and_the_weeks_leave_no_gap(moment: datetime, zone: str) -> None:
    period = period_at(moment, zone)

    assert period.starts <= moment < period.ends
    assert next_period(period).starts == period.ends
    assert previous_period(period).ends == period.starts
    assert period_of(period.week, zone) == period


def test_only_weeks_that_are_over_are_passed_through() -> None:
    first = period_of("2026-W45", "Europe/Madrid")
    end_of_47 = period_of("2026-W47", "Europe/Madrid").ends

    until_then = [period.week for period in periods_from(first, end_of_47)]
    a_moment_before = [period.week for period in periods_from(first, end_of_47 - timedelta(seconds=1))]

    assert until_then == ["2026-W45", "2026-W46", "2026-W47"]
    assert a_moment_before == ["2026-W45", "2026-W46"]


@pytest.mark.parametrize(
    "text",
    ["2026-W54", "2027-W53", "2026-W00", "0000-W01", "2026-47", "last week", "2026-W7", "", "٢٠٢٦-W47", "2026-W47\n"],
)
def test_what_is_no_week_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused, match=r"is no ISO week\. Write one such as 2026-W47"):
        period_of(text, "UTC")


@pytest.mark.parametrize(
    ("week", "zone"),
    [("0001-W01", "Asia/Tokyo"), ("9999-W52", "America/New_York"), ("9999-W52", "Asia/Tokyo"), ("9999-W52", "UTC")],
)
def test_a_week_that_reaches_beyond_the_calendar_is_none(week: str, zone: str) -> None:
    with pytest.raises(Refused, match="is no ISO week"):
        period_of(week, zone)


@pytest.mark.parametrize("zone", ZONES)
def test_the_weeks_beside_the_ends_of_the_calendar_are_weeks(zone: str) -> None:
    first, last = period_of("0001-W02", zone), period_of("9999-W51", zone)

    assert (first.week, last.week) == ("0001-W02", "9999-W51")
    assert last.ends - last.starts == timedelta(days=7)
