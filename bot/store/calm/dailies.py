"""Rows of who wants a note of the day, when, and for which day the last one was sent; and what is in it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.calm.daily import DailyNote
from bot.domain.events import TargetMoved
from bot.domain.model import OPEN, State, TransitionRequest
from bot.store import tables
from bot.store.requests import request_of
from bot.store.tables.calm import daily_notes


class DailyRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def want(self, note: DailyNote) -> None:
        """Replaces what the person wanted before."""
        values = {
            "person": note.person,
            "account": note.account,
            "minute": note.minute,
            "timezone": note.timezone,
            "sent_for": note.sent_for,
        }
        upsert = insert(daily_notes).values(values).on_conflict_do_update(index_elements=["person"], set_=values)
        self._connection.execute(upsert)

    def stop(self, person: str) -> bool:
        """False when the person had none."""
        return self._connection.execute(sa.delete(daily_notes).where(daily_notes.c.person == person)).rowcount > 0

    def find(self, person: str) -> DailyNote | None:
        row = self._connection.execute(sa.select(daily_notes).where(daily_notes.c.person == person)).first()
        return DailyNote(*row) if row else None

    def all(self) -> list[DailyNote]:
        return [
            DailyNote(*row) for row in self._connection.execute(sa.select(daily_notes).order_by(daily_notes.c.person))
        ]

    def is_in_zone(self, person: str, timezone: str) -> None:
        self._connection.execute(sa.update(daily_notes).where(daily_notes.c.person == person).values(timezone=timezone))

    def is_done(self, person: str, day: date) -> None:
        self._connection.execute(sa.update(daily_notes).where(daily_notes.c.person == person).values(sent_for=day))

    def decided(self, ids: Collection[str], since: datetime, until: datetime) -> list[TransitionRequest]:
        """Of these people's requests those that ended in this time, oldest first."""
        rows = tables.requests.c
        ended = sa.and_(rows.decided_at >= since, rows.decided_at < until, rows.people.overlap(list(ids)))
        query = sa.select(rows.body).where(ended).order_by(rows.decided_at, rows.id)
        return [one for one in map(request_of, self._connection.execute(query).scalars()) if _asked(one) & set(ids)]

    def moved(self, since: datetime, until: datetime) -> list[TransitionRequest]:
        """Those whose target moved in this time, oldest first. By the ledger: an approval may have been held by a freeze for months."""
        rows, entries = tables.requests.c, tables.ledger.c
        moves = sa.and_(entries.kind == TargetMoved.__name__, entries.at >= since, entries.at < until)
        ids = list(self._connection.execute(sa.select(tables.entry_request).where(moves)).scalars())
        lately = sa.and_(rows.id.in_(ids), rows.state == State.APPLIED)  # as one question it would read all requests
        query = sa.select(rows.body).where(lately).order_by(rows.decided_at, rows.id)
        found = map(request_of, self._connection.execute(query).scalars())
        return [one for one in found if one.settled_at is not None and since <= one.settled_at < until]

    def asked_by(self, ids: Collection[str]) -> list[TransitionRequest]:
        """The open requests of these people, oldest first."""
        rows = tables.requests.c
        query = sa.select(rows.body).where(rows.state.in_(OPEN), rows.people.overlap(list(ids)))
        found = map(request_of, self._connection.execute(query.order_by(rows.opened_at, rows.id)).scalars())
        return [one for one in found if _asked(one) & set(ids)]


def _asked(request: TransitionRequest) -> set[str]:
    """Whose request it is: who asked or joined, and the author when that is all we know."""
    return {person for person in (request.requester or request.author, *request.joined) if person}
