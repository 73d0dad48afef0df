"""Jobs as rows: reading, counting, replaying and dropping them, and the errors of their attempts.

The engine's tables belong to procrastinate; of them we name only the columns that we use. Running jobs is in `bot.engine.worker`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from bot.errors import JobRefused, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ERROR_TEXT_LIMIT = 2000

metadata = sa.MetaData()

job_errors = sa.Table(
    "job_errors",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("job_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

STATUS = ENUM(
    *("todo", "doing", "succeeded", "failed", "cancelled", "aborting", "aborted"),
    name="procrastinate_job_status",
    create_type=False,
)

engine_jobs = sa.table(
    "procrastinate_jobs",
    sa.column("id", sa.BigInteger),
    sa.column("args", JSONB),
    sa.column("lock", sa.Text),
    sa.column("queueing_lock", sa.Text),
    sa.column("status", STATUS),
    sa.column("attempts", sa.Integer),
    sa.column("scheduled_at", sa.DateTime(timezone=True)),
)

engine_events = sa.table(
    "procrastinate_events",
    sa.column("job_id", sa.BigInteger),
    sa.column("at", sa.DateTime(timezone=True)),
)


SHOWN: tuple[sa.ColumnElement[Any], ...] = (
    *engine_jobs.c,
    sa.select(sa.func.min(engine_events.c.at))
    .where(engine_events.c.job_id == engine_jobs.c.id)
    .scalar_subquery()
    .label("created_at"),
)
"""Of a job. Its first event is its deferring; PostgreSQL looks them up by the job's id."""


class JobStatus(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    PARKED = "parked"
    DONE = "done"
    DROPPED = "dropped"


MEANING = {
    "todo": JobStatus.WAITING,
    "doing": JobStatus.RUNNING,
    "failed": JobStatus.PARKED,
    "succeeded": JobStatus.DONE,
    "cancelled": JobStatus.DROPPED,
    "aborting": JobStatus.RUNNING,
    "aborted": JobStatus.DROPPED,
}


@dataclass(frozen=True)
class JobError:
    """What went wrong in one attempt; attempts count from 1."""

    attempt: int
    error: str
    at: datetime


@dataclass(frozen=True)
class Job:
    """One effect to run. `attempts` were made since it was deferred or last replayed; `scheduled_at` None means at once.

    `created_at`: when it was deferred. `not_after`: a failure after it parks the job; None for what is never given up.
    """

    id: int
    name: str
    request_id: str
    lane: str
    status: JobStatus
    attempts: int
    scheduled_at: datetime | None
    errors: tuple[JobError, ...] = ()
    created_at: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True)
class JobCounts:
    """For the metrics: jobs for each effect's name, and the age in seconds of the oldest that waits."""

    waiting: Mapping[str, int]
    running: Mapping[str, int]
    parked: Mapping[str, int]
    oldest_waiting: float


