"""The policies that were put in force, and the one that is in force now: the newest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import ProgrammingError

from bot.domain.policy.changes import digest_of
from bot.errors import InvalidPolicy, Refused
from bot.store import tables

if TYPE_CHECKING:
    from bot.domain.policy.rules import Policy

NOT_THE_OWNER = (
    "the role of DATABASE_URL may not put a policy in force. Set DATABASE_OWNER_URL too, as for `countersign migrate`"
)


IN_FORCE = sa.select(tables.policies).order_by(tables.policies.c.id.desc()).limit(1)


@dataclass(frozen=True)
class ActivePolicy:
    id: int
    digest: str
    policy: Policy


class PolicyRows:
    """`parse` turns a policy's text into a Policy. What is or was in force is read once a transaction, and again after `add`."""

    def __init__(self, connection: sa.Connection, parse: Callable[[str], Policy]) -> None:
        self.connection = connection
        self._parse = parse
        self._active: ActivePolicy | None = None
        self._history: Sequence[tuple[datetime, str]] | None = None

    def active(self) -> ActivePolicy:
        """Raises Refused when no policy was ever put in force."""
        if self._active is None:
            self._active = self._read_active()
        return self._active

    def texts(self) -> Iterator[str]:
        """Every policy that was put in force, the newest first: a `PolicyActivated` entry names its id and digest. Rows may be inserted
        without one."""
        return (text for _, text in self._put_in_force())

    def in_force_since(self, moment: datetime) -> tuple[Policy, ...]:
        """The policy that was in force then, and all later ones. Empty if there was none, or if this release cannot read one of them."""
        found = []
        for activated_at, text in self._put_in_force():
            try:
                found.append(self._parse(text))
            except InvalidPolicy:
                return ()
            if activated_at < moment:
                return tuple(found)
        return ()

    def _put_in_force(self) -> Sequence[tuple[datetime, str]]:
        if self._history is None:
            self._history = [*self._read_history()]
        return self._history

    def _read_history(self) -> Iterator[tuple[datetime, str]]:
        ledger, rows = tables.ledger.c, tables.policies.c
        entries = self.connection.execute(sa.select(ledger.seq, ledger.body).where(tables.activates)).all()
        said = ((entry.seq, json.loads(entry.body)) for entry in entries)
        named = {(one["policy_id"], one["digest"]): seq for seq, one in said}
        is_ahead = rows.activated_at > sa.func.now()
        query = sa.select(rows.id, rows.text, rows.activated_at, is_ahead.label("is_ahead")).order_by(rows.id.desc())
        for row in self.connection.execute(query):
            place = named.get((row.id, digest_of(row.text)))
            if place is not None:
                yield (self._latest_before(place) if row.is_ahead else None) or row.activated_at, row.text

    def _latest_before(self, place: int) -> datetime | None:
        """The latest time before this entry that is not ahead: of what the clock has dated ahead it is only known that it was later."""
        ledger = tables.ledger.c
        earlier = sa.select(sa.func.max(ledger.at)).where(ledger.seq < place, ledger.at <= sa.func.now())
        found: datetime | None = self.connection.execute(earlier).scalar()
        return found

    def digest(self) -> str | None:
        query = sa.select(tables.policies.c.digest).order_by(tables.policies.c.id.desc()).limit(1)
        return self.connection.execute(query).scalar()

    def source(self) -> str | None:
        """The file that the policy in force came from."""
        query = sa.select(tables.policies.c.source).order_by(tables.policies.c.id.desc()).limit(1)
        return self.connection.execute(query).scalar()

    def add(self, text: str, digest: str, source: str, now: datetime) -> int:
        """Raises Refused when the connection's role may not: with two roles, only the owner puts policies in force."""
        values = {"text": text, "digest": digest, "source": source, "activated_at": now}
        added = sa.insert(tables.policies).values(values).returning(tables.policies.c.id)
        self._active = self._history = None
        try:
            return int(self.connection.execute(added).scalar_one())
        except ProgrammingError as error:
            if isinstance(error.orig, InsufficientPrivilege):
                raise Refused(NOT_THE_OWNER) from None
            raise

    def _read_active(self) -> ActivePolicy:
        row = self.connection.execute(IN_FORCE).first()
        if row is None:
            raise Refused("no policy is in force. Run `countersign migrate` with COUNTERSIGN_POLICY naming the file")
        return ActivePolicy(row.id, row.digest, self._parse(row.text))
