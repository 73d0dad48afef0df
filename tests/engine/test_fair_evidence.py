"""Whose evidence is read first when one person, or one model, asks for many: those who ask take turns, and decisions come first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import handlers
from bot.domain.events import EvidenceFrozen
from bot.domain.model import Kind
from bot.engine.jobs import Jobs
from bot.engine.lanes import FollowUp, Lane
from bot.store.transaction import Store
from config.policy import read_policy
from tests.builders import RULE_HASH, a_version, an_evidence, opened
from tests.fixtures.clock import SystemClock

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.domain.events import RequestOpened

MANY = 60


@pytest.fixture
def store(engine: sa.Engine, database_url: str) -> Store:
    return Store(engine, Jobs(database_url, urgency=handlers.URGENCY), SystemClock(), handlers.ON, read_policy)


def ask(store: Store, model: str, count: int, requester: str | None, **changes: Any) -> list[RequestOpened]:
    numbers = range(1, count + 1)
    asked = [
        opened(f"{model}-{one:02}", version=replace(a_version(one), model=model), requester=requester, **changes)
        for one in numbers
    ]
    with store.transaction() as tx:
        tx.record(asked)
    return asked


def in_order(store: Store) -> list[str]:
    """What the jobs that wait do, one after the other: `card ` stands before a request whose card is synced, and so on."""
    ran: list[str] = []

    def noting(label: str) -> Callable[[str], None]:
        return lambda subject: ran.append(f"{label} {subject}")

    def freeze(request_id: str) -> None:
        ran.append(f"evidence {request_id}")
        with store.transaction() as tx:
            tx.record([EvidenceFrozen(store.clock.now(), request_id, an_evidence(), None, RULE_HASH)])

    others = {"sync_card": "card", "look_at": "look", "sign": "sign"}
    unseen = dict.fromkeys(("sync_ticket", "show_details", "show_plot"), lambda _: None)
    noted = {name: noting(label) for name, label in others.items()}
    store.jobs.drain({**unseen, **noted, "freeze_evidence": freeze})
    return ran


@pytest.mark.parametrize(("many", "one"), [("ana", "bea"), (None, "bea"), (None, None)])
def test_one_request_waits_for_one_of_the_many_that_others_asked_for_before(
    store: Store, many: str | None, one: str | None
) -> None:
    ask(store, "bike-demand", MANY, many)
    ask(store, "churn", 1, one)

    ran = in_order(store)

    first = ["evidence bike-demand-01", "card bike-demand-01"]
    assert ran[:4] == [*first, "evidence churn-01", "card churn-01"]
    assert len(ran) == 2 * (MANY + 1)


def test_a_look_at_another_model_does_not_wait_for_the_evidence_of_the_many(store: Store) -> None:
    ask(store, "bike-demand", MANY, "ana")
    with store.transaction() as tx:
        tx.defer("look_at", "default/churn", "looks:default/churn", once=True)

    ran = in_order(store)

    assert ran.index("look default/churn") == 2  # after the first one's evidence and card


def test_decisions_come_first_and_a_rollback_does_not_wait_for_what_its_person_asked_for(store: Store) -> None:
    ask(store, "bike-demand", MANY, "ana")
    (back,) = ask(store, "churn", 1, "ana", kind=Kind.ROLLBACK)
    with store.transaction() as tx:
        tx.defer_for(FollowUp("sign", Lane.MOVES), tx.requests.get(back.request_id))

    ran = in_order(store)

    assert ran[0] == "sign churn-01"
    assert ran.index("evidence churn-01") == 3


def test_what_one_person_asked_for_keeps_its_order(store: Store) -> None:
    ask(store, "bike-demand", MANY, "ana")

    read = [done for done in in_order(store) if done.startswith("evidence")]

    assert read == [f"evidence bike-demand-{number:02}" for number in range(1, MANY + 1)]
