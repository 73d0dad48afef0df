"""When a freeze is on, and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.domain.model import Kind, State
from bot.domain.policy.calendars import LOOKED_AHEAD, Dated, Freeze, Weekly, Window
from bot.domain.policy.freezes import freeze_on
from tests.builders import a_policy, a_request, a_rule

MIDNIGHT = 24 * 60
EVERY_DAY = tuple(range(7))
WEEKEND = Weekly((5, 6), 0, MIDNIGHT)
FRIDAY_AFTERNOON = Weekly((4,), 14 * 60, MIDNIGHT)
OFFICE_HOURS = Weekly((0, 1, 2, 3, 4), 9 * 60, 17 * 60)


def dated(begins: str, ends: str) -> Dated:
    return Dated(datetime.fromisoformat(begins), datetime.fromisoformat(ends))


YEAR_END = dated("2026-12-18 18:00", "2027-01-04 09:00")


def a_freeze(*deny: Window, allow: tuple[Window, ...] = (), timezone: str = "Europe/Madrid") -> Freeze:
    return Freeze("year-end", timezone, deny, allow)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_nothing_is_frozen_outside_of_its_windows() -> None:
    freeze = a_freeze(YEAR_END, WEEKEND)

    assert freeze.until(at("2026-12-18 16:59")) is None
    assert freeze.until(at("2027-01-04 08:00")) is None


def test_a_dated_freeze_ends_on_its_local_date() -> None:
    freeze = a_freeze(YEAR_END)

    assert freeze.until(at("2026-12-18 17:00")) == at("2027-01-04 08:00")
    assert freeze.until(at("2027-01-04 07:59")) == at("2027-01-04 08:00")


def test_the_end_is_told_in_utc() -> None:
    ends = a_freeze(YEAR_END).until(datetime(2026, 12, 24, 12, tzinfo=ZoneInfo("Asia/Kathmandu")))

    assert ends is not None
    assert ends.tzinfo is UTC


def test_windows_that_touch_are_one_freeze() -> None:
    freeze = a_freeze(FRIDAY_AFTERNOON, WEEKEND)

    assert freeze.until(at("2026-03-06 13:00")) == at("2026-03-08 23:00")


def test_a_freeze_that_ends_inside_another_window_goes_on() -> None:
    freeze = a_freeze(dated("2026-03-04 08:00", "2026-03-07 12:00"), WEEKEND)

    assert freeze.until(at("2026-03-05 12:00")) == at("2026-03-08 23:00")


def test_outside_of_all_allow_windows_it_is_frozen() -> None:
    freeze = a_freeze(allow=(OFFICE_HOURS,))

    assert freeze.until(at("2026-03-06 12:00")) is None
    assert freeze.until(at("2026-03-06 16:00")) == at("2026-03-09 08:00")


def test_deny_wins_over_allow() -> None:
    freeze = a_freeze(dated("2026-03-09 00:00", "2026-03-09 12:00"), allow=(OFFICE_HOURS,))

    assert freeze.until(at("2026-03-06 16:00")) == at("2026-03-09 11:00")


def test_a_freeze_without_windows_is_never_on() -> None:
    assert a_freeze().until(at("2026-03-06 16:00")) is None


@pytest.mark.parametrize(
    "freeze",
    [
        a_freeze(Weekly(EVERY_DAY, 0, MIDNIGHT)),
        a_freeze(allow=(dated("2020-01-01 00:00", "2020-02-01 00:00"),)),
        a_freeze(OFFICE_HOURS, allow=(OFFICE_HOURS,)),
        a_freeze(dated("2026-01-01 00:00", "2099-01-01 00:00")),
    ],
    ids=["denied every day", "allowed long ago", "allowed only when denied", "denied for decades"],
)
def test_what_never_opens_is_looked_at_for_four_hundred_days(freeze: Freeze) -> None:
    now = at("2026-03-06 12:00")

    assert freeze.until(now) == now + timedelta(days=400)
    assert not freeze.opens_again(now)


def test_what_ends_or_is_not_on_opens_again() -> None:
    freeze = a_freeze(YEAR_END)

    assert freeze.opens_again(at("2026-12-24 12:00"))
    assert freeze.opens_again(at("2026-03-06 12:00"))


@pytest.mark.parametrize(
    ("timezone", "asked", "ends"),
    [
        ("Europe/Madrid", "2026-03-28 23:30", "2026-03-29 01:00"),
        ("America/New_York", "2026-03-08 05:30", "2026-03-08 07:00"),
    ],
)
def test_a_freeze_until_a_skipped_time_ends_when_the_clock_jumps(timezone: str, asked: str, ends: str) -> None:
    freeze = a_freeze(Weekly(EVERY_DAY, 0, 2 * 60 + 30), timezone=timezone)

    assert freeze.until(at(asked)) == at(ends)


def test_a_freeze_of_which_the_clock_skips_a_part_keeps_the_rest() -> None:
    freeze = a_freeze(Weekly(EVERY_DAY, 2 * 60 + 45, 3 * 60 + 15))

    assert freeze.until(at("2026-03-29 00:59")) is None
    assert freeze.until(at("2026-03-29 01:00")) == at("2026-03-29 01:15")


def test_a_freeze_until_a_time_that_comes_twice_ends_the_second_time() -> None:
    freeze = a_freeze(dated("2026-10-24 18:00", "2026-10-25 02:30"))

    assert freeze.until(at("2026-10-24 20:00")) == at("2026-10-25 01:30")


def test_an_allow_window_from_a_time_that_comes_twice_opens_the_second_time() -> None:
    freeze = a_freeze(allow=(Weekly(EVERY_DAY, 2 * 60 + 30, 6 * 60),))

    assert freeze.until(at("2026-10-24 22:00")) == at("2026-10-25 01:30")


def test_a_freeze_of_half_an_hour_on_the_island_whose_clock_changes_by_half_an_hour() -> None:
    freeze = a_freeze(Weekly(EVERY_DAY, 90, 2 * 60), timezone="Australia/Lord_Howe")

    # On 5 April 2026 the half hour from 01:30 comes twice: from 14:30 UTC with +11, and from 15:00 UTC with +10:30.
    assert freeze.until(at("2026-04-04 14:29")) is None
    assert freeze.until(at("2026-04-04 14:30")) == at("2026-04-04 15:30")


def test_a_freeze_until_a_midnight_that_comes_twice_ends_the_second_time() -> None:
    saturdays = a_freeze(Weekly((5,), 0, MIDNIGHT), timezone="America/Havana")

    assert saturdays.until(at("2026-11-01 04:30")) == at("2026-11-01 05:00")


# Any freeze, any moment.

ZONES = st.sampled_from(["UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"])
DATES = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(second=0, microsecond=0)
)
WINDOWS = st.builds(
    lambda days, times: Weekly(tuple(sorted(days)), *sorted(times)),
    st.sets(st.integers(0, 6), min_size=1),
    st.lists(st.integers(0, MIDNIGHT), min_size=2, max_size=2, unique=True),
) | st.lists(DATES, min_size=2, max_size=2, unique=True).map(lambda moments: Dated(*sorted(moments)))
FREEZES = st.builds(
    lambda zone, deny, allow: Freeze("any", zone, tuple(deny), tuple(allow)),
    ZONES,
    st.lists(WINDOWS, max_size=3),
    st.lists(WINDOWS, max_size=2),
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def shows(window: Window, moment: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock on the wall shows a time of the window."""
    shown = moment.astimezone(zone).replace(tzinfo=None)
    if isinstance(window, Dated):
        return window.begins <= shown < window.ends
    minutes = shown.hour * 60 + shown.minute
    return shown.weekday() in window.days and window.opens <= minutes < window.closes


