"""Rows for looking after what approvals rest on: which target's turn it is, what is lost, and what is to be said of it.

The unit is a target of a registered model: what holds it, and its ways back, are looked at together, and recorded in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.events import Event
from bot.domain.evidence.losses import KEPT_AFTER_LEAVING, OUT_OF_SIGHT_AFTER, Kept, Part
from bot.domain.ledger.chain import as_plain
from bot.domain.model import Target
from bot.store.ledger import read_event
from bot.store.tables import placements
from bot.store.tables.evidence import evidence_notes, evidence_parts, evidence_places

LISTS = ("lost", "known")
IS_LOOKED_AFTER = evidence_parts.c.left_at.is_(None)
IS_LOST = sa.and_(IS_LOOKED_AFTER, evidence_parts.c.lost_since.is_not(None))
IS_OUT_OF_SIGHT = sa.and_(IS_LOOKED_AFTER, evidence_parts.c.unread_looks >= OUT_OF_SIGHT_AFTER)
IS_OPEN = sa.and_(sa.or_(IS_LOST, IS_OUT_OF_SIGHT), evidence_parts.c.acknowledged_at.is_(None))


@dataclass(frozen=True)
class WatchedPlace:
    """A target that is held by an approval. `looked_at`: when a look at it last ended, or the first one began; None before."""

    workspace: str
    model: str
    target: Target
    looked_at: datetime | None = None


@dataclass(frozen=True)
class LossNote:
    """Something to be said in a channel; `event` is what the ledger has of it."""

    id: int
    event: Event


class EvidenceWatchRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    # Whose turn it is

    def due(self, now: datetime, workspace: str, limit: int) -> list[WatchedPlace]:
        """The targets whose time has come: first those that were never looked at, then the longest overdue.

        By workspace, because the targets of a registry that is away stay overdue: they would leave no room for others.
        """
        held, looks = _held(workspace), evidence_places.c
        joined = held.outerjoin(
            evidence_places,
            sa.and_(looks.workspace == held.c.workspace, looks.model == held.c.model, looks.target == held.c.target),
        )
        query = (
            sa.select(held.c.workspace, held.c.model, held.c.target, looks.looked_at)
            .select_from(joined)
            .where(sa.or_(looks.due_at.is_(None), _is_due(now)))
            .order_by(looks.due_at.asc().nulls_first(), held.c.model, held.c.target)
            .limit(limit)
        )
        return [
            WatchedPlace(row.workspace, row.model, Target.parse(row.target), row.looked_at)
            for row in self._connection.execute(query)
        ]

    def count_places(self, workspace: str) -> int:
        query = sa.select(sa.func.count()).select_from(_held(workspace))
        return int(self._connection.execute(query).scalar_one())

    def put_behind(self, place: WatchedPlace, now: datetime, due_at: datetime) -> WatchedPlace | None:
        """Before a look: if it never ends, it is due then. None when another worker's look has begun or ended since."""
        if place.looked_at is None:
            new = insert(evidence_places).values({**_key(place), "looked_at": now, "due_at": due_at})
            mine = self._connection.execute(new.on_conflict_do_nothing().returning(evidence_places.c.model)).first()
            return replace(place, looked_at=now) if mine is not None else None
        rows = evidence_places.c
        same = sa.and_(*(rows[name] == value for name, value in _key(place).items()), rows.looked_at == place.looked_at)
        later = sa.update(evidence_places).where(same, _is_due(now)).values(due_at=due_at)
        return place if self._connection.execute(later).rowcount else None

    def claim(self, place: WatchedPlace, now: datetime, due_at: datetime) -> bool:
        """Notes the look; False when another worker has looked since this one's was due: then that one's counts."""
        values = {**_key(place), "looked_at": now, "due_at": due_at}
        put = insert(evidence_places).values(values)
        same = sa.false() if place.looked_at is None else evidence_places.c.looked_at == place.looked_at
        row = put.on_conflict_do_update(
            index_elements=["workspace", "model", "target"],
            set_={"looked_at": now, "due_at": due_at},
            where=same,
        ).returning(evidence_places.c.model)
        return self._connection.execute(row).first() is not None

    def forget_left(self, now: datetime) -> None:
        """What no approval holds any more is not looked after, and what was lost of it concerns no target.

        What is known of it is kept for a while: after a rename, or a move by hand that is put back, it goes on from there.
        """
        self._connection.execute(sa.delete(evidence_places).where(_no_approval_holds(evidence_places)))
        self._leave(now, _no_approval_holds(evidence_parts))
        over = evidence_parts.c.left_at < now - KEPT_AFTER_LEAVING
        self._connection.execute(sa.delete(evidence_parts).where(over))

    # What is on record

    def parts(self, request_ids: Collection[str]) -> dict[tuple[str, Part], Kept]:
        """By request and part, also of those that had left; locked until the transaction ends."""
        rows = evidence_parts.c
        query = sa.select(evidence_parts).where(rows.request_id.in_(request_ids)).order_by(rows.request_id, rows.part)
        query = query.with_for_update()
        return {(kept.request_id, kept.part): kept for kept in map(_kept_of, self._connection.execute(query))}

    def data_places(self, request_ids: Collection[str]) -> dict[str, str]:
        """The DVC remote of each approval, where a look has found it, by request."""
        rows = evidence_parts.c
        query = sa.select(rows.request_id, rows.known).where(rows.request_id.in_(request_ids), rows.part == Part.DATA)
        read = ((str(row.request_id), json.loads(row.known)) for row in self._connection.execute(query))
        return {request_id: str(known[0]) for request_id, known in read if known}

    def of_requests(self, request_ids: Collection[str]) -> dict[str, list[Kept]]:
        """What is lost or out of sight, also when it was acknowledged, in the order of the parts."""
        rows = evidence_parts.c
        query = sa.select(evidence_parts).where(rows.request_id.in_(request_ids), sa.or_(IS_LOST, IS_OUT_OF_SIGHT))
        found: dict[str, list[Kept]] = {}
        for kept in map(_kept_of, self._connection.execute(query)) if request_ids else ():
            found.setdefault(kept.request_id, []).append(kept)
        return {request_id: sorted(kept, key=_order) for request_id, kept in found.items()}

    def open(self, before: datetime, limit: int) -> tuple[list[Kept], int]:
        """What is lost or out of sight since before then and acknowledged by no one, the oldest first; and the number of all."""
        rows = evidence_parts.c
        since = sa.func.coalesce(rows.lost_since, rows.unread_since)
        query = sa.select(evidence_parts, sa.func.count().over().label("total")).where(IS_OPEN, since < before)
        found = self._connection.execute(query.order_by(since, rows.request_id, rows.part).limit(limit)).all()
        return [_kept_of(row) for row in found], found[0].total if found else 0

    def all_open_or_known(self) -> list[Kept]:
        """What is lost or out of sight, the newest first, also when it was acknowledged."""
        rows = evidence_parts.c
        since = sa.func.coalesce(rows.lost_since, rows.unread_since)
        query = (
            sa.select(evidence_parts).where(sa.or_(IS_LOST, IS_OUT_OF_SIGHT)).order_by(since.desc(), rows.request_id)
        )
        return [_kept_of(row) for row in self._connection.execute(query)]

    def counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How many parts are lost and how many out of sight, acknowledged by no one, by part."""
        rows, found = evidence_parts.c, []
        for condition in (IS_LOST, sa.and_(IS_OUT_OF_SIGHT, ~IS_LOST)):
            query = sa.select(rows.part, sa.func.count()).where(condition, IS_OPEN).group_by(rows.part)
            found.append({str(row[0]): int(row[1]) for row in self._connection.execute(query)})
        lost, unseen = ({str(part): counted.get(part, 0) for part in Part} for counted in found)
        return lost, unseen

    def oldest_look(self) -> datetime | None:
        """When the target was looked at that was so longest ago; None before the first look."""
        return self._connection.execute(sa.select(sa.func.min(evidence_places.c.looked_at))).scalar()

    def put(self, kept: Kept, place: WatchedPlace) -> None:
        values = {**asdict(kept), **_key(place), **{name: json.dumps(getattr(kept, name)) for name in LISTS}}
        put = insert(evidence_parts).values(values)
        self._connection.execute(put.on_conflict_do_update(index_elements=["request_id", "part"], set_=values))

    def look_after_only(self, place: WatchedPlace, request_ids: Collection[str], now: datetime) -> None:
        """Other approvals neither hold the target any more nor are a way back: they leave. These may have come back."""
        rows = evidence_parts.c
        self._leave(now, *_of(place), rows.request_id.not_in(request_ids))
        back = sa.update(evidence_parts).where(rows.request_id.in_(request_ids))
        self._connection.execute(back.values(**_key(place), left_at=None))

    def _leave(self, now: datetime, *where: sa.ColumnElement[bool]) -> None:
        self._connection.execute(sa.update(evidence_parts).where(IS_LOOKED_AFTER, *where).values(left_at=now))

    def acknowledge(self, request_id: str, person: str, reason: str, now: datetime) -> tuple[str, ...]:
        """Of what is open of the approval; returns the parts."""
        rows = evidence_parts.c
        known = {"acknowledged_at": now, "acknowledged_by": person, "acknowledged_because": reason}
        mine = sa.and_(rows.request_id == request_id, IS_OPEN)
        done = sa.update(evidence_parts).where(mine).values(known).returning(rows.part)
        return tuple(sorted(self._connection.execute(done).scalars()))

    # What is to be said

    def add_note(self, channel: str, event: Event) -> None:
        values = {"channel": channel, "kind": type(event).__name__, "event": json.dumps(as_plain(event))}
        self._connection.execute(sa.insert(evidence_notes).values(values))

    def batch(self, channel: str, new_batch: str) -> tuple[str, list[LossNote]]:
        """One that was begun before and not sent, else a new one of all that waits. Its rows stay the same until it is sent."""
        rows = evidence_notes.c
        begun = sa.select(rows.batch).where(*_waiting(channel), rows.batch.is_not(None)).limit(1)
        batch = self._connection.execute(begun).scalar()
        if batch is None:
            batch = new_batch
            fix = sa.update(evidence_notes).where(*_waiting(channel), rows.batch.is_(None))
            self._connection.execute(fix.values(batch=batch))
        return str(batch), self._notes(rows.batch == batch, *_waiting(channel))

    def sent(self, batch: str, channel: str, below: Mapping[int, str]) -> bool:
        """Forgets what was sent, but for what is still to be said below a request; returns whether more waits for the channel."""
        rows = evidence_notes.c
        self._connection.execute(
            sa.delete(evidence_notes).where(rows.batch == batch, *_waiting(channel), rows.id.not_in(below))
        )
        for note, request_id in below.items():
            self._connection.execute(sa.update(evidence_notes).where(rows.id == note).values(below=request_id))
        query = sa.select(rows.id).where(*_waiting(channel)).limit(1)
        return self._connection.execute(query).first() is not None

    def below(self, request_id: str) -> list[LossNote]:
        """What is still to be said in the request's thread, as the channel had it."""
        return self._notes(evidence_notes.c.below == request_id)

    def said_below(self, notes: Collection[LossNote]) -> None:
        self._connection.execute(sa.delete(evidence_notes).where(evidence_notes.c.id.in_([note.id for note in notes])))

    def _notes(self, *where: sa.ColumnElement[bool]) -> list[LossNote]:
        query = sa.select(evidence_notes).where(*where).order_by(evidence_notes.c.id)
        return [LossNote(row.id, read_event(row.kind, row.event)) for row in self._connection.execute(query)]


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    """Also what was looked at while the clock was fast, before it was set back."""
    return sa.or_(evidence_places.c.due_at <= now, evidence_places.c.looked_at > now)


