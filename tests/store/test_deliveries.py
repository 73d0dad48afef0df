"""A webhook's delivery is remembered with its jobs, or not at all; in one statement, under the policy that is in force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain.workspaces import Registry
from bot.engine.deferring import NewJob
from bot.engine.rows import JobStatus
from bot.store.transaction import Store
from bot.store.web.deliveries import Deliveries
from config.policy import read_policy
from handlers import ON
from handlers.registry.reconcile import look_at
from tests.builders import NOON
from tests.fixtures.clock import SystemClock
from tests.fixtures.installation import policy_text

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

TEAMS = "registries: {default: {workspaces: [default, team-a]}}"


@pytest.fixture
def store(engine: sa.Engine, jobs: Jobs) -> Store:
    return Store(engine, jobs, SystemClock(), ON, read_policy)


def looks(registries: Sequence[Registry]) -> list[NewJob]:
    return [look_at(place, "bike") for place in registries[0].places]


def activate(store: Store, **more: str) -> None:
    with store.transaction() as tx:
        tx.policies.add(policy_text("bike*", **more), "sha256:1", "policy.yaml", NOON)


def waiting(store: Store) -> list[str]:
    return sorted(job.request_id for job in store.jobs.listing(JobStatus.WAITING))


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    sa.event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", note)


def test_a_delivery_is_one_statement_and_comes_once(store: Store) -> None:
    activate(store)
    deliveries = Deliveries(store)
    deliveries.record("mlflow", "first", looks, NOON)

    with statements(store) as seen:
        new = deliveries.record("mlflow", "second", looks, NOON)
        again = deliveries.record("mlflow", "second", looks, NOON)
        elsewhere = deliveries.record("mlflow:eu", "second", looks, NOON)

    assert (new, again, elsewhere) == ([look_at("default", "bike")], None, [look_at("default", "bike")])
    assert len(seen) == 3
    assert waiting(store) == ["default/bike"]  # one look, however many hints there are


def test_the_policy_in_force_says_where_to_look_also_when_it_has_just_come(store: Store) -> None:
    deliveries = Deliveries(store)
    before = deliveries.record("mlflow", "first", looks, NOON)
    activate(store, top=TEAMS)

    after = deliveries.record("mlflow", "second", looks, NOON)

    assert before == [look_at("default", "bike")]
    assert after == [look_at("default", "bike"), look_at("default/team-a", "bike")]
    assert waiting(store) == ["@default/team-a/bike", "default/bike"]


def test_under_another_policy_than_it_was_chosen_by_nothing_is_written(store: Store) -> None:
    activate(store)
    deliveries = Deliveries(store)
    deliveries.record("mlflow", "first", looks, NOON)

    def while_a_policy_comes(registries: Sequence[Registry]) -> list[NewJob]:
        """Fails when it is asked again, as a process fails that dies there."""
        assert len(registries[0].places) == 1, "died"
        activate(store, top=TEAMS)
        return looks(registries)

    with pytest.raises(AssertionError, match="died"):
        deliveries.record("mlflow", "second", while_a_policy_comes, NOON)

    assert waiting(store) == ["default/bike"]
    assert deliveries.record("mlflow", "second", looks, NOON) is not None  # so that MLflow's next try is no duplicate


def test_of_many_at_once_each_is_remembered_once_and_one_look_waits(store: Store) -> None:
    activate(store)
    deliveries = Deliveries(store)
    ids = [str(number % 20) for number in range(60)]

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda one: deliveries.record("mlflow", one, looks, NOON), ids))

    assert sum(one is not None for one in found) == 20
    assert waiting(store) == ["default/bike"]
