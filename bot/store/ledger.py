"""Rows of the ledger, its checkpoints, and what witnesses signed over these: appended under one lock, read in order.

Entries and the chain are in `bot.domain.ledger.chain`, the tree over them in `bot.domain.ledger.merkle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import rfc8785
import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY, insert

from bot.domain import events
from bot.domain.events import Event, VoteRefused
from bot.domain.ledger import chain as ledger
from bot.domain.ledger.checkpoint import Note
from bot.domain.ledger.merkle import Frontier
from bot.domain.ledger.subjects import Subject, subject_in
from bot.domain.registry import watch_events
from bot.store import tables

if TYPE_CHECKING:
    import psycopg

LEDGER_LOCK = 0x636F756E  # "coun"; one advisory lock serialises the appends, for a few milliseconds each
A_FETCH = 1000  # rows
A_LOOKUP = 500  # entries whose requests are read in one query
EVENTS: Mapping[str, type[Event]] = {
    name: kind
    for name, kind in (vars(events) | vars(watch_events)).items()
    if isinstance(kind, type) and issubclass(kind, Event)
}
ABOUT_REQUESTS = sorted(name for name, kind in EVENTS.items() if issubclass(kind, events.RequestEvent))


LOCK = sa.select(sa.func.pg_advisory_xact_lock(LEDGER_LOCK))
WHOLE = "select seq, at, kind, body, leaf, head from ledger order by seq"
NEWEST = sa.select(tables.ledger.c.seq, tables.ledger.c.head).order_by(tables.ledger.c.seq.desc()).limit(1)


def written_in_body(model: str) -> str:
    """As the indexes find it: a name with a quote is cut there."""
    return rfc8785.dumps(model).decode()[1:].partition('"')[0]


def read_event(kind: str, body: str) -> Event:
    """The event that an entry records. Raises KeyError, pydantic.ValidationError for one that this release does not know."""
    return _reader(kind).validate_json(body)


@cache
def _reader(kind: str) -> TypeAdapter[Event]:
    """Made when first needed: building all of them takes a noticeable part of a second."""
    return TypeAdapter(EVENTS[kind])


@contextmanager
def unhurried(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection with one snapshot of the database and no timeouts; the bot can write meanwhile."""
    with engine.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(sa.text(f"set local {limit} = 0"))
            yield connection


class LedgerRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._last: tuple[int, bytes] | None = None  # number and head, once this transaction has the ledger's lock

    def append(self, happened: Sequence[Event]) -> list[tuple[int, Event]]:
        """Takes the ledger's lock until the transaction ends, so nothing slow may follow. Returns each event with its number."""
        if self._last is None:
            self._last = self._lock()
        seq, head = self._last
        appended = []
        for event in happened:
            seq += 1
            body = rfc8785.dumps(ledger.body_of(event, seq)).decode()
            leaf = ledger.leaf_of(body)
            head = ledger.head_of(head, leaf)
            row = {"seq": seq, "at": event.at, "kind": type(event).__name__, "body": body, "leaf": leaf, "head": head}
            self.connection.execute(sa.insert(tables.ledger).values(row))
            appended.append((seq, event))
            self._last = seq, head
        return appended

    def _lock(self) -> tuple[int, bytes]:
        self.connection.execute(LOCK)
        last = self.connection.execute(NEWEST).first()
        return (last.seq, bytes(last.head)) if last else (0, ledger.GENESIS)

    def count(self) -> int:
        return int(
            self.connection.execute(sa.select(sa.func.coalesce(sa.func.max(tables.ledger.c.seq), 0))).scalar_one()
        )

    def latest(self) -> datetime | None:
        """The latest time of any entry, which need not be that of the newest: a clock may have been set back."""
        found: datetime | None = self.connection.execute(sa.select(sa.func.max(tables.ledger.c.at))).scalar()
        return found

    def refused_votes(self) -> int:
        """How many votes on record were refused because nothing proves them."""
        refused = sa.text(
            f"kind = '{VoteRefused.__name__}'"
        )  # as in the index: with a bound value it would not be used
        return int(
            self.connection.execute(sa.select(sa.func.count()).select_from(tables.ledger).where(refused)).scalar_one()
        )

    def entries(
        self, *kinds: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[ledger.Entry]:
        """In order, all or of some kinds or times; streamed from a server-side cursor, which ends with the transaction."""
        query = sa.select(tables.ledger).order_by(tables.ledger.c.seq)
        if kinds:
            query = query.where(tables.ledger.c.kind.in_(kinds))
        if since is not None:
            query = query.where(tables.ledger.c.at >= since)
        if until is not None:
            query = query.where(tables.ledger.c.at < until)
        with self.connection.execute(query.execution_options(yield_per=A_FETCH)) as rows:
            for row in rows:
                yield _entry_of(row)

    def whole(self) -> Iterator[ledger.Entry]:
        """All entries in order, as `entries` has them, at a third of its cost: in PostgreSQL's binary form, and without its rows' names."""
        driver = cast("psycopg.Connection[tuple[Any, ...]]", self.connection.connection.driver_connection)
        with driver.cursor("whole_ledger", binary=True) as rows:
            rows.itersize = A_FETCH
            for row in rows.execute(WHOLE):
                yield ledger.Entry(*row)

    def entries_by_request(self) -> Iterator[tuple[str, ledger.Entry]]:
        """The entries about requests, grouped by request and in order. The database sorts them on its disk."""
        rows = tables.ledger
        request_id = tables.entry_request.collate(
            "C"
        )  # a body of an older release may hold a NUL, which a cast to JSON refuses
        query = sa.select(rows, request_id.label("request_id")).where(rows.c.kind.in_(ABOUT_REQUESTS))
        in_order = query.order_by(request_id, rows.c.seq).execution_options(yield_per=A_FETCH)
        with self.connection.execute(in_order) as found:
            for row in found:
                yield row.request_id, _entry_of(row)

    def about(self, *request_ids: str) -> list[ledger.Entry]:
        """The entries about these requests, in order."""
        rows = tables.ledger
        ids = sa.cast(list(request_ids), ARRAY(sa.Text))  # as one value: a statement takes 65,535 at most
        mine = sa.and_(tables.entry_request == sa.any_(ids), rows.c.kind.in_(ABOUT_REQUESTS))
        return [_entry_of(row) for row in self.connection.execute(sa.select(rows).where(mine).order_by(rows.c.seq))]

    def entries_after(self, kind: str, after: int) -> list[ledger.Entry]:
        """Those of one kind after the entry with this number, in order."""
        rows = tables.ledger
        query = sa.select(rows).where(rows.c.kind == kind, rows.c.seq > after).order_by(rows.c.seq)
        return [_entry_of(row) for row in self.connection.execute(query)]

    def seen_at(self, models: Iterable[str]) -> list[ledger.Entry]:
        """What was seen at these models' targets without us (`tables.was_seen`), in order."""
        rows = tables.ledger
        written = [rfc8785.dumps(model).decode() for model in models]
        named = (
            sa.func.strpos(rows.c.body, f'"model":{one}') > 0 for one in written
        )  # a name may go on after a quotation mark
        by_index = tables.entry_model.in_([one[1:].partition('"')[0] for one in written])
        query = sa.select(rows).where(tables.was_seen, by_index, sa.or_(sa.false(), *named)).order_by(rows.c.seq)
        return [_entry_of(row) for row in self.connection.execute(query)]

    def at_places(self, models: Iterable[str], after: int) -> list[ledger.Entry]:
        """Later than the entry `after`, in order: what was asked, and what was moved, at targets of registered models that may be these."""
        rows = tables.ledger
        called = [*map(written_in_body, models)]
        query = sa.select(rows).where(tables.of_places, tables.entry_place.in_(called), rows.c.seq > after)
        return [_entry_of(row) for row in self.connection.execute(query.order_by(rows.c.seq))]

    def leaves(self, after: int = 0, until: int | None = None) -> Iterator[bytes]:
        """The leaves of the entries after `after`, up to and including `until`; streamed as `entries` are."""
        rows = tables.ledger.c
        query = sa.select(rows.leaf).where(rows.seq > after).order_by(rows.seq)
        if until is not None:
            query = query.where(rows.seq <= until)
        with self.connection.execute(query.execution_options(yield_per=10 * A_FETCH)) as found:
            for leaf in found.scalars():
                yield bytes(leaf)

    def with_subjects(self, entries: Iterable[ledger.Entry]) -> Iterator[tuple[ledger.Entry, Subject]]:
        """Each entry with its subject: from its request, whose subject never changes, else from the entry itself."""
        rest = iter(entries)
        while some := list(islice(rest, A_LOOKUP)):
            said = [subject_in(entry.body) for entry in some]
            asked = self._asked({one.request_id for one in said if one.request_id})
            for entry, one in zip(some, said, strict=True):
                yield entry, asked.get(one.request_id or "", one)

    def between(self, first: int, last: int) -> list[ledger.Entry]:
        """Those with these numbers and all in between, in order."""
        rows = tables.ledger
        query = sa.select(rows).where(rows.c.seq >= first, rows.c.seq <= last).order_by(rows.c.seq)
        return [_entry_of(row) for row in self.connection.execute(query)]

    def get(self, seq: int) -> ledger.Entry:
        return _entry_of(self.connection.execute(sa.select(tables.ledger).where(tables.ledger.c.seq == seq)).one())

    def _asked(self, ids: Iterable[str]) -> Mapping[str, Subject]:
        """The subjects of these requests, by id."""
        rows = tables.requests.c
        query = sa.select(rows.id, rows.model, rows.version, rows.target).where(rows.id.in_(ids))
        return {row.id: Subject(row.id, row.model, row.version, row.target) for row in self.connection.execute(query)}


@dataclass(frozen=True)
class Recorded:
    """The row of a signed checkpoint."""

    size: int
    note: str
    frontier: bytes
    made_at: datetime


class CheckpointRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def add(self, note: Note, frontier: Frontier, now: datetime) -> Recorded:
        """Returns the recorded checkpoint, which may be another one of the same size that was signed a moment before."""
        size = note.checkpoint.size
        row = {"size": size, "note": str(note), "frontier": frontier.as_bytes(), "made_at": now}
        self.connection.execute(insert(tables.checkpoints).values(row).on_conflict_do_nothing())
        query = sa.select(tables.checkpoints).where(tables.checkpoints.c.size == size)
        return _recorded(self.connection.execute(query).one())

    def newest(self) -> Recorded | None:
        return self._one(sa.select(tables.checkpoints).order_by(tables.checkpoints.c.size.desc()).limit(1))

    def first_over(self, seq: int) -> Recorded | None:
        """The first checkpoint that covers this entry."""
        rows = tables.checkpoints
        return self._one(sa.select(rows).where(rows.c.size >= seq).order_by(rows.c.size).limit(1))

    def all(self) -> Iterator[Recorded]:
        """By size; streamed."""
        query = sa.select(tables.checkpoints).order_by(tables.checkpoints.c.size)
        with self.connection.execute(query.execution_options(yield_per=A_FETCH)) as rows:
            for row in rows:
                yield _recorded(row)

    def _one(self, query: sa.Select[Any]) -> Recorded | None:
        row = self.connection.execute(query).first()
        return _recorded(row) if row else None


@dataclass(frozen=True)
class WitnessedRow:
    """`witness` names who; `evidence` is a cosignature's line, or a timestamp token in base64; `note` is the checkpoint on record."""

    size: int
    witness: str
    evidence: str
    note: str


class WitnessedRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def add(self, size: int, witness: str, evidence: str, now: datetime) -> None:
        row = {"size": size, "witness": witness, "evidence": evidence, "got_at": now}
        self.connection.execute(insert(tables.witnessed).values(row).on_conflict_do_nothing())

    def begin(self, witness: str, now: datetime) -> None:
        """Keeps when the witness was asked for the first time, as a row of size 0 without evidence."""
        self.add(0, witness, "", now)

    def newest_size(self, witness: str) -> int:
        """0 when the witness has signed nothing yet."""
        rows = tables.witnessed.c
        query = sa.select(sa.func.coalesce(sa.func.max(rows.size), 0)).where(rows.witness == witness)
        return int(self.connection.execute(query).scalar_one())

    def sizes(self) -> Mapping[str, int]:
        """The size of the newest checkpoint that each has signed, by name; 0 when it was only asked."""
        rows = tables.witnessed.c
        query = sa.select(rows.witness, sa.func.max(rows.size)).group_by(rows.witness)
        return {row[0]: row[1] for row in self.connection.execute(query)}

    def of(self, witness: str) -> Iterator[WitnessedRow]:
        """Smallest checkpoint first; streamed. A row without a checkpoint has an empty note."""
        rows, notes = tables.witnessed.c, tables.checkpoints.c
        joined = tables.witnessed.outerjoin(tables.checkpoints, rows.size == notes.size)
        query = (
            sa.select(rows.size, rows.evidence, sa.func.coalesce(notes.note, "").label("note"))
            .select_from(joined)
            .where(rows.witness == witness, rows.size > 0)
            .order_by(rows.size)
        )
        with self.connection.execute(query.execution_options(yield_per=A_FETCH)) as found:
            for row in found:
                yield WitnessedRow(row.size, witness, row.evidence, row.note)

    def waits_since(self, witness: str, size: int) -> datetime | None:
        """Since when a checkpoint above this size, the newest that it has signed, waits for the witness; None when none does.

        One that has signed none yet was not there for older checkpoints: for it the first time that it was asked counts.
        """
        made = self._first_made(size)
        if made is None or size > 0:
            return made
        rows = tables.witnessed.c
        asked = self.connection.execute(sa.select(sa.func.min(rows.got_at)).where(rows.witness == witness)).scalar()
        return max(made, asked) if asked else made

    def _first_made(self, size: int) -> datetime | None:
        rows = tables.checkpoints.c
        query = sa.select(rows.made_at).where(rows.size > size).order_by(rows.size).limit(1)
        return self.connection.execute(query).scalar_one_or_none()


def _recorded(row: sa.Row[Any]) -> Recorded:
    return Recorded(row.size, row.note, bytes(row.frontier), row.made_at)


def _entry_of(row: sa.Row[Any]) -> ledger.Entry:
    return ledger.Entry(row.seq, row.at, row.kind, row.body, bytes(row.leaf), bytes(row.head))
