"""Adds jobs as rows in one statement, which wakes a worker as procrastinate's own way does: its triggers do that.

procrastinate raises when a job of the same queueing lock waits already, and a raised error costs the caller a savepoint. PostgreSQL can
leave such a row out by itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

KEY_LIMIT = 400  # bytes
LANE_LIMIT = 2_000  # bytes; PostgreSQL indexes at most 2,704

jobs = sa.table(
    "procrastinate_jobs",
    sa.column("queue_name", sa.String),
    sa.column("task_name", sa.String),
    sa.column("priority", sa.Integer),
    sa.column("lock", sa.Text),
    sa.column("queueing_lock", sa.Text),
    sa.column("args", JSONB),
    sa.column("scheduled_at", sa.DateTime(timezone=True)),
)

INSERT = insert(jobs).on_conflict_do_nothing(index_elements=["queueing_lock"], index_where=sa.text("status = 'todo'"))


@dataclass(frozen=True)
class NewJob:
    """`at` is the earliest moment (aware). `once`: it is left out when the same (name, request_id) already waits.

    `behind`: how many of the same person's come first; it runs that many steps later than others of its urgency, at most `STEPS`.
    """

    name: str
    request_id: str
    lane: str
    once: bool = False
    at: datetime | None = None
    behind: int = 0


def add(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """In this order, inside the caller's transaction."""
    connection.execute(INSERT, [dict(row) for row in rows])


def once_key(name: str, subject: str) -> str:
    """The key of a `once` job. procrastinate does not match a lock with line breaks, and PostgreSQL cannot index a long one.

    Plain names stay as they are: releases before this one wrote all keys in this form, and their jobs may still wait.
    """
    key = f"{name}:{subject}"
    plain = key.isprintable() and len(key.encode()) <= KEY_LIMIT
    return key if plain else f"{name}:sha256:{hashlib.sha256(subject.encode()).hexdigest()}"


def lane_key(lane: str) -> str:
    """The lane as the database can index it. Those of models that MLflow can hold stay as they are, as waiting jobs have them."""
    if len(lane.encode()) <= LANE_LIMIT:
        return lane
    return f"{lane.partition(':')[0]}:sha256:{hashlib.sha256(lane.encode()).hexdigest()}"