def select_jobs(
    connection: sa.Connection, status: JobStatus | None, limit: int, without: Sequence[str] = ()
) -> list[Job]:
    """Newest first. `without` are kinds of lanes whose jobs are left out as long as nothing has failed in them."""
    query = sa.select(*SHOWN).order_by(engine_jobs.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(engine_jobs.c.status.in_(_theirs(status)))
    if without:
        in_them = sa.or_(*(engine_jobs.c.lock.startswith(f"{lane}:", autoescape=True) for lane in without))
        is_well = sa.or_(
            engine_jobs.c.status.in_(_theirs(JobStatus.DONE)),
            sa.and_(engine_jobs.c.attempts == 0, engine_jobs.c.status.in_(["todo", "doing"])),
        )
        query = query.where(sa.not_(sa.and_(in_them, is_well)))
    return _read_jobs(connection, query)


def unfinished_of(connection: sa.Connection, subject: str) -> list[Job]:
    """The jobs about it that wait, run or are parked, newest first."""
    mine = sa.and_(
        engine_jobs.c.status.in_(["todo", "doing", "failed"]), engine_jobs.c.args["request_id"].astext == subject
    )
    return _read_jobs(connection, sa.select(*SHOWN).where(mine).order_by(engine_jobs.c.id.desc()))


def _theirs(status: JobStatus) -> list[str]:
    return [theirs for theirs, ours in MEANING.items() if ours is status]


def _read_jobs(connection: sa.Connection, query: sa.Select[Any]) -> list[Job]:
    rows = connection.execute(query).all()
    errors = _errors_of(connection, [row.id for row in rows])
    return [_read_job(row, errors.get(row.id, [])) for row in rows]


def get_job(connection: sa.Connection, job_id: int) -> Job:
    """Raises NotFound when there is none."""
    row = connection.execute(sa.select(*SHOWN).where(engine_jobs.c.id == job_id)).first()
    if row is None:
        raise NotFound(f"there is no job {job_id}; `countersign jobs list` shows those that there are")
    return _read_job(row, _errors_of(connection, [job_id]).get(job_id, []))


def count_jobs(connection: sa.Connection) -> JobCounts:
    name = engine_jobs.c.args["name"].astext
    query = sa.select(engine_jobs.c.status, name, sa.func.count()).group_by(engine_jobs.c.status, name)
    counted: dict[JobStatus, dict[str, int]] = {status: {} for status in JobStatus}
    for status, effect, count in connection.execute(query.where(engine_jobs.c.status.in_(["todo", "doing", "failed"]))):
        counted[MEANING[status]][effect] = count
    return JobCounts(
        waiting=counted[JobStatus.WAITING],
        running=counted[JobStatus.RUNNING],
        parked=counted[JobStatus.PARKED],
        oldest_waiting=_oldest_waiting(connection),
    )


def replay_job(connection: sa.Connection, job_id: int, horizon: timedelta) -> Job:
    """Sends a parked job back to its lane, with fresh attempts and a fresh deadline. Raises JobRefused."""
    job = get_job(connection, job_id)
    if job.status is not JobStatus.PARKED:
        raise JobRefused(f"job {job_id} is {job.status}; only a parked job can be replayed")
    _send_back(connection, engine_jobs.c.id == job_id, horizon)
    return get_job(connection, job_id)


def replay_parked(connection: sa.Connection, horizon: timedelta) -> int:
    """Sends all parked jobs back to their lanes; returns their number."""
    return _send_back(connection, sa.true(), horizon)


def replay_parked_by(connection: sa.Connection, beginning: str, horizon: timedelta) -> int:
    """Sends back the parked jobs whose last attempt ended with an error that begins so; returns their number."""
    of_job = sa.select(job_errors.c.error).where(job_errors.c.job_id == engine_jobs.c.id)
    last = of_job.order_by(job_errors.c.id.desc()).limit(1).scalar_subquery()
    return _send_back(connection, last.startswith(beginning, autoescape=True), horizon)


def replay_parked_of(connection: sa.Connection, names: Sequence[str], subject: str, horizon: timedelta) -> int:
    """Sends back the parked jobs of these names about the subject; returns their number."""
    args = engine_jobs.c.args
    mine = sa.and_(args["name"].astext.in_(names), args["request_id"].astext == subject)
    return _send_back(connection, mine, horizon)


def hold_parked(connection: sa.Connection, name: str, job_id: int | None) -> list[str]:
    """The subjects of the parked jobs of that name, or of that one alone: none of them goes back before the transaction ends."""
    subject = engine_jobs.c.args["request_id"].astext
    query = sa.select(subject).where(engine_jobs.c.status == "failed", engine_jobs.c.args["name"].astext == name)
    if job_id is not None:
        query = query.where(engine_jobs.c.id == job_id)
    return list(connection.execute(query.with_for_update()).scalars())


def unfinished(connection: sa.Connection, name: str) -> frozenset[str]:
    """The subjects of the jobs of that name that wait or run."""
    effect, subject = engine_jobs.c.args["name"].astext, engine_jobs.c.args["request_id"].astext
    query = sa.select(subject).where(engine_jobs.c.status.in_(["todo", "doing"]), effect == name)
    return frozenset(connection.execute(query).scalars())


def parked(connection: sa.Connection, names: Sequence[str]) -> frozenset[str]:
    """The subjects of the parked jobs of these names."""
    effect, subject = engine_jobs.c.args["name"].astext, engine_jobs.c.args["request_id"].astext
    query = sa.select(subject).where(engine_jobs.c.status == "failed", effect.in_(names))
    return frozenset(connection.execute(query).scalars())


def parked_by_subject(connection: sa.Connection, name: str) -> Mapping[str, int]:
    """How many jobs of that name are parked, for each subject that has one."""
    effect, subject = engine_jobs.c.args["name"].astext, engine_jobs.c.args["request_id"].astext
    query = sa.select(subject, sa.func.count()).where(engine_jobs.c.status == "failed", effect == name)
    return {row[0]: row[1] for row in connection.execute(query.group_by(subject))}


def dropped(connection: sa.Connection, names: Sequence[str]) -> set[tuple[str, str]]:
    """The name and the subject of each job of these names that somebody has dropped."""
    name, subject = engine_jobs.c.args["name"].astext, engine_jobs.c.args["request_id"].astext
    query = sa.select(name, subject).where(engine_jobs.c.status.in_(_theirs(JobStatus.DROPPED)), name.in_(names))
    return {(row[0], row[1]) for row in connection.execute(query)}


def is_given_up(connection: sa.Connection, names: Sequence[str], subject: str) -> bool:
    """Whether the last job of these names for the subject was dropped, and none of them is waiting, running or parked."""
    jobs = engine_jobs.c
    mine = sa.and_(jobs.args["name"].astext.in_(names), jobs.args["request_id"].astext == subject)
    found = connection.execute(sa.select(jobs.status).where(mine).order_by(jobs.id.desc())).scalars().all()
    left = {JobStatus.WAITING, JobStatus.RUNNING, JobStatus.PARKED}
    return bool(found) and MEANING[found[0]] is JobStatus.DROPPED and not left & {MEANING[one] for one in found}


def drop_job(connection: sa.Connection, job_id: int, reason: str) -> Job:
    """Drops a parked or waiting job; the reason is kept with its errors. Raises JobRefused."""
    job = get_job(connection, job_id)
    gone = connection.execute(
        sa.update(engine_jobs)
        .where(engine_jobs.c.id == job_id, engine_jobs.c.status.in_(["todo", "failed"]))
        .values(status="cancelled", queueing_lock=None)
    )
    if not gone.rowcount:
        raise JobRefused(f"job {job_id} is {job.status}; only a parked or waiting job can be dropped")
    note_error(connection, job_id, job.attempts, f"dropped: {reason}")
    return get_job(connection, job_id)


def note_error(connection: sa.Connection, job_id: int, attempt: int, error: str) -> None:
    text = error.replace("\0", "").encode("utf-8", "replace").decode()[:ERROR_TEXT_LIMIT]  # what PostgreSQL can store
    connection.execute(sa.insert(job_errors).values(job_id=job_id, attempt=attempt, error=text))


def do_not_count(connection: sa.Connection, job_id: int) -> None:
    """An attempt that only found out that its turn comes later: the engine counts each one that goes back."""
    attempts = engine_jobs.c.attempts - 1
    connection.execute(sa.update(engine_jobs).where(engine_jobs.c.id == job_id).values(attempts=attempts))


def let_go_of_queueing_lock(connection: sa.Connection, job_id: int) -> None:
    """A `once` job that goes back to waiting must not collide with the one deferred while it ran: the lock allows one that waits."""
    held = sa.and_(engine_jobs.c.id == job_id, engine_jobs.c.queueing_lock.is_not(None))
    connection.execute(sa.update(engine_jobs).where(held).values(queueing_lock=None))


def _send_back(connection: sa.Connection, which: sa.ColumnElement[bool], horizon: timedelta) -> int:
    deadline = sa.func.jsonb_build_object("not_after", (datetime.now(UTC) + horizon).isoformat())
    again = connection.execute(
        sa.update(engine_jobs)
        .where(which, engine_jobs.c.status == "failed")
        .values(status="todo", attempts=0, scheduled_at=sa.func.now(), args=engine_jobs.c.args.op("||")(deadline))
        .values(queueing_lock=None)
        .returning(engine_jobs.c.id, _wake(engine_jobs.c.id))
    )
    return len(again.all())


def _wake(job_id: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    news = sa.cast(sa.func.json_build_object("type", "job_inserted", "job_id", job_id), sa.Text)
    return sa.func.pg_notify("procrastinate_any_queue_v1", news)


def _oldest_waiting(connection: sa.Connection) -> float:
    born = (
        sa.select(sa.func.min(engine_events.c.at)).where(engine_events.c.job_id == engine_jobs.c.id).scalar_subquery()
    )
    oldest = sa.select(sa.func.extract("epoch", sa.func.now() - sa.func.min(born))).where(
        engine_jobs.c.status == "todo"
    )
    return max(0.0, float(connection.execute(oldest).scalar() or 0.0))


def _errors_of(connection: sa.Connection, job_ids: Sequence[int]) -> dict[int, list[JobError]]:
    query = sa.select(job_errors).where(job_errors.c.job_id.in_(job_ids)).order_by(job_errors.c.id)
    errors: dict[int, list[JobError]] = {}
    for row in connection.execute(query):
        errors.setdefault(row.job_id, []).append(JobError(attempt=row.attempt, error=row.error, at=row.at))
    return errors


def _read_job(row: sa.Row[Any], errors: list[JobError]) -> Job:
    return Job(
        id=row.id,
        name=row.args["name"],
        request_id=row.args["request_id"],
        lane=row.lock,
        status=MEANING[row.status],
        attempts=row.attempts,
        scheduled_at=row.scheduled_at,
        errors=tuple(errors),
        created_at=row.created_at,
        not_after=datetime.fromisoformat(row.args["not_after"]) if row.args.get("not_after") else None,
    )
