"""Turns with a registered model: looks and moves run in different lanes and still never overlap."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from bot.database.connect import create_engine
from bot.engine.turns import Turns
from bot.errors import Temporary


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url, pool_size=2, most_beside=-1)
    yield engine
    engine.dispose()


@pytest.fixture
def turns(engine: sa.Engine) -> Turns:
    return Turns(engine, wait=1, wait_again=60)


def in_another_thread(turns: Turns, model: str) -> list[str]:
    """What became of somebody else who wanted a turn with the model."""
    outcome: list[str] = []

    def other() -> None:
        try:
            with turns.take("default", model):
                outcome.append("had its turn")
        except Temporary:
            outcome.append("waits")

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(20)
    return outcome


def test_two_jobs_never_have_a_turn_with_one_model_at_once(turns: Turns) -> None:
    with turns.take("default", "bike"):
        during = in_another_thread(turns, "bike")

    assert (during, in_another_thread(turns, "bike")) == (["waits"], ["had its turn"])


def test_whose_turn_it_is_does_not_wait_for_itself(turns: Turns) -> None:
    with turns.take("default", "bike"):
        with turns.take("default", "bike"):
            pass
        assert in_another_thread(turns, "bike") == ["waits"]


def test_turns_with_two_models_do_not_wait_for_each_other(turns: Turns) -> None:
    with turns.take("default", "bike"):
        assert in_another_thread(turns, "tram") == ["had its turn"]


def test_whoever_lets_go_of_the_turn_keeps_nobody_waiting_meanwhile(turns: Turns) -> None:
    with turns.take("default", "bike"):
        with turns.let_go():
            during = in_another_thread(turns, "bike")
        afterwards = in_another_thread(turns, "bike")

    assert (during, afterwards) == (["had its turn"], ["waits"])


def test_a_turn_ends_with_a_failure_too(turns: Turns) -> None:
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(RuntimeError))
        stack.enter_context(turns.take("default", "bike"))
        stack.enter_context(turns.let_go())
        raise RuntimeError

    assert in_another_thread(turns, "bike") == ["had its turn"]


def test_letting_go_without_a_turn_is_nothing(turns: Turns) -> None:
    with turns.let_go():
        assert in_another_thread(turns, "bike") == ["had its turn"]


def test_turns_one_after_the_other_share_a_session(turns: Turns, engine: sa.Engine) -> None:
    opened: list[object] = []
    sa.event.listen(engine, "connect", lambda connection, _record: opened.append(connection))

    for model in ("bike", "tram", "bike"):
        with turns.take("default", model):
            pass

    assert len(opened) == 1


def test_a_session_that_gave_up_waiting_is_not_used_again(turns: Turns, engine: sa.Engine) -> None:
    """PostgreSQL may give it the lock and still cut the statement off, and no rollback would give that lock back."""
    closed: list[object] = []
    sa.event.listen(engine, "close", lambda connection, _record: closed.append(connection))

    with turns.take("default", "bike"):
        in_another_thread(turns, "bike")

    assert len(closed) == 1


def test_a_turn_whose_session_was_ended_leaves_the_job_its_outcome(turns: Turns, database_url: str) -> None:
    with turns.take("default", "bike"), create_engine(database_url, pooled=False).connect() as admin:
        holders = sa.text(  # in this database alone: others of the server are other tests'
            "select pg_terminate_backend(pid) from pg_locks join pg_database on pg_database.oid = database "
            "where locktype = 'advisory' and granted and datname = current_database()"
        )
        assert admin.execute(holders).scalars().all() == [True]

    assert in_another_thread(turns, "bike") == ["had its turn"]
