"""All processes go by the database's clock, so that a machine whose own clock is wrong waits neither too long nor too short."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NoReturn

import psycopg
import pytest
import sqlalchemy as sa
import time_machine

import handlers
from bot.database import clock, connect
from bot.database.clock import DatabaseClock
from bot.database.connect import create_engine
from bot.engine.jobs import Jobs
from bot.engine.patience import RetryPolicy
from bot.errors import NotYet, Temporary
from bot.store.transaction import Store
from config.policy import read_policy

NEAR = timedelta(seconds=20)  # a busy machine
OFF = [timedelta(minutes=4), timedelta(hours=-9), timedelta(days=400)]
WAIT = 30.0


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


def right_time(url: str) -> datetime:
    with psycopg.connect(url) as connection:
        row = connection.execute("select clock_timestamp()").fetchone()
    assert row
    return row[0]  # type: ignore[no-any-return]


def use(engine: sa.Engine) -> None:
    with engine.connect():
        pass


def is_right(asked: DatabaseClock, url: str) -> bool:
    return abs(asked.now() - right_time(url)) < NEAR


@pytest.mark.parametrize("off", OFF, ids=str)
def test_a_machine_whose_clock_is_off_goes_by_the_databases(
    off: timedelta, engine: sa.Engine, database_url: str
) -> None:
    with time_machine.travel(datetime.now(UTC) + off):
        ours = DatabaseClock(engine)
        use(engine)

        assert is_right(ours, database_url)
        assert not is_right_by_machine(database_url)


def is_right_by_machine(url: str) -> bool:
    return abs(datetime.now(UTC) - right_time(url)) < NEAR


@pytest.mark.parametrize("off", OFF, ids=str)
def test_it_does_not_move_when_somebody_sets_the_machines_clock(
    off: timedelta, engine: sa.Engine, database_url: str
) -> None:
    ours = DatabaseClock(engine)
    use(engine)
    with time_machine.travel(datetime.now(UTC) + off):
        assert is_right(ours, database_url)
        use(engine)
        assert is_right(ours, database_url)


def test_before_the_first_session_it_is_the_machines_clock(engine: sa.Engine) -> None:
    with time_machine.travel(datetime(2031, 1, 1, tzinfo=UTC)):
        assert abs(DatabaseClock(engine).now() - datetime.now(UTC)) < NEAR


def test_the_database_is_asked_once_a_minute_not_with_each_session(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = DatabaseClock(engine)
    use(engine)
    first = ours._read
    use(engine)
    assert ours._read is first
    monkeypatch.setattr(clock, "ASK_EVERY", 0.0)
    monkeypatch.setattr(clock, "TRY_EVERY", 0.0)
    use(engine)
    assert ours._read is not first


def test_an_answer_that_took_long_is_taken_only_when_there_is_no_other(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "MOST_TAKEN", -1.0)
    ours = DatabaseClock(engine)
    use(engine)
    first = ours._read
    monkeypatch.setattr(clock, "ASK_EVERY", 0.0)
    monkeypatch.setattr(clock, "TRY_EVERY", 0.0)
    use(engine)
    assert first is not None
    assert ours._read is first


def test_while_answers_take_long_it_does_not_ask_with_each_session(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = DatabaseClock(engine)
    use(engine)
    first = ours._read
    monkeypatch.setattr(clock, "ASK_EVERY", 0.0)
    monkeypatch.setattr(clock, "TRY_EVERY", 3600.0)
    use(engine)
    assert ours._read is first


def test_a_machine_that_slept_is_not_late(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = DatabaseClock(engine)
    use(engine)
    awake = clock.steady
    monkeypatch.setattr(clock, "steady", lambda: awake() + 3 * 3600)

    assert timedelta(hours=2.9) < ours.now() - right_time(database_url) < timedelta(hours=3.1)


class Flapping:
    """A session whose server goes away at its next statement."""

    def __init__(self, plain: psycopg.Connection) -> None:
        self._plain = plain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def cursor(self, *_: object, **__: object) -> NoReturn:
        raise psycopg.OperationalError("server closed the connection unexpectedly")


def test_a_server_that_goes_away_at_the_question_is_an_outage_to_whoever_took_the_session(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No error of ours: an effect that meets an outage is tried again for days, and the door answers 503."""
    ours = DatabaseClock(engine)
    use(engine)
    engine.dispose()
    monkeypatch.setattr(clock, "ASK_EVERY", 0.0)
    plain = connect._limited
    monkeypatch.setattr(connect, "_limited", lambda session: Flapping(plain(session)))

    with pytest.raises(sa.exc.OperationalError), engine.connect() as connection:
        connection.execute(sa.text("select 1"))
    assert abs(ours.now() - datetime.now(UTC)) < NEAR


def test_asking_leaves_no_transaction_open(engine: sa.Engine) -> None:
    DatabaseClock(engine)
    with engine.connect() as connection:
        plain = connection.connection.dbapi_connection
        assert isinstance(plain, psycopg.Connection)
        assert plain.info.transaction_status is psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize("error", [NotYet("later", WAIT), Temporary("down", retry_after=WAIT)], ids=["turn", "outage"])
@pytest.mark.parametrize("off", OFF, ids=str)
def test_a_retry_is_due_after_its_wait_by_the_databases_clock(
    off: timedelta, error: Exception, engine: sa.Engine, database_url: str
) -> None:
    """The worker that takes it may run on another machine."""

    def fail(_: str) -> None:
        raise error

    with time_machine.travel(datetime.now(UTC) + off):
        ours = DatabaseClock(engine)
        jobs = Jobs(database_url, now=ours.now, patience=RetryPolicy(base=1.0))
        store = Store(engine, jobs, ours, MappingProxyType({}), read_policy)
        with store.transaction() as tx:
            tx.defer("fail", "r-1", "lane")
        jobs.drain({"fail": fail})
        (job,) = jobs.listing()

    assert job.scheduled_at is not None
    assert abs(job.scheduled_at - right_time(database_url) - timedelta(seconds=WAIT)) < NEAR


@pytest.mark.parametrize("off", OFF, ids=str)
def test_a_reservation_is_as_old_for_the_other_machine(off: timedelta, database_url: str) -> None:
    """One that took it for older would open a ticket again that the search does not show yet."""
    here, there = create_engine(database_url), create_engine(database_url)
    jobs = Jobs(database_url, urgency=handlers.URGENCY)
    try:
        first = Store(here, jobs, DatabaseClock(here), MappingProxyType({}), read_policy)
        with first.transaction() as tx:
            assert tx.outbox.reserve("key", first.clock.now()) is None
        with time_machine.travel(datetime.now(UTC) + off):
            second = Store(there, jobs, DatabaseClock(there), MappingProxyType({}), read_policy)
            with second.transaction() as tx:
                begun = tx.outbox.reserve("key", second.clock.now())
            assert begun is not None
            assert abs(second.clock.now() - begun) < NEAR
    finally:
        here.dispose()
        there.dispose()
