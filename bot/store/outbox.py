"""Our word, before something is created outside, that we are about to; and whether it was created. See `handlers.notify.outbox`."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from bot.store.tables import sendings


class OutboxRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def reserve(self, key: str, now: datetime) -> datetime | None:
        """Gives our word; when it was given before, since when."""
        begun = self.connection.execute(sa.select(sendings.c.begun_at).where(sendings.c.key == key)).scalar()
        if begun is None:
            self.connection.execute(sa.insert(sendings).values(key=key, begun_at=now))
        return begun

    def renew(self, key: str, now: datetime) -> None:
        self.connection.execute(sa.update(sendings).where(sendings.c.key == key).values(begun_at=now))

    def release(self, key: str) -> None:
        """It is certain that nothing was created."""
        self.connection.execute(sa.delete(sendings).where(sendings.c.key == key))

    def release_unfinished(self, prefix: str) -> None:
        """Somebody has looked for what we cannot look up: it is to be created again."""
        uncertain = sa.and_(sendings.c.key.startswith(prefix, autoescape=True), sendings.c.done_at.is_(None))
        self.connection.execute(sa.delete(sendings).where(uncertain))

    def complete(self, key: str, now: datetime) -> None:
        self.connection.execute(sa.update(sendings).where(sendings.c.key == key).values(done_at=now))

    def is_sent(self, key: str) -> bool:
        query = sa.select(sendings.c.done_at).where(sendings.c.key == key)
        return self.connection.execute(query).scalar() is not None