def comes_twice(moment: datetime, zone: ZoneInfo) -> bool:
    shown = moment.astimezone(zone)
    return shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()


@given(FREEZES, MOMENTS)
def test_it_is_on_when_the_clock_on_the_wall_says_so(freeze: Freeze, moment: datetime) -> None:
    zone = ZoneInfo(freeze.timezone)
    denied = any(shows(window, moment, zone) for window in freeze.deny)
    allowed = not freeze.allow or any(shows(window, moment, zone) for window in freeze.allow)

    is_on = freeze.until(moment) is not None

    assert is_on is (denied or not allowed) or comes_twice(moment, zone)


@settings(max_examples=60)
@given(FREEZES, MOMENTS, st.floats(0, 1, exclude_max=True))
def test_it_ends_at_the_first_moment_at_which_it_is_off(freeze: Freeze, moment: datetime, part: float) -> None:
    ends = freeze.until(moment)
    assume(ends is not None)
    assert ends is not None

    assert moment < ends <= moment + LOOKED_AHEAD
    assert ends == moment + LOOKED_AHEAD or freeze.until(ends) is None
    somewhere_before = min(moment + part * (ends - moment), ends - timedelta(microseconds=1))
    assert freeze.until(somewhere_before) == ends or ends == moment + LOOKED_AHEAD


@pytest.mark.parametrize(
    ("changes", "is_held"),
    [
        ({}, True),
        ({"kind": Kind.ROLLBACK}, False),
        ({"kind": Kind.ROLLBACK, "people_decide": "it failed before"}, True),
        ({"kind": Kind.OBSERVED}, False),
    ],
    ids=["promotion", "rollback by the rule", "rollback by votes", "ratified move"],
)
def test_a_freeze_holds_back_what_is_new_and_no_way_back(changes: dict[str, Any], is_held: bool) -> None:
    policy = a_policy(a_rule(freezes=("year-end",)), freezes=(a_freeze(YEAR_END),))
    request = a_request(State.APPROVED, **changes)

    frozen, before = (freeze_on(request, policy, at(day)) for day in ("2026-12-24 12:00", "2026-12-01 12:00"))

    assert (frozen is not None) is is_held
    assert frozen is None or (frozen.name, frozen.until) == ("year-end", at("2027-01-04 08:00"))
    assert before is None
