"""Checks that the tables beside the ledger agree with it: keys, signed approvals, requests.

Each check streams both sides in the same order and raises ChainBroken at the first row that differs. The chain itself is verified in
`bot.domain.ledger.audit`, which must succeed first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, zip_longest
from typing import Any

import rfc8785
import sqlalchemy as sa
from pydantic import ValidationError

from bot.domain.events import SIGNATURES, AttestationSigned, Event, KeyAdded, KeyRetired, RequestEvent, RequestOpened
from bot.domain.ledger.chain import Entry, as_plain
from bot.domain.model import TransitionRequest
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
        request = None
        for _, entry in entries:
            event = event_of(entry)
            if isinstance(event, RequestOpened) and request is None:
                request = evolution.initial(event)
            elif isinstance(event, RequestEvent) and request is not None:
                request = evolution.evolve(request, event)
            else:
                raise ChainBroken(f"entry {entry.seq} ({entry.kind}) speaks of request {request_id} out of turn")
        if request is not None:
            yield request


def _compare(row: sa.Row[Any], request: TransitionRequest) -> None:
    if row.body != json.dumps(as_plain(request)):  # the same text except in rare cases, such as -0.0
        _compare_bodies(row, request)
    version = request.version
    said = (request.state, version.workspace, version.model, version.version, version.created, str(request.target))
    ticket = request.ticket.id if request.ticket else None
    columns = (row.state, row.workspace, row.model, row.version, row.version_created, row.target)
    if (*said, request.opened_at, request.expires_at, ticket) != (
        *columns,
        row.opened_at,
        row.expires_at,
        row.ticket_id,
    ):
        raise ChainBroken(
            f"request {request.id} was changed beside the ledger: its columns are not what its events made of it"
        )


def _compare_bodies(row: sa.Row[Any], request: TransitionRequest) -> None:
    try:
        kept = as_plain(REQUEST.validate_python(json.loads(row.body)))
    except ValueError:
        raise ChainBroken(
            f"request {request.id} was changed beside the ledger: its body cannot be read any more"
        ) from None
    made = as_plain(request)
    if not isinstance(kept, dict) or not isinstance(made, dict):
        raise TypeError("a request has fields")
    for field, value in made.items():
        if rfc8785.dumps(kept[field]) != rfc8785.dumps(value):
            raise ChainBroken(
                f"request {request.id} was changed beside the ledger: its {field} is not what its events made of it"
            )
