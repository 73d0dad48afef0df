"""Housekeeping in every worker: takes over lost jobs, deletes old ones, and notices when the database stays away.

A thread with a new connection for each round, so that it needs no free job slot, no event loop, and proves that connecting works.
Each statement is atomic and conditional: any number of sweepers may run, and none can take a job from a worker that lives.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from bot.database.connect import connect
from bot.engine.patience import LONGEST_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.engine.attempts import Attempts

CLEAN_EVERY = 3600.0  # seconds
BRING_BACK_EVERY = 60.0  # seconds
AT_ONCE = 50_000  # jobs deleted in one statement; the next round goes on when there are more

# The queueing lock goes too: the same `once` job may have been deferred meanwhile, and only one with the lock may wait.
BACK_TO_ITS_LANE = """
  update procrastinate_jobs set status = 'todo', attempts = attempts + 1, scheduled_at = now(), worker_id = null, queueing_lock = null
"""
NOTED = """
  noted as (insert into job_errors (job_id, attempt, error)
            select id, attempts, 'the worker died or lost the database while it ran this job' from back)
  select id, pg_notify('procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', id)::text) from back
"""
TAKE_OVER_FROM_THE_DEAD = f"""
  with dead as (delete from procrastinate_workers where last_heartbeat < now() - make_interval(secs => %s) returning id),
  back as ({BACK_TO_ITS_LANE}
           where status = 'doing' and (worker_id is null or worker_id in (select id from dead)) returning id, attempts),
  {NOTED}
"""
# After the clock was set back. A worker that lives has another heartbeat soon, and one that is dead counts as such in time.
NO_HEARTBEAT_AHEAD = "update procrastinate_workers set last_heartbeat = now() where last_heartbeat > now()"
# Only those that were tried before: what is deferred on purpose may be due in weeks. No attempt is put off for as long as that.
BRING_BACK = """
  with back as (update procrastinate_jobs as ahead set scheduled_at = now()
                where status = 'todo' and scheduled_at > now() + make_interval(secs => %s) and exists (
                  select 1 from procrastinate_events where job_id = ahead.id and type = 'started') returning id)
  select id, pg_notify('procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', id)::text) from back
"""
SEND_BACK_FORGOTTEN = f"""
  with back as ({BACK_TO_ITS_LANE} where status = 'doing' and worker_id = %s and id = any(%s) returning id, attempts),
  {NOTED}
"""
CLAIMED = "select id from procrastinate_jobs where status = 'doing' and worker_id = %s"
CLEAN = """
  with gone as (
    delete from procrastinate_jobs where id in (
      select id from procrastinate_jobs as old where status in ('succeeded', 'cancelled', 'aborted') and not exists (
        select 1 from procrastinate_events where job_id = old.id and at > now() - %s::interval)
      limit %s)
    returning id),
  errors as (delete from job_errors using gone where job_id = gone.id)
  select count(*) from gone
"""

log = structlog.get_logger()


@dataclass(frozen=True)
class Timing:
    """Seconds, but for `keep_done`. A worker stops its heartbeat when its shutdown begins, so it must be gone before it counts as dead."""

    heartbeat: float = 3.0
    dead_after: float = 15.0
    sweep_every: float = 3.0
    poll: float = 1.0
    graceful: float = 6.0
    hard_exit: float = 9.0
    unreachable: float = 30.0
    keep_done: timedelta = timedelta(days=7)

    def __post_init__(self) -> None:
        if not self.heartbeat < self.dead_after > self.hard_exit > self.graceful:
            raise ValueError(
                "a worker would be taken for dead while it lives: raise dead_after, or lower heartbeat and hard_exit"
            )


class Sweeper(threading.Thread):
    """`worker_id` says under which id this process's engine runs just now; `give_up` ends the process."""

    def __init__(
        self,
        url: str,
        attempts: Attempts,
        timing: Timing,
        worker_id: Callable[[], int | None],
        give_up: Callable[[], None],
    ) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._url = url
        self._attempts = attempts
        self._timing = timing
        self._worker_id = worker_id
        self._give_up = give_up
        self._stop_asked = threading.Event()
        self._forgotten_since: dict[int, float] = {}
        self._last_seen = time.monotonic()
        self._last_clean = -CLEAN_EVERY
        self._last_brought_back = -BRING_BACK_EVERY

    def run(self) -> None:
        while not self._stop_asked.wait(self._timing.sweep_every * random.uniform(0.8, 1.2)):
            self._round()

    def stop(self) -> None:
        self._stop_asked.set()

    def _round(self) -> None:
        try:
            with connect(self._url) as connection:
                connection.execute(NO_HEARTBEAT_AHEAD)
                self._take_over(connection)
                self._bring_back(connection)
                self._send_back_forgotten(connection)
                self._clean(connection)
        except psycopg.Error as trouble:
            self._mind_absence(trouble)
        else:
            self._last_seen = time.monotonic()

    def _mind_absence(self, trouble: psycopg.Error) -> None:
        away = time.monotonic() - self._last_seen
        log.warning("the database does not answer", for_seconds=round(away), error=str(trouble))
        if away >= self._timing.unreachable:
            log.error("the worker stops, for its supervisor to start it again: the database has been away for too long")
            self._give_up()

    def _take_over(self, connection: psycopg.Connection[Any]) -> None:
        rows = connection.execute(TAKE_OVER_FROM_THE_DEAD, (self._timing.dead_after,)).fetchall()
        _tell("job taken over from a dead worker", rows)

    def _send_back_forgotten(self, connection: psycopg.Connection[Any]) -> None:
        """A job's end is lost when the database goes away in that instant: it would block its lane as long as this worker runs."""
        worker_id = self._worker_id()
        claimed = {row[0] for row in connection.execute(CLAIMED, (worker_id,)).fetchall()}
        now = time.monotonic()
        self._forgotten_since = {job: self._forgotten_since.get(job, now) for job in claimed - self._attempts.at_work()}
        lost = [job for job, since in self._forgotten_since.items() if now - since >= self._timing.dead_after]
        if lost:
            _tell(
                "job sent back whose end was lost",
                connection.execute(SEND_BACK_FORGOTTEN, (worker_id, lost)).fetchall(),
            )

    def _bring_back(self, connection: psycopg.Connection[Any]) -> None:
        """When a clock was set back, a job's next attempt is as far ahead as the clock was, and holds up its lane until then."""
        if time.monotonic() - self._last_brought_back >= BRING_BACK_EVERY:
            rows = connection.execute(BRING_BACK, (2 * LONGEST_WAIT,)).fetchall()
            _tell("job brought back whose next attempt was too far ahead", rows)
            self._last_brought_back = time.monotonic()

    def _clean(self, connection: psycopg.Connection[Any]) -> None:
        if time.monotonic() - self._last_clean >= CLEAN_EVERY:
            row = connection.execute(CLEAN, (self._timing.keep_done, AT_ONCE)).fetchone()
            deleted = row[0] if row else 0
            if deleted:
                log.info("finished jobs deleted", jobs=deleted, older_than_days=self._timing.keep_done.days)
            if deleted < AT_ONCE:
                self._last_clean = time.monotonic()


def _tell(event: str, rows: Sequence[tuple[Any, ...]]) -> None:
    for row in rows:
        log.warning(event, job=row[0])
