"""When a week's digest is due: the cron of the plan, read by APScheduler, on the wall clock of the plan's time zone.

Which week a moment belongs to is `bot.domain.digest.periods`' matter. Nothing here waits or looks at the time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from bot.domain.digest.periods import Period, next_period, period_of, periods_from
from bot.domain.policy.rules import DigestPlan

CATCH_UP = 8  # weeks; after a longer stop the older ones are left out, and that is said
SETTLED = timedelta(minutes=2)  # longer than any transaction that was begun before midnight


def due_at(plan: DigestPlan, period: Period) -> datetime:
    """The first fire of the cron after the week, in UTC, and not before the week's last entries are sure to be in the ledger.

    The hands of the clock are followed as if no clock were ever changed (APScheduler's own arithmetic loses an hour, and so a day,
    when its search crosses such a night), and only the time that was found is put on the real clock: one that the clocks skip is due
    when they have skipped it, one that comes twice at its first.
    """
    year, week = period.week.split("-W")
    monday = datetime.fromisocalendar(int(year), int(week), 1).replace(tzinfo=UTC) + timedelta(days=7)
    fire: datetime | None = CronTrigger.from_crontab(plan.cron, timezone=UTC).get_next_fire_time(None, monday)
    if fire is None:
        raise ValueError(f'the cron "{plan.cron}" never fires, which no policy in force can say')
    on_the_wall = fire.replace(tzinfo=ZoneInfo(plan.timezone))
    return max(on_the_wall.astimezone(UTC), period.ends + SETTLED)


def due_periods(first: Period, plan: DigestPlan, now: datetime) -> list[Period]:
    """The weeks from `first` on whose digest is due by now, oldest first."""
    return [period for period in periods_from(first, now) if due_at(plan, period) <= now]


def period_after(closed: Period, plan: DigestPlan) -> Period:
    """The week that follows a closed one. It starts where that one ended, should the plan's time zone be another one by now."""
    week = next_period(closed).week
    return Period(week, plan.timezone, closed.ends, period_of(week, plan.timezone).ends)


def gone_on(following: Period, planned: Period) -> Period:
    """Where to go on when a digest is planned anew: a plan that was away for a few weeks leaves none of them untold.

    After a longer time it is the week in which it came back, because the weeks before had no digest plan.
    """
    away = list(periods_from(following, planned.starts))
    return following if len(away) <= CATCH_UP else planned


def caught_up(due: list[Period]) -> tuple[list[Period], list[Period]]:
    """The weeks that are too many to report after a long stop, and those that are reported."""
    return due[:-CATCH_UP], due[-CATCH_UP:]
