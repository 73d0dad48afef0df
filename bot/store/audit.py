"""Checks that the tables beside the ledger agree with it: keys, signed approvals, requests, and who holds which target.

Each check streams both sides in the same order and raises ChainBroken at the first row that differs. The chain itself is verified in
`bot.domain.ledger.audit`, which must succeed first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest
from typing import Any

import rfc8785
import sqlalchemy as sa
from pydantic import ValidationError

from bot.domain.events import (
    SIGNATURES,
    ApprovalCalledOff,
    AttestationSigned,
    BaselineRecorded,
    Event,
    KeyAdded,
    KeyRetired,
    ModelGone,
    ModelRenamed,
    MoveObserved,
    MoveReverted,
    PolicyActivated,
    RegistryTrusted,
    RequestEvent,
    RequestOpened,
    TargetMoved,
    TargetPutBack,
)
from bot.domain.ledger.chain import Entry, as_plain
from bot.domain.model import State, TargetKind, TransitionRequest, VersionId
from bot.domain.registry.watch_events import WatchBegun
from bot.domain.request import evolution
from bot.errors import ChainBroken, NotVerified
from bot.signatures import TrustedKey, digest_of, trusted_key, verify
from bot.store import tables
from bot.store.attestations import KeyRows, KnownKey
from bot.store.ledger import A_FETCH, LedgerRows, read_event
from bot.store.requests import REQUEST


def event_of(entry: Entry) -> Event:
    """Raises ChainBroken for an entry that this release cannot read."""
    try:
        return read_event(entry.kind, entry.body)
    except (KeyError, ValidationError):
        raise ChainBroken(
            f"entry {entry.seq} ({entry.kind}) cannot be read by this release of Countersign. Audit with the one that runs the bot"
        ) from None


def check_keys(connection: sa.Connection) -> int:
    """Returns how many keys were checked."""
    said: dict[str, tuple[object, ...]] = {}
    for entry in LedgerRows(connection).entries(KeyAdded.__name__, KeyRetired.__name__):
        event = event_of(entry)
        if isinstance(event, KeyAdded):
            said[event.key] = (event.purpose, event.algorithm, entry.seq, None, "")
        elif isinstance(event, KeyRetired):
            said[event.key] = (*said.get(event.key, ())[:3], entry.seq, event.reason)
    there = {
        key.id: (key.purpose, key.algorithm, key.added_seq, key.retired_seq, key.retired_because)
        for key in KeyRows(connection).all()
        if _id_of(key.pem) == key.id
    }
    for key in sorted(said.keys() | there.keys()):
        if said.get(key) != there.get(key):
            raise ChainBroken(
                f"the public key {key[:12]} in the table of keys is not as the ledger's entries added and retired it"
            )
    return len(there)


def check_attestations(connection: sa.Connection) -> int:
    """Each is signed by the key in its row, and that key counted at that entry by the ledger. Returns how many were checked."""
    known = KeyRows(connection).recorded()
    query = sa.select(tables.attestations).order_by(tables.attestations.c.seq)
    entries = LedgerRows(connection).entries(*(kind.__name__ for kind in SIGNATURES))
    count = 0
    with connection.execute(query.execution_options(yield_per=A_FETCH)) as rows:
        for row, entry in zip_longest(rows, entries):
            if row is None or (entry is not None and entry.seq < row.seq):
                raise ChainBroken(f"the envelope that ledger entry {entry.seq} vouches for is missing")
            if entry is None or row.seq < entry.seq or not _vouches(entry, row):
                raise ChainBroken(
                    f"the envelope of request {row.request_id} is not the one that ledger entry {row.seq} vouches for"
                )
            _check_signed(row, known.get(row.key_id))
            count += 1
    return count


def check_requests(connection: sa.Connection) -> int:
    """Every request equals the result of its events, and none is missing. Returns how many were checked."""
    query = sa.select(tables.requests).order_by(tables.requests.c.id.collate("C"))
    count = 0
    with connection.execute(query.execution_options(yield_per=A_FETCH)) as rows:
        for row, request in zip_longest(rows, _replayed(connection)):
            if row is None or (request is not None and request.id < row.id):
                raise ChainBroken(f"request {request.id} is missing, and the ledger tells of it")
            if request is None or row.id < request.id:
                raise ChainBroken(f"request {row.id} is nowhere in the ledger")
            _compare(row, request)
            count += 1
    return count


def _id_of(pem: str) -> str:
    try:
        return trusted_key(pem).id
    except NotVerified:
        return ""


def _vouches(entry: Entry, row: sa.Row[Any]) -> bool:
    event = event_of(entry)
    if not isinstance(event, AttestationSigned) or digest_of(row.envelope) != row.digest:
        return False
    said = (event.at, event.request_id, event.about, event.person, event.key, event.digest)
    return said == (row.signed_at, row.request_id, row.about, row.person, row.key_id, row.digest)


def _check_signed(row: sa.Row[Any], key: KnownKey | None) -> None:
    whose = f"the envelope that ledger entry {row.seq} vouches for"
    if key is None:
        raise ChainBroken(f"{whose} names key {row.key_id[:12]}, which was never registered")
    try:
        verify(row.envelope, {key.id: TrustedKey(key.id, key.algorithm, key.pem, key.purpose)})
    except NotVerified as why:
        raise ChainBroken(f"{whose} proves nothing: {why}") from None
    if not key.covers(row.seq):
        until = f" and was retired at entry {key.retired_seq}" if key.retired_seq is not None else ""
        raise ChainBroken(f"{whose} is signed by key {key.id[:12]}, which was added at entry {key.added_seq}{until}")


def _replayed(connection: sa.Connection) -> Iterator[TransitionRequest]:
    """The requests as built from their events, ordered by id."""
    for request_id, entries in groupby(LedgerRows(connection).entries_by_request(), key=lambda found: found[0]):
        request = replayed(request_id, (entry for _, entry in entries))
        if request is not None:
            yield request


def replayed(request_id: str, entries: Iterable[Entry]) -> TransitionRequest | None:
    """The request that these entries make, which are all about it; None when there are none. Raises ChainBroken."""
    request = None
    for entry in entries:
        event = event_of(entry)
        if isinstance(event, RequestOpened) and request is None:
            request = evolution.initial(event)
        elif isinstance(event, RequestEvent) and request is not None:
            request = evolution.evolve(request, event)
        else:
            raise ChainBroken(f"entry {entry.seq} ({entry.kind}) is about request {request_id} and out of turn")
    return request


def differing_field(kept: TransitionRequest, made: TransitionRequest) -> str:
    """The first field that the row has otherwise than its events made it; empty when there is none."""
    said, meant = as_plain(kept), as_plain(made)
    if not isinstance(said, dict) or not isinstance(meant, dict):
        raise TypeError("a request has fields")
    return next((field for field, value in meant.items() if rfc8785.dumps(said[field]) != rfc8785.dumps(value)), "")


def is_filed(row: sa.Row[Any], request: TransitionRequest) -> bool:
    """Whether the columns by which a row is found are what the request says."""
    version, ticket = request.version, request.ticket.id if request.ticket else None
    said = (request.state, version.workspace, version.model, version.version, version.created, str(request.target))
    there = (row.state, row.workspace, row.model, row.version, row.version_created, row.target)
    kept = (*there, row.opened_at, row.expires_at, row.ticket_id)
    return kept == (*said, request.opened_at, request.expires_at, ticket)


def _compare(row: sa.Row[Any], request: TransitionRequest) -> None:
    if row.body != json.dumps(as_plain(request)):  # the same text except in rare cases, such as -0.0
        _compare_bodies(row, request)
    if not is_filed(row, request):
        raise ChainBroken(
            f"request {request.id} was changed beside the ledger: its columns are not what its events made of it"
        )


def _compare_bodies(row: sa.Row[Any], request: TransitionRequest) -> None:
    try:
        kept = REQUEST.validate_python(json.loads(row.body))
    except ValueError:
        raise ChainBroken(
            f"request {request.id} was changed beside the ledger: its body cannot be read any more"
        ) from None
    field = differing_field(kept, request)
    if field:
        raise ChainBroken(
            f"request {request.id} was changed beside the ledger: its {field} is not what its events made of it"
        )


def events_of(connection: sa.Connection, *kinds: type[Event]) -> Iterator[Event]:
    for entry in LedgerRows(connection).entries(*(kind.__name__ for kind in kinds)):
        yield event_of(entry)


@dataclass(frozen=True)
class _Moved:
    """That a request's move was the last event about an alias. `is_watched` until a policy changes, and with it perhaps what is watched, or
    until a person accepts the registry as it is.
    """

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
    judged = sa.select(tables.placements).where(tables.placements.c.is_judged)
    for row in connection.execute(judged.order_by(*tables.placements.primary_key)):
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
        BaselineRecorded,
        RegistryTrusted,
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
        elif isinstance(event, BaselineRecorded):
            for held in event.held:
                found.pop((event.workspace, held.version.model, str(held.target)), None)
        elif isinstance(event, RegistryTrusted):  # by a person: what the targets held then is accepted, also nothing
            accepted = event.workspace if event.person else None
            found = {
                place: replace(one, is_watched=one.is_watched and place[0] != accepted) for place, one in found.items()
            }
        else:
            found = {place: replace(one, is_watched=False) for place, one in found.items()}
    return found
