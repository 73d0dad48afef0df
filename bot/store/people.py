"""Who people are: one row for each, so that ledger and votes can hold an id and printed names can change or be erased.

Rows of people are locked before requests, never after: a new person gets a separate transaction. `handlers.request.accounts` decides which
account may be bound to whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.policy.rules import PersonEntry
from bot.errors import NotFound, Refused
from bot.ids import new_id
from bot.language import _
from bot.store import tables

BEFORE = "before"  # how a binding is recorded that an older release made without an entry


@dataclass(frozen=True)
class Person:
    """`account` is the one notifier account that is bound to this person now."""

    id: str
    email: str
    name: str
    account: str | None


@dataclass(frozen=True)
class AccountRow:
    """That an account was this person's: since when, how it was bound, and until when (None while it still is)."""

    account: str
    person: str
    how: str
    bound_at: datetime
    unbound_at: datetime | None


class PeopleRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def get_or_add(self, email: str, name: str) -> Person:
        """A new person is visible to all at once, so that no other transaction waits for the end of this one."""
        known = self.find(email)
        if known is not None:
            return known
        values = {"id": new_id(), "email": email.lower(), "name": name}
        with self.connection.engine.begin() as alone:
            alone.execute(insert(tables.people).values(values).on_conflict_do_nothing())
        return self._one(tables.people.c.email == email.lower())

    def enrol(self, entries: Iterable[PersonEntry]) -> None:
        """The policy's people; their printed names follow the policy."""
        for entry in entries:
            person = self.get_or_add(entry.email, entry.name)
            rename = sa.update(tables.people).where(tables.people.c.id == person.id).values(name=entry.name)
            self.connection.execute(rename)

    # Accounts

    def bind(self, person: Person, account: str, how: str, at: datetime) -> bool:
        """False when it was so already. Two at once for one person: the second waits, and sees what the first has done.

        Raises Refused when the account is somebody else's, or the person has another one: unbind that first.
        """
        held = self.connection.execute(sa.select(tables.people).where(self._either(person, account)).with_for_update())
        for row in held.all():
            if (row.id, row.account) == (person.id, account):
                return False
            if row.account is not None:
                raise Refused(
                    _(
                        "{email} and this Slack account are bound to different people. "
                        "Ask an administrator of Countersign for `countersign people bind {email} {account}`",
                        email=person.email,
                        account=account,
                    )
                )
        mine = tables.people.c.id == person.id
        self.connection.execute(sa.update(tables.people).where(mine).values(account=account))
        values = {"account": account, "person": person.id, "how": how, "bound_at": at}
        self.connection.execute(sa.insert(tables.accounts).values(values))
        return True

    def remember(self, person: Person, account: str, how: str, at: datetime) -> None:
        """The account has this person's address now, though it is bound to another: for separation of duties, they are one person."""
        values = {"account": account, "person": person.id, "how": how, "bound_at": at, "unbound_at": at}
        self.connection.execute(sa.insert(tables.accounts).values(values))

    def unbind(self, email: str, at: datetime | None = None) -> str | None:
        """Returns the account that is the person's no longer; None when there was none. Raises Refused for an unknown address."""
        found = self.connection.execute(
            sa.select(tables.people).where(tables.people.c.email == email.lower()).with_for_update()
        ).first()
        if found is None:
            raise NotFound(f"nobody here has the e-mail {email}. `countersign people list` shows who is known")
        mine = tables.accounts.c.person == found.id
        over = sa.update(tables.accounts).where(mine, tables.accounts.c.unbound_at.is_(None))
        ended = self.connection.execute(over.values(unbound_at=at or sa.func.now())).rowcount
        if found.account and not ended:  # 0.1.0 bound it after this release had migrated, and kept no row of it
            moment = at or sa.func.now()
            values = {"account": found.account, "person": found.id, "how": BEFORE}
            self.connection.execute(sa.insert(tables.accounts).values(**values, bound_at=moment, unbound_at=moment))
        self.connection.execute(sa.update(tables.people).where(tables.people.c.id == found.id).values(account=None))
        return str(found.account) if found.account else None

    def holder(self, account: str) -> Person | None:
        """Whose account it is now."""
        row = self.connection.execute(sa.select(tables.people).where(tables.people.c.account == account)).first()
        return _person_of(row) if row else None

    def accounts(self, *, account: str | None = None, person: str | None = None) -> list[AccountRow]:
        """Which accounts were whose, oldest first: of one account, of one person, or of all."""
        rows = tables.accounts.c
        query = sa.select(rows.account, rows.person, rows.how, rows.bound_at, rows.unbound_at).order_by(rows.id)
        if account is not None:
            query = query.where(rows.account == account)
        if person is not None:
            query = query.where(rows.person == person)
        return [AccountRow(*row) for row in self.connection.execute(query)]

    def ids_of(self, person_id: str) -> frozenset[str]:
        """The person's own id and those of all with whom they have ever shared an account: for separation of duties, one person."""
        known, news = {person_id}, {person_id}
        rows = tables.accounts.c
        while news:
            mine = set(self.connection.execute(sa.select(rows.account).where(rows.person.in_(news))).scalars())
            theirs = set(self.connection.execute(sa.select(rows.person).where(rows.account.in_(mine))).scalars())
            news = theirs - known
            known |= news
        return frozenset(known)

    # Reading

    def get(self, person_id: str) -> Person:
        return self._one(tables.people.c.id == person_id)

    def get_and_hold(self, person_id: str) -> Person:
        """Binding and unbinding an account of the person wait for this transaction to end."""
        mine = sa.select(tables.people).where(tables.people.c.id == person_id)
        return _person_of(self.connection.execute(mine.with_for_update(read=True, key_share=True)).one())

    def find(self, email: str) -> Person | None:
        row = self.connection.execute(sa.select(tables.people).where(tables.people.c.email == email.lower())).first()
        return _person_of(row) if row else None

    def everybody(self) -> list[Person]:
        return [_person_of(row) for row in self.connection.execute(sa.select(tables.people).order_by("email"))]

    def names(self, ids: Iterable[str]) -> Mapping[str, str]:
        query = sa.select(tables.people.c.id, tables.people.c.name).where(tables.people.c.id.in_(list(ids)))
        return {row.id: row.name for row in self.connection.execute(query)}

    def emails(self, ids: Iterable[str]) -> Mapping[str, str]:
        query = sa.select(tables.people.c.id, tables.people.c.email).where(tables.people.c.id.in_(list(ids)))
        return {row.id: row.email for row in self.connection.execute(query)}

    def all_names(self) -> Mapping[str, str]:
        return {row.id: row.name for row in self.connection.execute(sa.select(tables.people))}

    def _either(self, person: Person, account: str) -> sa.ColumnElement[bool]:
        return sa.or_(tables.people.c.id == person.id, tables.people.c.account == account)

    def _one(self, condition: sa.ColumnElement[bool]) -> Person:
        return _person_of(self.connection.execute(sa.select(tables.people).where(condition)).one())


def _person_of(row: sa.Row[tuple[object, ...]]) -> Person:
    return Person(row.id, row.email, row.name, row.account)
