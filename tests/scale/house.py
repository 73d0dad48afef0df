"""A store on a database and a registry beside it, without Slack and Jira: what sweeps, lists and reports need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import handlers
from bot.database.connect import create_engine
from bot.engine.jobs import Jobs
from bot.engine.rows import JobStatus
from bot.services import Services
from bot.store.transaction import Store
from config.policy import read_policy
from handlers.registry.reconcile import LOOK_AT, reconcile_model
from handlers.registry.sweeps import sweep_models, sweep_versions
from tests.fixtures.installation import policy_text
from tests.scale.made_registry import MadeRegistry


@dataclass
class Clock:
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class House:
    s: Services
    clock: Clock

    def sweep(self, kind: Callable[[str, Services], None] = sweep_models, place: str = "") -> list[str]:
        """Returns the models that it wants looked at, in order; they are not looked at."""
        kind(place, self.s)
        waiting = self.s.store.jobs.listing(JobStatus.WAITING, limit=10_000)
        looks = sorted(job.request_id for job in waiting if job.name == LOOK_AT)
        self.forget_jobs()
        return looks

    def sweep_and_look(self) -> None:
        """A whole poll: both sweeps, and the looks that they want."""
        for kind in (sweep_versions, sweep_models):
            for subject in self.sweep(kind):
                reconcile_model(subject, self.s)
        self.forget_jobs()

    def forget_jobs(self) -> None:
        with self.s.store.engine.begin() as connection:
            connection.exec_driver_sql("delete from procrastinate_jobs")


@contextmanager
def house_on(url: str, registry: MadeRegistry, **policy: Any) -> Iterator[House]:
    clock = Clock()
    store = Store(create_engine(url), Jobs(url, urgency=handlers.URGENCY), clock, handlers.ON, read_policy)
    with store.transaction() as tx:
        tx.policies.add(policy_text("bike-*", **policy), "sha256:1", "config/policy.yaml", clock.now())
    unused = dict.fromkeys(("notifier", "tickets", "signer", "checkpoint_signer", "mailer", "home"))
    s = Services(store=store, registry=registry, clock=clock, registries=registry, **unused)  # type: ignore[arg-type]
    try:
        yield House(s, clock)
    finally:
        store.engine.dispose()
