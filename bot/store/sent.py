"""What was sent last under a key: the digest of its content, so that an equal one need not be sent again.

The rows are those of `bot.store.outbox`, which prunes them: after that, the content is sent once more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.store.tables import sendings


class SentRows:
    """A digest is kept only while no other sending under the key may be under way."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def digests(self, keys: Collection[str], since: datetime | None = None) -> Mapping[str, str]:
        """The digests of the keys that were sent, since then if it is given; empty text where no digest was kept."""
        is_sent = sendings.c.done_at.is_not(None) if since is None else sendings.c.done_at >= since
        query = sa.select(sendings.c.key, sendings.c.digest).where(sendings.c.key.in_(keys), is_sent)
        return {row.key: row.digest or "" for row in self._connection.execute(query)}

    def begin(self, key: str, now: datetime, settles: timedelta) -> bool:
        """Forgets the digest, since something else is about to be sent; to be committed before the call.

        Returns False when an earlier sending began less than `settles` ago and its end is unknown: it may still arrive after this one.
        """
        before = self._connection.execute(sa.select(sendings).where(sendings.c.key == key).with_for_update()).first()
        begun = {"begun_at": now, "done_at": None, "digest": None}
        upsert = insert(sendings).values(key=key, **begun)
        self._connection.execute(upsert.on_conflict_do_update(index_elements=["key"], set_=begun))
        return before is None or before.done_at is not None or before.begun_at + settles <= now

    def finish(self, key: str, digest: str, begun: datetime, now: datetime) -> None:
        """Keeps the digest of what was sent, unless another sending has begun since."""
        ours = sa.and_(sendings.c.key == key, sendings.c.begun_at == begun, sendings.c.done_at.is_(None))
        self._connection.execute(sa.update(sendings).where(ours).values(done_at=now, digest=digest))

    def put(self, key: str, digest: str, now: datetime) -> None:
        """For receivers that keep the order themselves: the last write replaces the earlier ones."""
        sent = {"begun_at": now, "done_at": now, "digest": digest}
        upsert = insert(sendings).values(key=key, **sent)
        self._connection.execute(upsert.on_conflict_do_update(index_elements=["key"], set_=sent))
