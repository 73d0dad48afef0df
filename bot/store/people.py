"""Who people are: one row for each, so that ledger and votes can hold an id and printed names can change or be erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.policy.rules import PersonEntry
from bot.errors import Refused
from bot.ids import new_id
from bot.store import tables


@dataclass(frozen=True)
class Person:
    """`account` is the one notifier account that this person has pressed buttons with."""

    id: str
    email: str
    name: str
    account: str | None


class PeopleRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def get_or_add(self, email: str, name: str) -> Person:
        values = {"id": new_id(), "email": email.lower(), "name": name}
        self.connection.execute(insert(tables.people).values(values).on_conflict_do_nothing())
        return self._one(tables.people.c.email == email.lower())

    def enrol(self, entries: Iterable[PersonEntry]) -> None:
        """The policy's people; their printed names follow the policy."""
        for entry in entries:
            person = self.get_or_add(entry.email, entry.name)
            rename = sa.update(tables.people).where(tables.people.c.id == person.id).values(name=entry.name)
            self.connection.execute(rename)

    def bind_account(self, person: Person, account: str) -> Person:
        """One account, one person: an account that belongs to somebody else, or a second account, is refused."""
        if person.account == account:
            return person
        holder = self.connection.execute(sa.select(tables.people).where(tables.people.c.account == account)).first()
        if holder is not None or person.account is not None:
            raise Refused(
                f"{person.email} and this Slack account are bound to different people. "
                "Ask an administrator of Countersign to unbind the old one with `countersign people unbind EMAIL`"
            )
        bind = sa.update(tables.people).where(tables.people.c.id == person.id).values(account=account)
        self.connection.execute(bind)
        return self._one(tables.people.c.id == person.id)

    def unbind(self, email: str) -> None:
        found = sa.update(tables.people).where(tables.people.c.email == email.lower()).values(account=None)
        if not self.connection.execute(found).rowcount:
            raise Refused(f"nobody here has the e-mail {email}")

    def get(self, person_id: str) -> Person:
        return self._one(tables.people.c.id == person_id)

    def find(self, email: str) -> Person | None:
        row = self.connection.execute(sa.select(tables.people).where(tables.people.c.email == email.lower())).first()
        return Person(row.id, row.email, row.name, row.account) if row else None

    def names(self, ids: Iterable[str]) -> Mapping[str, str]:
        query = sa.select(tables.people.c.id, tables.people.c.name).where(tables.people.c.id.in_(list(ids)))
        return {row.id: row.name for row in self.connection.execute(query)}

    def all_names(self) -> Mapping[str, str]:
        return {row.id: row.name for row in self.connection.execute(sa.select(tables.people))}

    def _one(self, condition: sa.ColumnElement[bool]) -> Person:
        row = self.connection.execute(sa.select(tables.people).where(condition)).one()
        return Person(row.id, row.email, row.name, row.account)
