"""What is sent: idempotency keys, reserved before something is created at a vendor and completed after, and digests of what was sent last.

`handlers.notify.outbox` uses both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.store.tables import clock_ticks, deliveries, intents, sendings

LATEST = "latest"  # used instead of a period: the clock's effects keep one row each
AHEAD = timedelta(minutes=1)  # a message is reserved for its turn, which may be seconds later
DELIVERIES_KEPT = timedelta(days=7)
SENDINGS_KEPT = timedelta(
    days=90
)  # longer than a job can usefully be replayed; those of a digest stay, since auditors may come late


def ended_by_restore(request_id: str) -> str:
    """The key under which a restore notes that it ended the request: what was decided since may be in its ticket."""
    return f"ended-by-restore:{request_id}"


def card_ended_by_restore(request_id: str) -> str:
    """The key under which it is noted that its card says nothing more than our records, and may be updated."""
    return f"{ended_by_restore(request_id)}:card"


class OutboxRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def reserve(self, key: str, now: datetime) -> datetime | None:
        """Reserves the key; returns since when it is reserved, if it was before."""
        begun = self.begun(key, now)
        if begun is None:
            self.connection.execute(sa.insert(sendings).values(key=key, begun_at=now))
        return begun

    def reserve_new(self, keys: Collection[str], now: datetime) -> frozenset[str]:
        """Reserves the keys; returns those that were not reserved before: under them nothing can have been created."""
        if not keys:
            return frozenset()
        values = [{"key": key, "begun_at": now} for key in sorted(keys)]
        row = insert(sendings).values(values).on_conflict_do_nothing().returning(sendings.c.key)
        return frozenset(self.connection.execute(row).scalars())

    def begun(self, key: str, now: datetime | None = None) -> datetime | None:
        """Since when the key is reserved. What is too far ahead of `now` was noted by a fast clock, and counts from `now` on."""
        begun = self.connection.execute(sa.select(sendings.c.begun_at).where(sendings.c.key == key)).scalar()
        if begun is None or now is None or begun <= now + AHEAD:
            return begun
        self.renew(key, now)
        return now

    def unfinished(self, prefix: str) -> list[str]:
        """The keys that are reserved, and whose end is not known."""
        uncertain = sa.and_(sendings.c.key.startswith(prefix, autoescape=True), sendings.c.done_at.is_(None))
        return list(
            self.connection.execute(sa.select(sendings.c.key).where(uncertain).order_by(sendings.c.key)).scalars()
        )

    def renew(self, key: str, now: datetime) -> None:
        self.connection.execute(sa.update(sendings).where(sendings.c.key == key).values(begun_at=now))

    def release(self, key: str) -> None:
        """Frees the key: it is certain that nothing was created."""
        self.connection.execute(sa.delete(sendings).where(sendings.c.key == key))

    def release_unfinished(self, prefix: str) -> None:
        """Frees the key after a person has checked what we cannot look up: it is to be created again."""
        uncertain = sa.and_(sendings.c.key.startswith(prefix, autoescape=True), sendings.c.done_at.is_(None))
        self.connection.execute(sa.delete(sendings).where(uncertain))

    def complete(self, key: str, now: datetime) -> None:
        self.connection.execute(sa.update(sendings).where(sendings.c.key == key).values(done_at=now))

    def is_sent(self, key: str) -> bool:
        query = sa.select(sendings.c.done_at).where(sendings.c.key == key)
        return self.connection.execute(query).scalar() is not None

    def is_new_delivery(self, source: str, delivery_id: str, now: datetime) -> bool:
        """Remembers the id for a week; False when it was here before."""
        values = {"source": source, "id": delivery_id[:200], "at": now}
        row = insert(deliveries).values(values).on_conflict_do_nothing().returning(deliveries.c.id)
        return self.connection.execute(row).first() is not None

    def was_delivered(self, source: str, delivery_id: str) -> bool:
        """Whether `is_new_delivery` was asked about it in the last week."""
        mine = sa.and_(deliveries.c.source == source, deliveries.c.id == delivery_id[:200])
        return self.connection.execute(sa.select(deliveries.c.id).where(mine)).first() is not None

    def is_new_tick(self, kind: str, period: str, now: datetime) -> bool:
        """True for the first caller: once in a period, or once for a subject, as long as ids are kept."""
        values = {"kind": kind, "period": period, "at": now}
        row = insert(clock_ticks).values(values).on_conflict_do_nothing().returning(clock_ticks.c.kind)
        return self.connection.execute(row).first() is not None

    def reaches_new_period(self, kind: str, interval: timedelta, now: datetime) -> bool:
        """True for the first clock that reaches a period of that length, and for one that was set back into an earlier one.

        One period back is not new: two clocks never agree to the second.
        """
        seconds = interval.total_seconds()
        tick = insert(clock_ticks).values(kind=kind, period=LATEST, at=now)
        reached, before = (
            sa.func.floor(sa.extract("epoch", at) / seconds) for at in (tick.excluded.at, clock_ticks.c.at)
        )
        is_new = sa.or_(reached > before, reached < before - 1)
        row = tick.on_conflict_do_update(index_elements=["kind", "period"], set_={"at": now}, where=is_new)
        return self.connection.execute(row.returning(clock_ticks.c.kind)).first() is not None

    def prune(self, now: datetime) -> dict[str, int]:
        """Deletes deliveries and ticks older than a week, and sendings and intents that were completed 90 days ago; returns how many."""
        kept_since, before = now - DELIVERIES_KEPT, now - SENDINGS_KEPT
        of_a_digest = sendings.c.key.contains("digest")
        old = {
            deliveries: sa.delete(deliveries).where(deliveries.c.at < kept_since),
            clock_ticks: sa.delete(clock_ticks).where(clock_ticks.c.at < kept_since),
            sendings: sa.delete(sendings).where(sendings.c.done_at < before, ~of_a_digest),
            intents: sa.delete(intents).where(intents.c.done_at < before),
        }
        return {table.name: self.connection.execute(statement).rowcount for table, statement in old.items()}


class SentRows:
    """What was sent last under a key: the digest of its content, so that an equal one need not be sent again.

    A digest is kept only while no other sending under the key may be under way. Pruned like the keys: then the content is sent once more.
    """

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
