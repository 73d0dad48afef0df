"""Rows of the sessions of people who read the pages. All web processes share them; a token is stored as its hash alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.store import tables

KEPT = timedelta(days=1)  # after the end, so that the sign-in behind a session cannot be used for another


@dataclass(frozen=True)
class WebSession:
    """`token` and `sign_in` are hashes. `checked_at`: when the notifier last said that the person may read."""

    token: str
    sign_in: str
    account: str
    name: str
    email: str
    made_at: datetime
    seen_at: datetime
    checked_at: datetime
    ends_at: datetime


class SessionRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, session: WebSession) -> bool:
        """False when a session was made from the same sign-in before."""
        add = insert(tables.web_sessions).values(asdict(session)).on_conflict_do_nothing()
        return self._connection.execute(add.returning(tables.web_sessions.c.token)).first() is not None

    def find(self, token: str) -> WebSession | None:
        query = sa.select(tables.web_sessions).where(tables.web_sessions.c.token == token)
        row = self._connection.execute(query).first()
        return WebSession(*row) if row else None

    def seen(self, token: str, at: datetime, checked_at: datetime) -> None:
        self._change(token, seen_at=at, checked_at=checked_at)

    def end(self, token: str, at: datetime) -> None:
        """Safe to repeat."""
        self._change(token, ends_at=at)

    def forget_ended(self, now: datetime) -> int:
        """Returns how many."""
        over = tables.web_sessions.c.ends_at < now - KEPT
        return self._connection.execute(sa.delete(tables.web_sessions).where(over)).rowcount

    def _change(self, token: str, **values: datetime) -> None:
        mine = tables.web_sessions.c.token == token
        self._connection.execute(sa.update(tables.web_sessions).where(mine).values(**values))
