"""Which clock may tick: one a period, however many run, and no period is lost when a clock is set back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.engine.jobs import Jobs
from bot.store.transaction import Store
from config.policy import read_policy
from handlers import ON
from tests.fixtures.clock import SystemClock

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