def _held(workspace: str) -> sa.Subquery:
    rows = placements.c
    query = sa.select(rows.workspace, rows.model, rows.target).distinct()
    return query.where(rows.is_judged, rows.request_id.is_not(None), rows.workspace == workspace).subquery()


def _no_approval_holds(table: sa.Table) -> sa.ColumnElement[bool]:
    """The target that a row of the table is about."""
    here = [placements.c[name] == table.c[name] for name in ("workspace", "model", "target")]
    return ~sa.exists().where(*here, placements.c.request_id.is_not(None))


def _waiting(channel: str) -> list[sa.ColumnElement[bool]]:
    return [evidence_notes.c.channel == channel, evidence_notes.c.below.is_(None)]


def _key(place: WatchedPlace) -> dict[str, str]:
    return {"workspace": place.workspace, "model": place.model, "target": str(place.target)}


def _of(place: WatchedPlace) -> list[sa.ColumnElement[bool]]:
    return [evidence_parts.c[name] == value for name, value in _key(place).items()]


def _kept_of(row: sa.Row[Any]) -> Kept:
    return Kept(
        request_id=row.request_id,
        part=Part(row.part),
        seen_at=row.seen_at,
        lost=tuple(json.loads(row.lost)),
        lost_since=row.lost_since,
        unread=row.unread,
        unread_since=row.unread_since,
        unread_looks=row.unread_looks,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_because=row.acknowledged_because,
        known=tuple(json.loads(row.known)),
    )


def _order(kept: Kept) -> int:
    return list(Part).index(kept.part)
