"""When digests are due: the cron on the wall clock, on nights in which that clock is changed, and after a stop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.digest.periods import Period, next_period, period_of, periods_from
from bot.domain.policy.rules import DigestPlan
from handlers.digest.schedule import CATCH_UP, SETTLED, caught_up, due_at, due_periods, gone_on, period_after

MADRID, NEW_YORK, LORD_HOWE = "Europe/Madrid", "America/New_York", "Australia/Lord_Howe"


def plan_of(cron: str, zone: str) -> DigestPlan:
    return DigestPlan(cron, zone, channel="#compliance")


def weeks_of(year: int, zone: str) -> Iterator[Period]:
    return periods_from(period_of(f"{year}-W01", zone), datetime(year + 1, 1, 1, tzinfo=UTC))


def test_it_is_due_on_the_morning_after_the_week() -> None:
    due = due_at(plan_of("0 9 * * mon", MADRID), period_of("2026-W47", MADRID))

    assert due == datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.mark.parametrize("zone", [MADRID, NEW_YORK, LORD_HOWE])
def test_it_is_nine_o_clock_on_the_wall_all_year(zone: str) -> None:
    plan = plan_of("0 9 * * mon", zone)

    local = [due_at(plan, period).astimezone(ZoneInfo(zone)) for period in weeks_of(2026, zone)]

    assert {(one.weekday(), one.time()) for one in local} == {(0, time(9))}
    assert len({one.utcoffset() for one in local}) == 2


@pytest.mark.parametrize(
    ("cron", "zone", "week", "due"),
    [
        # The clocks go from 02:00 to 03:00, so half past two is when that is over.
        ("30 2 * * sun", MADRID, "2026-W12", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("30 2 * * sun", NEW_YORK, "2026-W09", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("15 2 * * sun", LORD_HOWE, "2026-W39", datetime(2026, 10, 3, 15, 45, tzinfo=UTC)),
        # They go back over this time, which comes twice: the first counts.
        ("30 2 * * sun", MADRID, "2026-W42", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("30 1 * * sun", NEW_YORK, "2026-W43", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        ("45 1 * * sun", LORD_HOWE, "2026-W13", datetime(2026, 4, 4, 14, 45, tzinfo=UTC)),
        # The day after such a night begins at midnight all the same; here the clocks change on a Friday, and skip midnight.
        ("30 0 * * sat", "Africa/Cairo", "2026-W16", datetime(2026, 4, 24, 21, 30, tzinfo=UTC)),
        ("30 0 * * sat", "Asia/Jerusalem", "2026-W12", datetime(2026, 3, 27, 21, 30, tzinfo=UTC)),
        ("0 0 * * fri", "Africa/Cairo", "2026-W16", datetime(2026, 4, 23, 22, 0, tzinfo=UTC)),
    ],
)
def test_a_night_in_which_the_clocks_change_neither_skips_nor_doubles_it(
    cron: str, zone: str, week: str, due: datetime
) -> None:
    assert due_at(plan_of(cron, zone), period_of(week, zone)) == due


def test_at_midnight_it_waits_until_the_last_entries_of_the_week_are_in_the_ledger() -> None:
    period = period_of("2026-W47", MADRID)

    assert due_at(plan_of("0 0 * * mon", MADRID), period) == period.ends + SETTLED


@pytest.mark.parametrize("cron", ["0 0 * * mon", "30 2 * * sun", "59 23 * * sun", "*/20 1-3 * * sat,sun", "0 9 * * *"])
@pytest.mark.parametrize("zone", [MADRID, NEW_YORK, LORD_HOWE, "Africa/Cairo", "America/Santiago", "UTC"])
def test_every_week_has_one_moment_after_its_end_and_before_that_of_the_next(cron: str, zone: str) -> None:
    plan = plan_of(cron, zone)

    for period in [*weeks_of(2025, zone), *weeks_of(2026, zone)]:
        due = due_at(plan, period)

        assert period.ends < due < next_period(period).ends
        assert due_periods(period, plan, due) == [period]
        assert due_periods(period, plan, due - timedelta(seconds=1)) == []


def test_what_is_due_comes_oldest_first_and_a_week_that_runs_is_not_due() -> None:
    plan, first = plan_of("0 9 * * wed", MADRID), period_of("2026-W45", MADRID)

    on_tuesday = due_periods(first, plan, datetime(2026, 11, 24, 12, tzinfo=UTC))
    on_wednesday = due_periods(first, plan, datetime(2026, 11, 25, 12, tzinfo=UTC))

    assert [period.week for period in on_tuesday] == ["2026-W45", "2026-W46"]
    assert [period.week for period in on_wednesday] == ["2026-W45", "2026-W46", "2026-W47"]


def test_after_a_long_stop_the_newest_weeks_are_told() -> None:
    due = due_periods(period_of("2026-W01", MADRID), plan_of("0 9 * * mon", MADRID), datetime(2026, 11, 24, tzinfo=UTC))

    left_out, told = caught_up(due)

    assert [period.week for period in told] == [f"2026-W{number}" for number in range(40, 48)]
    assert len(told) == CATCH_UP
    assert left_out[-1].week == "2026-W39"
    assert caught_up(told) == ([], told)


@pytest.mark.parametrize("zone", [NEW_YORK, "Asia/Tokyo", MADRID])
def test_another_time_zone_in_the_plan_leaves_out_no_hour_and_tells_none_twice(zone: str) -> None:
    closed = period_of("2026-W47", MADRID)

    following = period_after(closed, plan_of("0 9 * * mon", zone))

    assert (following.week, following.timezone) == ("2026-W48", zone)
    assert following.starts == closed.ends
    assert following.ends == period_of("2026-W48", zone).ends


@pytest.mark.parametrize(
    ("planned", "first"),
    [
        ("2026-W20", "2026-W40"),  # it was never away
        ("2026-W40", "2026-W40"),
        ("2026-W41", "2026-W40"),
        ("2026-W48", "2026-W40"),  # eight weeks can still get a digest
        ("2026-W49", "2026-W49"),
        ("2027-W10", "2027-W10"),
    ],
)
def test_a_plan_that_was_away_goes_on_where_it_was_or_after_long_where_it_is(planned: str, first: str) -> None:
    went_on = gone_on(period_of("2026-W40", MADRID), period_of(planned, MADRID))

    assert went_on == period_of(first, MADRID)
