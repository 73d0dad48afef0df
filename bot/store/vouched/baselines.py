"""Which ledger entries vouch for the rows of the table `baselines`: what held a target when its watch began.

The bot's database role may change these rows, and no entry. A row counts when an entry of its very moment (`WatchBegun`, or
`BaselineRecorded`) says that this version held this target, or when the list of what an older release left has it (`OldBaselinesListed`). A
rename copies rows: then the entry has a former name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import rfc8785
import sqlalchemy as sa

from bot.domain.events import BaselineRecorded, Event, ModelRenamed, OldBaselinesListed
from bot.domain.model import Placed, Target, TargetKind, VersionId
from bot.domain.registry.watch_events import WatchBegun
from bot.store import tables
from bot.store.audit import events_of
from bot.store.ledger import A_FETCH, LedgerRows, read_event

OF_THE_MOMENT = (WatchBegun.__name__, BaselineRecorded.__name__)
FormerNames = Mapping[tuple[str, str], set[str]]  # by workspace and new name


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


def is_vouched_for(row: Row, ledger: LedgerRows) -> bool:
    """Reads the entries of that moment, all renames, and the list of old rows as far as it names these models."""
    renames = (read_event(one.kind, one.body) for one in ledger.entries(ModelRenamed.__name__))
    wanted = {row, *_copied_from(row, _by_new_name(renames))}
    entries, models = tables.ledger.c, {one.model for one in wanted}
    of_the_moment = (entries.kind.in_(OF_THE_MOMENT), entries.at == row.since)
    said = _said_about(models, of_the_moment, ledger.connection)
    return not wanted.isdisjoint(said) or not wanted.isdisjoint(_listed_about(models, ledger.connection))


def is_listed(connection: sa.Connection) -> bool:
    """Whether the rows of older releases are listed already, also when there were none."""
    return _first_list(connection) is not None


def differences(connection: sa.Connection) -> Iterator[str]:
    """A sentence for each row that was inserted, edited or deleted beside the ledger."""
    in_order = list(_said(connection))
    newest = {row.held: row.since for row in in_order}  # by the last entry: a clock may have been set back
    said = set(in_order)
    renames, unseen = _by_new_name(events_of(connection, ModelRenamed)), set(newest)
    for row in _rows(connection):
        unseen.discard(row.held)
        if row.since != newest.get(row.held) and said.isdisjoint(_copied_from(row, renames)):
            how = "edited: it was not there" if row.held in newest else "inserted: no entry says that it was there"
            yield f"version {row.version} in the baseline of {row.target} of {row.model} was {how} at that time"
    for held in sorted(unseen, key=str):
        _, model, target, version, _ = held
        yield f"version {version} in the baseline of {target} of {model} was deleted"


def without_entry(connection: sa.Connection) -> list[Placed]:
    """The rows that an older release wrote and no entry vouches for."""
    said, renames = set(_said(connection)), _by_new_name(events_of(connection, ModelRenamed))
    return [row.placed for row in _rows(connection) if row not in said and said.isdisjoint(_copied_from(row, renames))]


def _copied_from(row: Row, renames: FormerNames) -> set[Row]:
    """What it may be a copy of: renames have led from there to its name. Not asked when, for a clock may have been set back."""
    found, names = {row.model}, [row.model]
    while names:
        new = renames.get((row.workspace, names.pop()), set()) - found
        found |= new
        names += new
    return {_under(name, row) for name in found - {row.model}}


def _by_new_name(events: Iterable[Event]) -> FormerNames:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in events:
        if isinstance(event, ModelRenamed):
            found[event.workspace, event.after].add(event.before)
    return found


def _under(name: str, row: Row) -> Row:
    is_its_own = row.target == str(Target(TargetKind.MODEL, row.model))
    return row._replace(model=name, target=str(Target(TargetKind.MODEL, name)) if is_its_own else row.target)


def _rows_in(event: Event) -> Iterator[Row]:
    match event:
        case WatchBegun():
            for one in event.holders:
                yield Row(event.workspace, event.model, str(event.target), one.version, one.created, event.at)
        case BaselineRecorded():
            for held in event.held:
                yield _row_of(Placed(held.target, held.version, event.at, None))
        case OldBaselinesListed():
            yield from map(_row_of, event.held)


def _row_of(placed: Placed) -> Row:
    version = placed.version
    return Row(version.workspace, version.model, str(placed.target), version.version, version.created, placed.since)


def _said_about(
    models: Collection[str], which: Sequence[sa.ColumnElement[bool]], connection: sa.Connection
) -> Iterator[Row]:
    """By these entries, as far as they name one of the models. Bodies are canonical JSON, so that a name is written in one way."""
    entries = tables.ledger.c
    named = (sa.func.strpos(entries.body, f'"model":{rfc8785.dumps(model).decode()}') > 0 for model in sorted(models))
    query = sa.select(entries.kind, entries.body).where(*which, sa.or_(*named)).order_by(entries.seq)
    with connection.execute(query.execution_options(yield_per=A_FETCH)) as found:
        for kind, body in found:
            yield from _rows_in(read_event(kind, body))


def _listed_about(models: Collection[str], connection: sa.Connection) -> Iterator[Row]:
    first = _first_list(connection)
    if first is None:
        return
    seq, entries = first
    of_the_list = (
        tables.ledger.c.seq.between(seq, seq + entries - 1),
        tables.ledger.c.kind == OldBaselinesListed.__name__,
    )
    yield from _said_about(models, of_the_list, connection)


def _first_list(connection: sa.Connection) -> tuple[int, int] | None:
    """The number of its first entry, and how many it has: they are written together."""
    entries = tables.ledger.c
    query = sa.select(entries.seq, entries.kind, entries.body).where(entries.kind == OldBaselinesListed.__name__)
    found = connection.execute(query.order_by(entries.seq).limit(1)).first()
    event = read_event(found.kind, found.body) if found else None
    return (found.seq, 1 + event.follow) if found and isinstance(event, OldBaselinesListed) else None


def _said(connection: sa.Connection) -> Iterator[Row]:
    """By all entries that count, in their order."""
    left = -1  # how many entries of the list follow; -1 before there is one
    for event in events_of(connection, WatchBegun, BaselineRecorded, OldBaselinesListed):
        if isinstance(event, OldBaselinesListed):
            if left == 0:
                continue
            left = event.follow if left < 0 else left - 1
        yield from _rows_in(event)


def _rows(connection: sa.Connection) -> Iterator[Row]:
    table = tables.baselines
    query = sa.select(*(table.c[name] for name in Row._fields)).order_by(*table.primary_key)
    with connection.execute(query.execution_options(yield_per=A_FETCH)) as rows:
        for row in rows:
            yield Row(*row)
