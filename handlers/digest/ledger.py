"""Verifies the ledger for the digest: the whole chain, read by the database, and the tree that was last signed over it.

What is found is said in one sentence. `handlers.ledger.audit` goes further (every checkpoint, signed approvals,
each request's row) and takes longer; run it when a fault is reported here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.events import DigestClosed
from bot.domain.ledger.chain import GENESIS
from bot.domain.ledger.checkpoint import read_note
from bot.domain.ledger.merkle import Frontier
from bot.errors import InvalidCheckpoint
from bot.language import N_, _
from bot.signatures import signer_of
from bot.store.attestations import KeyRows
from bot.store.digests import Closed
from bot.store.ledger import CheckpointRows, LedgerRows, Recorded
from bot.store.transaction import Transaction

A_MOMENT = timedelta(microseconds=1)

# The laws of `bot.domain.ledger.chain.checked`, in one pass and without fetching a body. What the body says is
# looked for where canonical JSON
# has it, for parsing costs as much as all the rest; the first `at` in it is the entry's own, as the keys are in order.
FIRST_FAULT = """
    select seq, fault from (
        select seq, case
            when seq <> lag(seq, 1, cast(0 as bigint)) over in_order + 1 then 'missing'
            when leaf <> sha256('\\x00'::bytea || convert_to(body, 'UTF8')) then 'body'
            when head <> sha256(lag(head, 1, :genesis) over in_order || leaf) then 'place'
            when strpos(body, '"event":"' || kind || '"') = 0 then 'columns'
            when strpos(body, '"seq":' || seq || ',') = 0 and strpos(body, '"seq":' || seq || '}') = 0 then 'columns'
            when cast(split_part(split_part(body, '"at":"', 2), '"', 1) as timestamptz) is distinct from at then 'columns'
        end as fault
        from ledger window in_order as (order by seq)
    ) walked where fault is not null order by seq limit 1
"""
FAULTS = {
    "missing": N_("the entry before {seq} is missing"),
    "body": N_("entry {seq} was changed: its body does not hash to its leaf"),
    "place": N_("entry {seq} was changed or put in another place: it does not follow from the one before"),
    "columns": N_("entry {seq} was changed: its number, time or kind is not what its body says"),
}


def closing_of(row: Closed, tx: Transaction) -> Mapping[str, Any]:
    """What the ledger says of the week's closing, `digest` and `files`; nothing of a week that is only looked at."""
    then = tx.ledger.entries(DigestClosed.__name__, since=row.closed_at, until=row.closed_at + A_MOMENT)
    said = (json.loads(entry.body) for entry in then)
    return next((closing for closing in said if closing["week"] == row.period.week), {})


def fault_in(connection: sa.Connection) -> str:
    """Empty when everything holds."""
    return _broken_chain(connection) or _not_as_signed(connection)


def newest_note(connection: sa.Connection) -> str:
    """The newest checkpoint's text; empty before the first was signed."""
    newest = CheckpointRows(connection).newest()
    return newest.note if newest else ""


def _broken_chain(connection: sa.Connection) -> str:
    try:
        with connection.begin_nested():  # else a time that is none would end the whole transaction
            row = connection.execute(sa.text(FIRST_FAULT), {"genesis": GENESIS}).first()
    except sa.exc.DataError:
        return _("the body of an entry is not what Countersign writes")
    return _(FAULTS[row.fault], seq=str(row.seq)) if row else ""


def _not_as_signed(connection: sa.Connection) -> str:
    """A rewritten chain has no valid signature."""
    newest = CheckpointRows(connection).newest()
    if newest is None:
        return ""
    try:
        note = read_note(newest.note)
    except InvalidCheckpoint as damage:
        return _("the checkpoint of {size} entries was changed: {why}", size=newest.size, why=str(damage))
    if signer_of(note, KeyRows(connection).ring().values()) is None:
        return _(
            "the checkpoint of {size} entries is not signed by a key of this ledger, or it was changed",
            size=newest.size,
        )
    there = _tree_of(newest, connection)
    if there.size < note.checkpoint.size:
        return _(
            "the ledger ends at entry {last}, but the checkpoint of {size} entries was signed: the entries after that were cut off",
            last=there.size,
            size=newest.size,
        )
    if (note.checkpoint.size, note.checkpoint.root) != (newest.size, there.root()):
        return _(
            "the first {size} entries are not those that the checkpoint of {size} entries was signed over",
            size=newest.size,
        )
    return ""


def _tree_of(newest: Recorded, connection: sa.Connection) -> Frontier:
    leaves = LedgerRows(connection).leaves()
    return Frontier().extended(leaf for _, leaf in zip(range(newest.size), leaves, strict=False))
