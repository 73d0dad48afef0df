"""Rows of outcomes that one person is told together: which, and which of them are in one message."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.store import tables
from bot.store.tables.calm import outcome_notes


@dataclass(frozen=True)
class OutcomeNote:
    """`key` is the one under which the outcome would be sent alone."""

    key: str
    request_id: str


class OutcomeRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def wait(self, key: str, person: str, request_id: str) -> None:
        """Safe to repeat."""
        values = {"key": key, "person": person, "request_id": request_id}
        self._connection.execute(insert(outcome_notes).values(values).on_conflict_do_nothing())

    def count(self, person: str) -> int:
        query = sa.select(sa.func.count()).where(outcome_notes.c.person == person)
        return int(self._connection.execute(query).scalar_one())

    def of_person(self, person: str, request_ids: Collection[str]) -> int:
        """How many of these requests the person has a part in."""
        rows = tables.requests.c
        mine = sa.and_(rows.id.in_(list(request_ids)), rows.people.contains([person]))
        return int(self._connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one())

    def batch(self, person: str, new_batch: str, limit: int) -> tuple[str, list[OutcomeNote]]:
        """One that was begun before and not sent, else a new one of what waits. Its rows stay the same until it is sent."""
        rows = outcome_notes.c
        begun = sa.select(rows.batch).where(rows.person == person, rows.batch.is_not(None)).limit(1)
        batch = self._connection.execute(begun).scalar()
        if batch is None:
            batch = new_batch
            waiting = sa.select(rows.key).where(rows.person == person).order_by(rows.key).limit(limit)
            fix = sa.update(outcome_notes).where(rows.key.in_(waiting), rows.batch.is_(None))
            self._connection.execute(fix.values(batch=batch))
        query = sa.select(rows.key, rows.request_id).where(rows.batch == batch).order_by(rows.key)
        return str(batch), [OutcomeNote(row.key, row.request_id) for row in self._connection.execute(query)]

    def done(self, batch: str) -> None:
        self._connection.execute(sa.delete(outcome_notes).where(outcome_notes.c.batch == batch))
