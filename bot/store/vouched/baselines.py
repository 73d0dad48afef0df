"""Which ledger entries vouch for the rows of the table `baselines`: what held a target when its watch began.

The bot's database role may change or delete these rows, and no entry. The last entry counts that says when this version held this target:
`WatchBegun`, `BaselineRecorded`, also of rows that a rename has copied, or the list of what an older release left (`OldBaselinesListed`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple

import rfc8785
import sqlalchemy as sa

from bot.domain.events import BaselineRecorded, Event, OldBaselinesListed
from bot.domain.model import Placed, Target, TargetKind, VersionId
from bot.domain.registry.watch_events import WatchBegun
from bot.store import tables
from bot.store.ledger import A_FETCH, read_event

KINDS = (WatchBegun.__name__, BaselineRecorded.__name__, OldBaselinesListed.__name__)


class Row(NamedTuple):
    """As in the table. `since`: when the watch began."""

    workspace: str
    model: str
    target: str
    version: int
    version_created: datetime
    since: datetime

    @property
    def held(self) -> tuple[object, ...]:
        """Which version held what: the table's key."""
        return self[:-1]

    @property
    def placed(self) -> Placed:
        version = VersionId(self.workspace, self.model, self.version, self.version_created)
        return Placed(Target.parse(self.target), version, self.since, None)


def baseline_by_ledger(
    workspace: str,
    model: str,
    target: Target,
    connection: sa.Connection,
    unwritten: Sequence[Event] = (),
    *,
    since: datetime | None = None,
) -> dict[VersionId, datetime]:
    """What the rows about a place must be, under this very name. Reads the entries that name the model.

    `unwritten` are events of this transaction, whose rows are written already. With `since`, what was baseline at that moment, whatever
    an entry has said of it later.
    """
    said = _said(connection, _has(f'"model":{rfc8785.dumps(model).decode()}'))
    newer = (row for event in unwritten for row in _rows_in(event))
    here = (row for row in chain(said, newer) if row[:3] == (workspace, model, str(target)))
    return {row.placed.version: row.since for row in here if since in (None, row.since)}


def was_there_before(version: VersionId, connection: sa.Connection) -> bool:
    """Whether an entry says of any watch, under any name, that the version was in its target model when that began."""
    of_version = (version.workspace, version.version, version.created)
    said = _said(connection, _has(f'"version":{version.version},'))
    copies = (row.placed.version for row in said if row.target == str(Target(TargetKind.MODEL, row.model)))
    return any((one.workspace, one.version, one.created) == of_version for one in copies)


def is_listed(connection: sa.Connection) -> bool:
    """Whether the rows of older releases are listed already, also when there were none."""
    return bool(_first_list(connection))


def differences(connection: sa.Connection) -> Iterator[str]:
    """A sentence for each row that was inserted, edited or deleted beside the ledger."""
    newest = _newest(connection)
    unseen = set(newest)
    for row in _rows(connection):
        unseen.discard(row.held)
        if row.since != newest.get(row.held):
            yield f"{_named(row.held)} was {_how_it_was_changed(newest.get(row.held))}"
    for held in sorted(unseen, key=str):
        yield f"{_named(held)} was deleted: by the ledger it is there since {newest[held].isoformat()}"


def _named(held: tuple[object, ...]) -> str:
    _, model, target, version, _ = held
    return f"version {version} in the baseline of {target} of {model}"


def _how_it_was_changed(since: datetime | None) -> str:
    """`since`: when it came by the ledger, with all digits, so that the row can be written again."""
    if since is None:
        return "inserted: no entry says that it was there"
    return f"edited: by the ledger it is there since {since.isoformat()}"


def without_entry(connection: sa.Connection) -> list[Placed]:
    """The rows that an older release wrote and no entry vouches for."""
    newest = _newest(connection)
    return [row.placed for row in _rows(connection) if row.since != newest.get(row.held)]


def _newest(connection: sa.Connection) -> dict[tuple[object, ...], datetime]:
    """By the last entry: a clock may have been set back."""
    return {row.held: row.since for row in _said(connection)}


def _rows_in(event: Event) -> Iterator[Row]:
    match event:
        case WatchBegun():
            for one in event.holders:
                yield Row(event.workspace, event.model, str(event.target), one.version, one.created, event.at)
        case BaselineRecorded():
            for held in event.held:
                yield _row_of(Placed(held.target, held.version, event.since or event.at, None))
        case OldBaselinesListed():
            yield from map(_row_of, event.held)


def _row_of(placed: Placed) -> Row:
    version = placed.version
    return Row(version.workspace, version.model, str(placed.target), version.version, version.created, placed.since)


def _first_list(connection: sa.Connection) -> range:
    """The numbers of its entries, which are written together; empty before there is one."""
    entries = tables.ledger.c
    query = sa.select(entries.seq, entries.kind, entries.body).where(entries.kind == OldBaselinesListed.__name__)
    found = connection.execute(query.order_by(entries.seq).limit(1)).first()
    event = read_event(found.kind, found.body) if found else None
    return (
        range(found.seq, found.seq + 1 + event.follow) if found and isinstance(event, OldBaselinesListed) else range(0)
    )


def _said(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> Iterator[Row]:
    """By all entries that count, in their order."""
    entries, listed = tables.ledger.c, _first_list(connection)
    query = sa.select(entries.seq, entries.kind, entries.body).where(entries.kind.in_(KINDS), *which)
    with connection.execute(query.order_by(entries.seq).execution_options(yield_per=A_FETCH)) as found:
        for seq, kind, body in found:
            if kind != OldBaselinesListed.__name__ or seq in listed:
                yield from _rows_in(read_event(kind, body))


def _has(text: str) -> sa.ColumnElement[bool]:
    """Bodies are canonical JSON, so that a name is written in one way."""
    return sa.func.strpos(tables.ledger.c.body, text) > 0


def _rows(connection: sa.Connection) -> Iterator[Row]:
    table = tables.baselines
    query = sa.select(*(table.c[name] for name in Row._fields)).order_by(*table.primary_key)
    with connection.execute(query.execution_options(yield_per=A_FETCH)) as rows:
        for row in rows:
            yield Row(*row)
