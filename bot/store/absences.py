"""Rows for who is away and who votes for them, and for the fast track's kill switch.

The rules for changing them are in `handlers.request.absences` and `handlers.policy.kill_switch`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.events import FastTrackSwitched
from bot.store import tables
from bot.store.ledger import read_event

FAST_TRACK = "fast_track"


@dataclass(frozen=True)
class Absence:
    """`delegate` votes for `person` until `until`; both are person ids."""

    person: str
    delegate: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Switch:
    """`at` and `person` are None until someone first uses the switch."""

    is_on: bool
    at: datetime | None
    person: str | None
    reason: str


class AbsenceRows:
    """At most one absence per person. One that is over no longer counts, and the next one overwrites its row."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def declare(self, absence: Absence) -> None:
        """Replaces the person's earlier one."""
        values = asdict(absence)
        upsert = insert(tables.absences).values(values).on_conflict_do_update(index_elements=["person"], set_=values)
        self.connection.execute(upsert)

    def end(self, person: str) -> None:
        self.connection.execute(sa.delete(tables.absences).where(tables.absences.c.person == person))

    def find(self, person: str, now: datetime) -> Absence | None:
        return next(iter(self._in_force(now, tables.absences.c.person == person)), None)

    def absences_covered_by(self, delegate: str, now: datetime) -> list[Absence]:
        """The absences in which this person is the delegate."""
        return self._in_force(now, tables.absences.c.delegate == delegate)

    def everybody(self, now: datetime) -> list[Absence]:
        """All absences in force, the earliest return first."""
        return self._in_force(now)

    def over_since(self, moment: datetime, now: datetime) -> list[Absence]:
        """Those that have ended by themselves since then, the earliest first."""
        rows = tables.absences.c
        return self._those(rows.until > moment, rows.until <= now)

    def _in_force(self, now: datetime, *conditions: sa.ColumnElement[bool]) -> list[Absence]:
        return self._those(tables.absences.c.until > now, *conditions)

    def _those(self, *conditions: sa.ColumnElement[bool]) -> list[Absence]:
        rows = tables.absences.c
        query = sa.select(rows.person, rows.delegate, rows.since, rows.until).where(*conditions)
        found = self.connection.execute(query.order_by(rows.until, rows.person))
        return [Absence(row.person, row.delegate, row.since, row.until) for row in found]


class SwitchRows:
    """The fast track is on until someone switches it off, for all rules and replicas at once."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def fast_track_is_on(self, *, lock: bool = False) -> bool:
        """With `lock`, a change to the switch waits for this transaction to end, or is already visible to it."""
        if lock:
            row = sa.select(tables.switches.c.name).where(tables.switches.c.name == FAST_TRACK)
            self.connection.execute(row.with_for_update(read=True))
        return self.fast_track().is_on

    def fast_track(self) -> Switch:
        """Off also when the ledger says so and the row does not: the bot's database role may change the row, and no entry."""
        rows = tables.switches.c
        query = sa.select(rows.is_on, rows.at, rows.person, rows.reason).where(rows.name == FAST_TRACK)
        row = self.connection.execute(query).first()
        if row is not None and not row.is_on:
            return Switch(row.is_on, row.at, row.person, row.reason)
        entries = tables.ledger.c
        newest = sa.select(entries.body).where(entries.kind == FastTrackSwitched.__name__).order_by(entries.seq.desc())
        body = self.connection.execute(newest.limit(1)).scalar()
        said = read_event(FastTrackSwitched.__name__, body) if body else None
        if isinstance(said, FastTrackSwitched) and not said.on:
            return Switch(said.on, said.at, said.person, said.reason)
        return Switch(row.is_on, row.at, row.person, row.reason) if row else Switch(True, None, None, "")

    def switch_fast_track(self, switch: Switch) -> bool:
        """False when it was in this position already; then the row keeps the person who set it first."""
        rows = tables.switches
        row = {"name": FAST_TRACK, **asdict(switch)}
        said = self.connection.execute(sa.select(rows.c.is_on).where(rows.c.name == FAST_TRACK)).scalar()
        is_changed = said is not None and said != self.fast_track().is_on  # beside the ledger
        differs = sa.or_(rows.c.is_on != switch.is_on, sa.literal(is_changed))
        upsert = insert(rows).values(row).on_conflict_do_update(index_elements=["name"], set_=row, where=differs)
        return self.connection.execute(upsert.returning(rows.c.name)).first() is not None
