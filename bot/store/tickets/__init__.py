"""Rows for decisions in tickets: which entries of a ticket's history were read, and which account of the ticket system is whose.

Accounts have no table: the ledger's own entries say whose each one is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.database.json_readers import JsonReader
from bot.domain.events import TicketAccountBound, TicketAccountUnbound
from bot.store import tables
from bot.store.tables.tickets import ticket_acts


class Outcome(StrEnum):
    """What became of an act: a vote, one that was refused, or one that decides nothing by itself."""

    CAST = "cast"
    REFUSED = "refused"
    NO_VOTE = "no_vote"


@dataclass(frozen=True)
class ReadAct:
    """`said` is the answer to it, in the policy's language; empty when there is nothing to say."""

    request_id: str
    act: str
    outcome: Outcome
    verdict: str
    before: str
    after: str
    said: str
    read_at: datetime
    answered_at: datetime | None = None


class TicketActRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, act: ReadAct) -> bool:
        """False when it was read before."""
        row = insert(ticket_acts).values(asdict(act)).on_conflict_do_nothing().returning(ticket_acts.c.act)
        return self._connection.execute(row).first() is not None

    def of(self, request_id: str) -> list[ReadAct]:
        """In the order in which they were read."""
        rows = ticket_acts.c
        query = sa.select(ticket_acts).where(rows.request_id == request_id).order_by(rows.read_at, rows.act)
        return [
            ReadAct(
                row.request_id,
                row.act,
                Outcome(row.outcome),
                row.verdict,
                row.before,
                row.after,
                row.said,
                row.read_at,
                row.answered_at,
            )
            for row in self._connection.execute(query)
        ]

    def note_answered(self, request_id: str, act: str, at: datetime) -> None:
        mine = sa.and_(ticket_acts.c.request_id == request_id, ticket_acts.c.act == act)
        self._connection.execute(sa.update(ticket_acts).where(mine).values(answered_at=at))


ABOUT_ACCOUNTS: dict[str, JsonReader[TicketAccountBound | TicketAccountUnbound]] = {
    kind.__name__: JsonReader(kind) for kind in (TicketAccountBound, TicketAccountUnbound)
}


class TicketAccountRows:
    """Whose account of the ticket system each one is, by the ledger."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Blocks other transactions that bind an account, until this one ends."""
        self._connection.execute(
            sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended("ticket-accounts", 0)))
        )

    def changes_of(self, account: str, *, before: int | None = None) -> list[TicketAccountBound | TicketAccountUnbound]:
        """What the ledger says about this account, oldest first; in the entries before this one when it is given."""
        return [event for event in self._entries("account", account, before) if event.account == account]

    def holder(self, account: str) -> str | None:
        """The id of the person whose account it is now."""
        last = next(iter(self.changes_of(account)[-1:]), None)
        return last.person if isinstance(last, TicketAccountBound) else None

    def accounts_of(self, person: str) -> list[str]:
        """Every account that ever was this person's, oldest first."""
        bound = (one for one in self._entries("person", person) if isinstance(one, TicketAccountBound))
        return list(dict.fromkeys(one.account for one in bound if one.person == person))

    def account_of(self, person: str) -> str | None:
        """The one that is this person's now."""
        return next((one for one in reversed(self.accounts_of(person)) if self.holder(one) == person), None)

    def _entries(
        self, name: str, value: str, before: int | None = None
    ) -> Iterator[TicketAccountBound | TicketAccountUnbound]:
        rows = tables.ledger.c
        named = rows.body.contains(f'"{name}":{json.dumps(value)}', autoescape=True)  # bodies are canonical
        query = sa.select(rows.kind, rows.body).where(rows.kind.in_(list(ABOUT_ACCOUNTS)), named).order_by(rows.seq)
        if before is not None:
            query = query.where(rows.seq < before)
        for row in self._connection.execute(query):
            yield ABOUT_ACCOUNTS[row.kind].validate_json(row.body)
