"""Two workers on the product's job table: which due job runs next is the seed's choice, within what the lanes allow.

procrastinate's own worker chooses by age and by the machine's clock. Here the same rules hold (a lane runs one job at a time, in the
order of their deferring, and a job that waits holds up its lane), with the simulation's clock; verdicts are the product's (`Attempts`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
from procrastinate.jobs import Job as EngineJob
from psycopg.rows import dict_row

from bot.engine.attempts import Attempts, Parked, Retry
from bot.engine.sweeper import TAKE_OVER_FROM_THE_DEAD, Timing
from tests.sim.clock import SimClock
from tests.sim.fate import Activity, SeededFate

DUE = """
  select j.* from procrastinate_jobs j
  where j.status = 'todo' and (j.scheduled_at is null or j.scheduled_at <= %s) and not exists (
    select 1 from procrastinate_jobs o where o.lock = j.lock and (o.status = 'doing' or (o.status = 'todo' and o.id < j.id)))
  order by j.id
"""
NEXT = "select min(scheduled_at) as at from procrastinate_jobs where status = 'todo' and scheduled_at > %s"
CLAIM = "update procrastinate_jobs set status = 'doing', worker_id = %s where id = %s"
END = "update procrastinate_jobs set status = %s::procrastinate_job_status, attempts = attempts + 1 where id = %s"
AGAIN = "update procrastinate_jobs set status = 'todo', attempts = attempts + 1, scheduled_at = %s, worker_id = null where id = %s"
REPLAY = """
  update procrastinate_jobs set status = 'todo', attempts = 0, scheduled_at = null, queueing_lock = null, worker_id = null,
    args = args || jsonb_build_object('not_after', %s::text) where status = 'failed' returning args
"""
UNFINISHED = "select * from procrastinate_jobs where status in ('todo', 'doing', 'failed') order by id"
HORIZON = timedelta(hours=72)
DEAD_AFTER = timedelta(seconds=Timing().dead_after)


@dataclass(frozen=True)
class Running:
    """An attempt at a job: what it is about, since when it runs, and as which worker."""

    id: int
    effect: str
    subject: str
    since: datetime
    worker: int


class Workers:
    def __init__(
        self,
        rows: psycopg.Connection[Any],
        attempts: Attempts,
        fate: SeededFate,
        clock: SimClock,
        name: Callable[[str, str], str],
    ) -> None:
        self._rows, self._attempts, self._fate, self._clock, self._name = rows, attempts, fate, clock, name
        self._ids = [self._new_worker(), self._new_worker()]
        self._busy: dict[int, Activity] = {}
        self._dead_since: list[datetime] = []

    def due(self) -> list[dict[str, Any]]:
        return self._select(DUE, self._clock.now())

    def may_start(self) -> bool:
        return len(self._busy) < len(self._ids)

    def start(self, row: dict[str, Any]) -> Activity:
        """The job runs from its next turn on, by a worker that has nothing to do."""
        worker = next(one for one in self._ids if one not in self._busy)
        self._rows.execute(CLAIM, (worker, row["id"]))
        args = row["args"]
        running = Running(row["id"], args["name"], args["request_id"], self._clock.now(), worker)
        name = f"{self._name(args['name'], args['request_id'])} [worker {worker}]"
        activity = Activity(name, lambda: self._attempt(row), running)
        self._busy[worker] = activity
        return activity

    def ended(self, activity: Activity) -> None:
        """A worker that died is taken for dead after a while, and starts anew under another id."""
        running = activity.job
        if not isinstance(running, Running):
            return
        del self._busy[running.worker]
        if activity.is_dead:
            self._rows.execute(
                "update procrastinate_workers set last_heartbeat = '-infinity' where id = %s", (running.worker,)
            )
            self._ids[self._ids.index(running.worker)] = self._new_worker()
            self._dead_since.append(self._clock.now())

    def take_over(self) -> int:
        """What live workers do for dead ones, once these have been silent for long enough. How many jobs went back."""
        if not self._dead_since or self._clock.now() - min(self._dead_since) < DEAD_AFTER:
            return 0
        self._dead_since = []
        back = [row["id"] for row in self._select(TAKE_OVER_FROM_THE_DEAD, DEAD_AFTER.total_seconds())]
        # The statement says "now" by the database's clock, which is not ours.
        self._rows.execute("update procrastinate_jobs set scheduled_at = null where id = any(%s)", (back,))
        return len(back)

    def next_due(self) -> datetime | None:
        """When something becomes due that is not yet: a waiting job, or one of a dead worker."""
        waiting = [row["at"] for row in self._select(NEXT, self._clock.now()) if row["at"] is not None]
        return min([*waiting, *(since + DEAD_AFTER for since in self._dead_since)], default=None)

    def replay_parked(self) -> list[str]:
        """As an operator does once the cause is gone; what was replayed."""
        return [row["args"]["name"] for row in self._select(REPLAY, (self._clock.now() + HORIZON).isoformat())]

    def unfinished(self) -> list[dict[str, Any]]:
        return self._select(UNFINISHED)

    def errors_of(self, job_id: int) -> str:
        rows = self._select("select error from job_errors where job_id = %s order by id desc limit 1", job_id)
        return rows[0]["error"] if rows else ""

    def _attempt(self, row: dict[str, Any]) -> None:
        args = row["args"] if isinstance(row["args"], dict) else json.loads(row["args"])
        job = EngineJob(
            id=row["id"],
            status="doing",
            queue=row["queue_name"],
            lock=row["lock"],
            queueing_lock=row["queueing_lock"],
            task_name=row["task_name"],
            task_kwargs=args,
            attempts=row["attempts"],
        )
        end, values = END, ("succeeded", row["id"])
        try:
            self._attempts.task(SimpleNamespace(job=job), **args)  # type: ignore[arg-type]
        except Retry as again:
            end, values = AGAIN, (again.at, row["id"])
        except Parked:
            end, values = END, ("failed", row["id"])
        self._fate.pass_by("before the end of its job is written")
        self._rows.execute(end, values)

    def _new_worker(self) -> int:
        made = self._select("insert into procrastinate_workers (last_heartbeat) values ('infinity') returning id")
        return int(made[0]["id"])

    def _select(self, query: str, *values: object) -> list[dict[str, Any]]:
        with self._rows.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values).fetchall()
