"""Which clock may tick: one a period, however many run. And nothing waits for as long as the database's clock was ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.engine.attempts import Attempts, RetryPolicy
from bot.engine.jobs import Jobs
from bot.engine.pace import PaceRows
from bot.engine.sweeper import Sweeper, Timing
from bot.errors import Temporary
from bot.store.transaction import Store
from config.policy import read_policy
from handlers import ON
from tests.engine.test_pace import PATIENCE, SPACING, Take, arrive, depart, leave, let_pass
from tests.engine.test_pace import take as take
from tests.fixtures.clock import SystemClock
from tests.fixtures.workers import eventually

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(engine: sa.Engine, jobs: Jobs) -> Store:
    return Store(engine, jobs, SystemClock(), ON, read_policy)


def ticks(store: Store, *moments: datetime) -> list[bool]:
    answers = []
    for now in moments:
        with store.transaction() as tx:
            answers.append(tx.outbox.reaches_new_period("sweep_models", MINUTE, now))
    return answers


def test_a_period_is_reached_once(store: Store) -> None:
    assert ticks(store, NOON, NOON + MINUTE / 2, NOON + MINUTE) == [True, False, True]


def test_a_second_clock_that_is_seconds_behind_reaches_no_period_again(store: Store) -> None:
    two_behind = timedelta(seconds=2)

    assert ticks(store, NOON, NOON - two_behind, NOON + MINUTE, NOON + MINUTE - two_behind) == [
        True,
        False,
        True,
        False,
    ]


def test_a_clock_that_was_three_hours_ahead_and_is_set_back_ticks_at_once_and_goes_on(store: Store) -> None:
    ahead = NOON + timedelta(hours=3)
    assert ticks(store, ahead, ahead + MINUTE, ahead + 2 * MINUTE) == [True, True, True]

    assert ticks(store, NOON, NOON, NOON + MINUTE) == [True, False, True]


def test_each_effect_has_periods_of_its_own(store: Store) -> None:
    ticks(store, NOON)

    with store.transaction() as tx:
        assert tx.outbox.reaches_new_period("sweep_versions", MINUTE, NOON)


def test_a_policy_that_polls_more_often_is_followed_at_once(store: Store) -> None:
    ticks(store, NOON)

    with store.transaction() as tx:
        assert tx.outbox.reaches_new_period("sweep_models", timedelta(seconds=20), NOON + timedelta(seconds=20))


FAST = [90.0, 365 * 86_400.0]  # seconds


@pytest.mark.parametrize("fast", FAST)
def test_the_next_message_takes_its_turn_after_a_clock_was_set_back(fast: float, engine: sa.Engine, take: Take) -> None:
    take("a")
    arrive(engine, depart(engine))
    let_pass(engine, -fast)

    assert take("b").is_granted
    assert take("c").seconds <= 2 * SPACING


@pytest.mark.parametrize("fast", FAST)
def test_a_message_leaves_at_once_after_a_clock_was_set_back(fast: float, engine: sa.Engine, take: Take) -> None:
    take("a")
    depart(engine)
    let_pass(engine, -fast)

    assert leave(engine) == 0.0
    assert not depart(engine).is_granted
    assert take("b").seconds <= PATIENCE + SPACING


def test_what_waited_when_a_clock_was_set_back_holds_up_nobody_and_is_forgotten(engine: sa.Engine, take: Take) -> None:
    take("a")
    take("withdrawn", patience=0.0)
    let_pass(engine, -FAST[-1])

    assert take("b").is_granted
    with engine.begin() as connection:
        PaceRows(connection).prune()
        assert connection.execute(sa.text("select count(*) from waiting_posts")).scalar() == 0


@pytest.fixture
def sweeper(database_url: str, engine: sa.Engine) -> Iterator[Sweeper]:
    attempts, timing = Attempts({}, engine, RetryPolicy()), Timing(sweep_every=0.05)
    sweeper = Sweeper(database_url, attempts, timing, lambda: None, lambda: None)
    yield sweeper
    sweeper.stop()
    sweeper.join()


def set_back_by_a_year(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for table, column in (("procrastinate_jobs", "scheduled_at"), ("procrastinate_workers", "last_heartbeat")):
            connection.execute(sa.text(f"update {table} set {column} = {column} + interval '1 year'"))


def test_a_job_that_waits_for_its_next_attempt_holds_up_its_lane_no_longer_once_a_clock_was_set_back(
    engine: sa.Engine, jobs: Jobs, sweeper: Sweeper
) -> None:
    ran: list[str] = []

    def busy(_: str) -> None:
        raise Temporary("503", 600.0)

    with engine.begin() as connection:
        jobs.defer(connection, "look", "bike", lane="bike")
    jobs.drain({"look": busy})
    with engine.begin() as connection:
        jobs.defer(connection, "remind", "ben", lane="ben", at=datetime.now(UTC))
        jobs.defer(connection, "look", "bike again", lane="bike")
    set_back_by_a_year(engine)
    sweeper.start()

    def goes_on() -> bool:
        jobs.drain({"look": ran.append, "remind": ran.append})
        return len(ran) > 1

    eventually(goes_on)

    assert ran == ["bike", "bike again"]  # what is meant for later stays


def test_a_worker_that_died_before_a_clock_was_set_back_is_taken_for_dead(engine: sa.Engine, sweeper: Sweeper) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("insert into procrastinate_workers default values"))
    set_back_by_a_year(engine)
    sweeper.start()

    def is_ahead() -> bool:
        with engine.connect() as connection:
            ahead = sa.text("select last_heartbeat > now() from procrastinate_workers")
            return bool(connection.execute(ahead).scalar())

    eventually(lambda: not is_ahead())
