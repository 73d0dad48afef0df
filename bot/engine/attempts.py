"""One attempt of one effect: run it, and judge a failure. The job is retried later, or parked for a person; never dropped.

The worker in `bot.engine.worker` and `Jobs.drain` both run effects through here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import procrastinate
import psycopg
import sqlalchemy as sa
import structlog
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from bot import tracing
from bot.engine.patience import LONGEST_WAIT, QUEUE, TASK, utc_now
from bot.engine.patience import RetryPolicy as RetryPolicy
from bot.engine.rows import Job, JobStatus, do_not_count, let_go_of_queueing_lock, note_error
from bot.errors import NotYet, OutcomeUnknown, OutsideError, Permanent, Temporary

if TYPE_CHECKING:
    from procrastinate.jobs import Job as EngineJob

Effect = Callable[[str], None]
Effects = Mapping[str, Effect]
OnParked = Callable[[Job, str], None]

# Temporary failures: those that the clients raise, and a database that went away, is full of sessions, or took too long.
PASSING = (
    Temporary,
    OutcomeUnknown,
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.TimeoutError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)

log = structlog.get_logger()


class Retry(Exception):
    """The attempt failed; the job goes back to its lane until `at`."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"again at {at:%Y-%m-%d %H:%M:%S} UTC")
        self.at = at


class Parked(Exception):
    """The attempt failed, and another one cannot succeed before a person fixes something."""


def next_attempt(
    error: Exception, attempt: int, not_after: datetime, now: datetime, patience: RetryPolicy
) -> datetime | None:
    """When to try again after `attempt` (from 1) failed, or None: park it."""
    if isinstance(error, Permanent) or now >= not_after:
        return None
    if isinstance(error, NotYet):
        return now + timedelta(seconds=error.retry_after)
    if not isinstance(error, PASSING) and attempt >= patience.bug_attempts:
        return None
    wait = patience.spread(0.5, 1.0) * min(patience.cap, patience.base * 2 ** min(attempt - 1, 20))
    if isinstance(error, Temporary):
        wait = max(wait, min(error.retry_after, LONGEST_WAIT))
    return now + timedelta(seconds=wait)


@dataclass(frozen=True)
class RetryStrategy(BaseRetryStrategy):
    """Passes our verdict to procrastinate."""

    now: Callable[[], datetime]

    def get_retry_decision(self, *, exception: BaseException, job: EngineJob) -> RetryDecision | None:  # noqa: ARG002
        if isinstance(exception, Parked):
            return None
        if isinstance(exception, Retry):
            return RetryDecision(retry_at=exception.at)
        # A shutdown (JobAborted), or the verdict could not be stored: without a decision procrastinate would end the job.
        return RetryDecision(retry_at=self.now() + timedelta(seconds=1))


@dataclass(frozen=True)
class Attempts:
    """Runs effects, in any number of threads."""

    effects: Effects
    engine: sa.Engine
    patience: RetryPolicy
    on_parked: OnParked | None = None
    now: Callable[[], datetime] = utc_now
    _running: set[int] = field(default_factory=set)
    _failed: dict[int, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def task(
        self,
        context: procrastinate.JobContext,
        *,
        name: str,
        request_id: str,
        not_after: str,
        trace: tracing.Carried | None = None,
    ) -> None:
        """What procrastinate calls. Raises Retry or Parked."""
        job = _as_job(context.job, name, request_id)
        with self._lock:
            self._running.add(job.id)
        try:
            with tracing.attempt(name, request_id, trace, **_facts_of(job)):
                self._effect(name)(request_id)
            self._tell_recovery(job)
        except Exception as error:
            raise self._judge(job, error, datetime.fromisoformat(not_after)) from error
        finally:
            with self._lock:
                self._running.discard(job.id)

    def at_work(self) -> frozenset[int]:
        """The ids of the jobs whose effects run in this process just now."""
        with self._lock:
            return frozenset(self._running)

    def _effect(self, name: str) -> Effect:
        if name not in self.effects:
            raise Permanent(
                f'this version of countersign has no effect called "{name}" (it has {", ".join(sorted(self.effects)) or "none"}). '
                "Run the version that has it, then replay the job."
            )
        return self.effects[name]

    def _judge(self, job: Job, error: Exception, not_after: datetime) -> Retry | Parked:
        at = next_attempt(error, job.attempts, not_after, self.now(), self.patience)
        text = str(error) if isinstance(error, OutsideError) else f"{type(error).__name__}: {error}"
        with self.engine.begin() as connection:
            if isinstance(error, NotYet):
                do_not_count(connection, job.id)
            else:
                note_error(connection, job.id, job.attempts, text)
            let_go_of_queueing_lock(connection, job.id)
        self._tell(job, error, text, at)
        return Parked(text) if at is None else Retry(at)

    def _tell_recovery(self, job: Job) -> None:
        """Only of failures that this process saw."""
        failure = self._failed.pop(job.id, None)
        if failure is not None:
            log.info(
                "effect succeeded after a failure", job=job.id, effect=job.name, attempt=job.attempts, error=failure
            )

    def _tell(self, job: Job, error: Exception, text: str, at: datetime | None) -> None:
        known = log.bind(job=job.id, effect=job.name, request=job.request_id, attempt=job.attempts)
        if not isinstance(error, (OutsideError, *PASSING)):
            known.error("effect has a bug", exc_info=error)
        if at is not None and isinstance(error, NotYet):
            return
        if at is not None:
            self._failed[job.id] = text
            known.info("effect will be tried again", error=text, at=at.isoformat(timespec="seconds"))
            return
        self._failed.pop(job.id, None)
        known.warning("effect parked", error=text, next=f"fix the cause, then: countersign jobs replay {job.id}")
        if self.on_parked is not None:
            self.on_parked(job, text)


def engine_app(connector: procrastinate.BaseConnector, attempts: Attempts) -> procrastinate.App:
    """A procrastinate app with its only task."""
    app = procrastinate.App(connector=connector)
    app.task(name=TASK, queue=QUEUE, retry=RetryStrategy(attempts.now), pass_context=True)(attempts.task)
    return app


def _facts_of(job: Job) -> Mapping[str, str | int | float]:
    scheduled = job.scheduled_at.timestamp() if job.scheduled_at else 0.0
    return {"id": job.id, "attempt": job.attempts, "lane": job.lane.partition(":")[0], "scheduled": scheduled}


def _as_job(job: EngineJob, name: str, request_id: str) -> Job:
    assert job.id is not None
    return Job(
        id=job.id,
        name=name,
        request_id=request_id,
        lane=job.lock or "",
        status=JobStatus.RUNNING,
        attempts=job.attempts + 1,
        scheduled_at=job.scheduled_at,
    )
