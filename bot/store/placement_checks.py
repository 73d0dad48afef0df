"""Compares who holds which target, by the table of placements, with the moves in the ledger. `record_checks` has the other tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from bot.domain.events import (
    ApprovalCalledOff,
    Event,
    ModelGone,
    ModelRenamed,
    MoveObserved,
    MoveReverted,
    PolicyActivated,
    TargetMoved,
    TargetPutBack,
)
from bot.domain.model import State, TargetKind, VersionId
from bot.domain.registry.watch_events import WatchBegun
from bot.store import tables
from bot.store.audit import event_of
from bot.store.ledger import LedgerRows


def events_of(connection: sa.Connection, *kinds: type[Event]) -> Iterator[Event]:
    for entry in LedgerRows(connection).entries(*(kind.__name__ for kind in kinds)):
        yield event_of(entry)


@dataclass(frozen=True)
class _Moved:
    """That a request's move was the last event about an alias. `is_watched` until a policy changes, and with it perhaps what is watched."""

    version: VersionId
    request_id: str
    is_watched: bool = True


def placements(connection: sa.Connection) -> Iterator[str]:
    """Aliases that a request moved last, and that every row with a request names one that was applied.

    A sweep may see our move before it is recorded as applied, so an approval that is being carried out explains a row without a request.
    """
    moved, under_way = _last_moves(connection), _under_way(connection)
    applied = sa.select(tables.requests.c.id).where(tables.requests.c.state == State.APPLIED)
    ids = set(connection.execute(applied).scalars())
    for row in connection.execute(sa.select(tables.placements).order_by(*tables.placements.primary_key)):
        where = f"{row.target} of {row.model}, held by version {row.version},"
        last = moved.pop((row.workspace, row.model, row.target), None)
        if row.request_id is not None and row.request_id not in ids:
            yield f"{where} was inserted or edited: no applied request has the id {row.request_id}"
        elif last is not None and (row.version, row.version_created) == (last.version.version, last.version.created):
            if row.request_id != last.request_id:
                yield f"{where} was edited: request {last.request_id} moved it there"
        elif last is not None and last.is_watched and _held(row) not in under_way:
            yield f"{where} was edited: request {last.request_id} moved it to {last.version}"
    gone = [(place, last) for place, last in moved.items() if last.is_watched]
    yield from (f"{place[2]} of {place[1]}, moved by request {last.request_id}, was deleted" for place, last in gone)


def _under_way(connection: sa.Connection) -> set[tuple[object, ...]]:
    """What holds each alias once the approvals are carried out that are not recorded as applied yet; `audit` compares these requests."""
    rows = tables.requests.c
    approved = sa.select(rows.workspace, rows.model, rows.target, rows.version, rows.version_created)
    return {tuple(row) for row in connection.execute(approved.where(rows.state == State.APPROVED))}


def _places_called_off(connection: sa.Connection) -> dict[str, tuple[str, str, str]]:
    """Workspace, model and target by the id of the request."""
    rows = tables.requests.c
    ended = sa.select(rows.id, rows.workspace, rows.model, rows.target).where(rows.state == State.CALLED_OFF)
    return {row.id: (row.workspace, row.model, row.target) for row in connection.execute(ended)}


def _held(row: sa.Row[Any]) -> tuple[object, ...]:
    return (row.workspace, row.model, row.target, row.version, row.version_created)


def _last_moves(connection: sa.Connection) -> dict[tuple[str, str, str], _Moved]:
    kinds = (
        ApprovalCalledOff,
        TargetMoved,
        TargetPutBack,
        MoveObserved,
        MoveReverted,
        WatchBegun,
        ModelRenamed,
        ModelGone,
        PolicyActivated,
    )
    found: dict[tuple[str, str, str], _Moved] = {}
    called_off = _places_called_off(connection)
    for event in events_of(connection, *kinds):
        if isinstance(event, ApprovalCalledOff):  # the next sweep judges what its move left there
            found.pop(called_off.get(event.request_id, ("", "", "")), None)
        elif isinstance(event, TargetMoved):
            place = (event.version.workspace, event.version.model, str(event.target))
            found.pop(place, None)
            if event.target.kind is TargetKind.ALIAS:
                found[place] = _Moved(event.version, event.request_id)
        elif isinstance(event, TargetPutBack):
            found.pop((event.away_from.workspace, event.away_from.model, str(event.target)), None)
        elif isinstance(event, MoveObserved | MoveReverted | WatchBegun):
            found.pop((event.workspace, event.model, str(event.target)), None)
        elif isinstance(event, ModelRenamed | ModelGone):
            names = {event.before, event.after} if isinstance(event, ModelRenamed) else {event.model}
            found = {place: one for place, one in found.items() if place[0] != event.workspace or place[1] not in names}
        else:
            found = {place: replace(one, is_watched=False) for place, one in found.items()}
    return found
