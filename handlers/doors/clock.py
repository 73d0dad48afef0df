"""Door: the clock. It only defers jobs, one a period, so a second clock is harmless and a stopped one only delays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
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
RETIMING = timedelta(seconds=10)


class Ticking(Protocol):
    """Of the services, what a clock needs."""

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...


def run_clock(s: Ticking) -> None:
    """Blocks. The poll's intervals follow the policy in force."""
    scheduler = BlockingScheduler(executors={"default": ThreadPoolExecutor(AT_ONCE)}, timezone="UTC")
    for effect, interval in {**_poll_intervals(s), **HOUSEKEEPING}.items():
        _schedule(scheduler, effect, interval, s)
    scheduler.add_job(lambda: _retime(scheduler, s), "interval", seconds=RETIMING.total_seconds())
    scheduler.start()


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


def _schedule(scheduler: BlockingScheduler, effect: str, interval: timedelta, s: Ticking) -> None:
    scheduler.add_job(
        lambda: _tick_or_say_why(effect, interval, s),
        "interval",
        seconds=interval.total_seconds(),
        id=effect,
        name=f"{effect} every {interval}",
        next_run_time=s.clock.now(),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
        replace_existing=True,
    )


def _tick_or_say_why(effect: str, interval: timedelta, s: Ticking) -> None:
    try:
        tick(effect, interval, s)
    except (DBAPIError, PoolTimeout) as trouble:
        log.error("tick_skipped", effect=effect, kind=type(trouble).__name__, next_try=str(interval))


def _retime(scheduler: BlockingScheduler, s: Ticking) -> None:
    try:
        wanted = _poll_intervals(s)
    except (DBAPIError, PoolTimeout) as trouble:
        log.error("policy_not_read", kind=type(trouble).__name__)
        return
    for effect, interval in wanted.items():
        if scheduler.get_job(effect).trigger.interval != interval:
            _schedule(scheduler, effect, interval, s)


def _poll_intervals(s: Ticking) -> Mapping[str, timedelta]:
    try:
        poll = s.store.policy().poll
    except Refused:
        poll = Poll(versions=timedelta(seconds=30), aliases=timedelta(seconds=60))
        log.warning("no_policy_in_force", fix="run `countersign migrate`")
    return {"sweep_versions": poll.versions, "sweep_models": poll.aliases}
