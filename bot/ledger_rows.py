"""The ledger's rows: appended under one lock, read in order. What an entry holds and how the chain is made is in `bot.domain.ledger`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import rfc8785
import sqlalchemy as sa

from bot import tables
from bot.domain import ledger
from bot.domain.agreement import Agreement
from bot.domain.events import Event, FastTrackCompared

LEDGER_LOCK = 0x636F756E  # "coun"; one advisory lock serialises the appends, for a few milliseconds each


class LedgerRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def append(self, events: Sequence[Event]) -> list[tuple[int, Event]]:
        """Takes the ledger's lock, which is held until the transaction ends: nothing slow may follow. Returns each event's number."""
        self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LEDGER_LOCK)))
        newest = sa.select(tables.ledger.c.seq, tables.ledger.c.head).order_by(tables.ledger.c.seq.desc()).limit(1)
        last = self.connection.execute(newest).first()
        seq, head = (last.seq, bytes(last.head)) if last else (0, ledger.GENESIS)
        appended = []
        for event in events:
            seq += 1
            body = rfc8785.dumps(ledger.body_of(event, seq)).decode()
            leaf = ledger.leaf_of(body)
            head = ledger.head_of(head, leaf)
            row = {"seq": seq, "at": event.at, "kind": type(event).__name__, "body": body, "leaf": leaf, "head": head}
            self.connection.execute(sa.insert(tables.ledger).values(row))
            appended.append((seq, event))
        return appended

    def count(self) -> int:
        return int(
            self.connection.execute(sa.select(sa.func.coalesce(sa.func.max(tables.ledger.c.seq), 0))).scalar_one()
        )

    def entries(self, *kinds: str) -> Iterator[ledger.Entry]:
        """In order, all or those of some kinds; streamed from a server-side cursor, which ends with the transaction."""
        query = sa.select(tables.ledger).order_by(tables.ledger.c.seq)
        if kinds:
            query = query.where(tables.ledger.c.kind.in_(kinds))
        with self.connection.execute(query.execution_options(yield_per=1000)) as rows:
            for row in rows:
                yield _entry_of(row)

    def get(self, seq: int) -> ledger.Entry:
        return _entry_of(self.connection.execute(sa.select(tables.ledger).where(tables.ledger.c.seq == seq)).one())

    def agreement(self, rule: str, since: datetime) -> Agreement:
        """How the fast track and people compare under the rule with that label."""
        body = sa.cast(tables.ledger.c.body, sa.JSON)
        outcome = body["outcome"].as_string()
        query = (
            sa.select(outcome, sa.func.count())
            .where(tables.ledger.c.kind == FastTrackCompared.__name__, tables.ledger.c.at >= since)
            .where(body["rule"].as_string() == rule)
            .group_by(outcome)
        )
        return Agreement.of({row[0]: row[1] for row in self.connection.execute(query)})


def _entry_of(row: sa.Row[Any]) -> ledger.Entry:
    return ledger.Entry(row.seq, row.at, row.kind, row.body, bytes(row.leaf), bytes(row.head))
