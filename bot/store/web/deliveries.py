"""Deliveries of MLflow's webhooks: each is remembered, and the looks that it asks for are deferred, in one statement that commits itself.

Many come at once, and MLflow keeps a thread until each is answered. In a transaction it would be five round trips.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.workspaces import Registry
from bot.engine.deferring import NewJob
from bot.errors import Refused
from bot.store.transaction import Store

# Nothing is written under another policy than the one that the jobs were chosen by. The jobs are added as `bot.engine.deferring` adds them.
RECORD = """
with in_force as (select max(id) as id from policies),
news as (
    insert into deliveries (source, id, at)
    select %(source)s, %(id)s, %(at)s from in_force where in_force.id is not distinct from %(policy)s
    on conflict do nothing returning id
),
jobs as (
    insert into procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
    select job.* from news, jsonb_to_recordset(%(jobs)s) as job (
        queue_name text, task_name text, priority int, lock text, queueing_lock text, args jsonb, scheduled_at timestamptz
    )
    on conflict (queueing_lock) where status = 'todo' do nothing
)
select in_force.id, exists (select from news) from in_force
"""


@dataclass(frozen=True)
class InForce:
    """The newest policy's id, None before the first, and what it watches."""

    policy: int | None
    registries: tuple[Registry, ...]


class Deliveries:
    """Remembers which policy is in force from one delivery to the next; each statement finds out whether that is still so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._engine = store.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._known: InForce | None = None

    def record(
        self, source: str, delivery: str, jobs_for: Callable[[Sequence[Registry]], Sequence[NewJob]], now: datetime
    ) -> Sequence[NewJob] | None:
        """Returns the jobs that it leads to; None when it was here before, and then nothing is deferred. Each job is `once`.

        `jobs_for` is asked for them under the policy in force.
        """
        known = self._known or self._read()
        while True:
            jobs = jobs_for(known.registries)
            in_force, is_new = self._try(source, delivery, jobs, known, now)
            if in_force == known.policy:
                return jobs if is_new else None
            known = self._read()

    def _try(
        self, source: str, delivery: str, jobs: Sequence[NewJob], known: InForce, now: datetime
    ) -> tuple[int | None, bool]:
        in_order = sorted(jobs, key=lambda job: (job.name, job.request_id))  # as `Transaction.flush_jobs` does
        values = {
            "source": source,
            "id": delivery[:200],
            "at": now,
            "policy": known.policy,
            "jobs": json.dumps([self._store.jobs.row_of(job) for job in in_order]),
        }
        with self._engine.connect() as connection:
            row = connection.exec_driver_sql(RECORD, values).one()
        return row[0], row[1]

    def _read(self) -> InForce:
        with self._store.transaction() as tx:
            try:
                policy = tx.policies.active().id
            except Refused:
                policy = None
            self._known = InForce(policy, tx.registries())
        return self._known
