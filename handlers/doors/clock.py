"""Door: the clock. It only defers jobs, one a period, so a second clock is harmless and a stopped one only delays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.evidence.losses import SWEEP_EVERY
from bot.domain.policy.rules import Poll
from bot.domain.workspaces import DEFAULT
from bot.engine.lanes import Lane
from bot.errors import Refused
from bot.ports import Clock
from bot.store.transaction import Store, Transaction

log = structlog.get_logger()
HOUSEKEEPING: Mapping[str, timedelta] = {
    "expire_requests": timedelta(minutes=1),
    "tell_waiting": timedelta(minutes=1),
    "remind_people": timedelta(minutes=1),
    "nag_reviewers": timedelta(minutes=1),
    "send_dailies": timedelta(minutes=1),
    "thaw_approvals": timedelta(minutes=1),
    "close_digests": timedelta(minutes=1),
    "refresh_homes": timedelta(minutes=1),
    "seal_holders": timedelta(minutes=1),
    "forget_old": timedelta(hours=1),
    "look_at_cards": timedelta(hours=1),
    "look_at_tickets": timedelta(minutes=2),
    "renew_verdicts": timedelta(hours=1),
    "look_after_evidence": SWEEP_EVERY,
}
SWEEPS = ("sweep_versions", "sweep_models")
AT_ONCE = 2  # ticks of some milliseconds; each has a thread and a connection to the database, of which APScheduler would take ten
RETIMING = 10.0  # seconds
MOST_DRIFT = 5.0  # seconds between this machine's two clocks since the last look: somebody has set the one that says what time it is


class Ticking(Protocol):
    """Of the services, what a clock needs."""

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...


def run_clock(s: Ticking) -> None:
    """Blocks. The poll's intervals follow the policy in force.

    The scheduler wakes up by this machine's clock: when that is set, all begins anew. Whether a period is over goes by `s.clock`.
    """
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(AT_ONCE)}, timezone="UTC")
    intervals = {**_poll_intervals(s), **HOUSEKEEPING}
    _schedule(scheduler, intervals, s)
    scheduler.start()
    apart = _clocks_apart()
    while True:
        time.sleep(RETIMING)
        wanted = {**intervals, **_poll_intervals_now(s)}
        before, apart = apart, _clocks_apart()
        was_set = abs(apart - before) > MOST_DRIFT
        if was_set:
            log.warning("clock_was_set", seconds=round(apart - before), next="all ticks begin anew")
        _schedule(scheduler, {name: one for name, one in wanted.items() if was_set or one != intervals[name]}, s)
        intervals = wanted


def tick(effect: str, interval: timedelta, s: Ticking) -> bool:
    """Defers the effect unless another clock has done so for this period; True when it was us."""
    with s.store.transaction() as tx:
        if not tx.outbox.reaches_new_period(effect, interval, s.clock.now()):
            return False
        if effect not in SWEEPS:
            tx.defer(effect, "", f"{Lane.CLOCK}:{effect}", once=True)
        else:
            defer_sweeps(effect, tx)
        return True


def defer_sweeps(effect: str, tx: Transaction) -> None:
    """One for each watched workspace, each in its own lane, so that a registry that is down holds up no other."""
    for place in tx.places():
        if place == DEFAULT:
            tx.defer(effect, "", f"{Lane.CLOCK}:{effect}", once=True)
        else:
            tx.defer(effect, place, f"{Lane.CLOCK}:{effect}:{place}", once=True)


def _schedule(scheduler: BackgroundScheduler, intervals: Mapping[str, timedelta], s: Ticking) -> None:
    """Replaces those of the same name; the first tick comes at once."""
    for effect, interval in intervals.items():
        scheduler.add_job(
            partial(_tick_or_say_why, effect, interval, s),
            "interval",
            seconds=interval.total_seconds(),
            id=effect,
            name=f"{effect} every {interval}",
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            replace_existing=True,
        )


def _clocks_apart() -> float:
    """Seconds between the clock that says what time it is and the one that nobody sets."""
    return time.time() - time.monotonic()


def _tick_or_say_why(effect: str, interval: timedelta, s: Ticking) -> None:
    try:
        tick(effect, interval, s)
    except (DBAPIError, PoolTimeout) as trouble:
        log.error("tick_skipped", effect=effect, kind=type(trouble).__name__, next_try=str(interval))


def _poll_intervals_now(s: Ticking) -> Mapping[str, timedelta]:
    """Empty while the database is away: those before go on."""
    try:
        return _poll_intervals(s)
    except (DBAPIError, PoolTimeout) as trouble:
        log.error("policy_not_read", kind=type(trouble).__name__)
        return {}


def _poll_intervals(s: Ticking) -> Mapping[str, timedelta]:
    try:
        poll = s.store.policy().poll
    except Refused:
        poll = Poll(versions=timedelta(seconds=30), aliases=timedelta(seconds=60))
        log.warning("no_policy_in_force", fix="run `countersign migrate`")
    return {"sweep_versions": poll.versions, "sweep_models": poll.aliases}
