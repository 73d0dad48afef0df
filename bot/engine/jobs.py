"""The job engine's interface: defer an effect inside a transaction, run effects, list, replay and drop jobs.

It is built on procrastinate: its `lock` is our lane, its `queueing_lock` our `once`. An attempt and its verdict are in
`bot.engine.attempts`, the long-running worker in `bot.engine.worker`, jobs as rows in `bot.engine.rows`. It knows no effect by name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot import tracing
from bot.database.connect import create_engine, patience_for
from bot.engine import deferring
from bot.engine import rows as job_rows
from bot.engine.deferring import NewJob, lane_key, once_key
from bot.engine.lanes import STEPS, Urgency
from bot.engine.pace import AnswerTimes
from bot.engine.patience import QUEUE, TASK, RetryPolicy, utc_now
from bot.engine.readers import Readers, Sleepers
from bot.engine.rows import Job, JobCounts, JobStatus
from bot.engine.sweeper import Timing
from bot.engine.turns import Turns

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.engine.attempts import Attempts, Effects, OnParked


class Jobs:
    """Opens no connection before the first call, and keeps none between calls: safe before a fork.

    `now` is the clock for deadlines and the times of retries; the database's clock decides which job is due. `urgency` has the effects
    that run before others; in a lane they also overtake.
    """

    def __init__(
        self,
        database_url: str,
        *,
        patience: RetryPolicy | None = None,
        timing: Timing | None = None,
        now: Callable[[], datetime] = utc_now,
        urgency: Mapping[str, Urgency] = MappingProxyType({}),
    ) -> None:
        self.urgency = urgency
        self._url = database_url
        self._patience = patience or RetryPolicy()
        self._timing = timing or Timing()
        self._now = now
        self._engine = create_engine(database_url, pooled=False)
        self.turns = Turns(create_engine(database_url, pool_size=2, most_beside=-1))
        self.readers = Readers()
        self.sleepers = Sleepers()
        self.answer_times = AnswerTimes()
        _quieten_engine()

    def defer(
        self,
        connection: sa.Connection,
        name: str,
        request_id: str,
        *,
        lane: str,
        once: bool = False,
        at: datetime | None = None,
    ) -> None:
        """Adds a job inside the caller's own transaction: it exists if and when that one commits.

        Jobs in one lane run one at a time in the order of their deferring. `at` is the earliest moment (aware).
        `once=True` does nothing when the same (name, request_id) already waits. It is ONLY safe for effects that do not depend on
        rows that this very transaction writes (sweeps, look-ups of the outside): the job that waits may start before we commit,
        and would not see them.
        """
        self.defer_all(connection, [NewJob(name, request_id, lane, once, at)])

    def defer_all(self, connection: sa.Connection, jobs: Sequence[NewJob]) -> None:
        """Adds jobs in this order, in one round trip, as `defer` adds one."""
        if not connection.in_transaction():
            raise RuntimeError(f"{jobs[0].name} was deferred outside a transaction, so nothing would ever commit it")
        deferring.add(connection, [self.row_of(job) for job in jobs])

    def run_worker(self, effects: Effects, *, concurrency: int = 10, on_parked: OnParked | None = None) -> int:
        """Blocks until SIGTERM or SIGINT, or until the database stays away; returns the exit code for the process."""
        from bot.engine.worker import Worker  # here and below: what only defers jobs does without procrastinate

        return Worker(self._url, self._attempts(effects, on_parked), self._timing, concurrency).run()

    def drain(self, effects: Effects, *, on_parked: OnParked | None = None) -> None:
        """Runs all jobs that are due, one at a time, and the jobs that they defer, until none is due. For tests and `demo --auto`."""
        attempts = self._attempts(effects, on_parked)
        with ThreadPoolExecutor(1, "drain") as own_thread:  # the caller's may already have an event loop
            own_thread.submit(asyncio.run, self._drain(attempts)).result()

    def listing(self, status: JobStatus | None = None, *, limit: int = 100, without: Sequence[str] = ()) -> list[Job]:
        """Newest first. `without` are kinds of lanes whose jobs are left out as long as nothing has failed in them."""
        with self._engine.connect() as connection:
            return job_rows.select_jobs(connection, status, limit, without)

    def unfinished_of(self, subject: str) -> list[Job]:
        """The jobs about it that wait, run or are parked, newest first."""
        with self._engine.connect() as connection:
            return job_rows.unfinished_of(connection, subject)

    def get(self, job_id: int) -> Job:
        """Raises NotFound when there is none."""
        with self._engine.connect() as connection:
            return job_rows.get_job(connection, job_id)

    def replay(self, job_id: int) -> Job:
        """Sends a parked job back to its lane, with fresh attempts and a fresh deadline. Raises JobRefused."""
        with self._engine.begin() as connection:
            return job_rows.replay_job(connection, job_id, self._patience.horizon)

    def replay_all(self) -> int:
        """Sends all parked jobs back to their lanes; returns their number."""
        with self._engine.begin() as connection:
            return job_rows.replay_parked(connection, self._patience.horizon)

    def replay_parked_by(self, connection: sa.Connection, beginning: str) -> int:
        """Sends the jobs that are parked with an error that begins so back to their lanes when the caller's transaction commits."""
        return job_rows.replay_parked_by(connection, beginning, self._patience.horizon)

    def replay_parked_of(self, connection: sa.Connection, names: Sequence[str], subject: str) -> int:
        """Sends the parked jobs of these names about the subject back to their lanes when the caller's transaction commits."""
        return job_rows.replay_parked_of(connection, names, subject, self._patience.horizon)

    def drop(self, job_id: int, reason: str) -> Job:
        """Drops a parked or waiting job for good. Raises JobRefused."""
        with self._engine.begin() as connection:
            return job_rows.drop_job(connection, job_id, reason)

    def unfinished(self, connection: sa.Connection, name: str) -> frozenset[str]:
        """The subjects of this effect's jobs that wait or run."""
        return job_rows.unfinished(connection, name)

    def counts(self) -> JobCounts:
        with self._engine.connect() as connection:
            return job_rows.count_jobs(connection)

    def _attempts(self, effects: Effects, on_parked: OnParked | None) -> Attempts:
        from bot.engine.attempts import Attempts

        return Attempts(
            effects=effects, engine=self._engine, patience=self._patience, on_parked=on_parked, now=self._now
        )

    def row_of(self, job: NewJob) -> dict[str, object]:
        """What `bot.engine.deferring` writes."""
        due = job.at or self._now()
        not_after = due + self._patience.horizon
        carried = tracing.carry(job.request_id, due)
        traced = {"trace": {**carried}} if carried else {}  # a release without traces knows no `trace`
        return {
            "queue_name": QUEUE,
            "task_name": TASK,
            "priority": int(self.urgency.get(job.name, Urgency.LATER)) - min(job.behind, STEPS),
            "lock": lane_key(job.lane),
            "queueing_lock": once_key(job.name, job.request_id) if job.once else None,
            "args": {"name": job.name, "request_id": job.request_id, "not_after": not_after.isoformat(), **traced},
            "scheduled_at": job.at,
        }

    async def _drain(self, attempts: Attempts) -> None:
        import procrastinate

        from bot.engine.attempts import engine_app

        connector = procrastinate.PsycopgConnector(
            conninfo=self._url, kwargs=patience_for(self._url), min_size=1, max_size=2, timeout=5
        )
        app = engine_app(connector, attempts)
        async with app.open_async():
            await app.run_worker_async(
                wait=False, concurrency=1, listen_notify=False, install_signal_handlers=False, delete_jobs="never"
            )


def _quieten_engine() -> None:
    """procrastinate logs every job three times, and every retry with a traceback; `bot.engine.attempts` logs one line."""
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    logging.getLogger("procrastinate.worker").addFilter(_is_news)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def _is_news(record: logging.LogRecord) -> bool:
    return getattr(record, "action", None) != "job_error"
