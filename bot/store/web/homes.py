"""Rows of people's own pages at the notifier, and what those pages and the form for asking look up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.home.form import KEY, ModelRef
from bot.domain.home.page import HomeState
from bot.domain.model import OPEN, State, Target, TransitionRequest
from bot.store import tables
from bot.store.requests import request_of

KEPT = timedelta(days=30)  # since it was opened last; a person who comes back finds nothing chosen


@dataclass(frozen=True)
class HomeRow:
    """`shown` is the digest of what the page shows, empty when nothing was published; `mark` is the vendor's of that."""

    account: str
    opened_at: datetime
    state: HomeState
    shown: str
    mark: str


class HomeRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def find(self, account: str) -> HomeRow | None:
        query = sa.select(tables.homes).where(tables.homes.c.account == account)
        row = self._connection.execute(query).first()
        return _row_of(row) if row else None

    def open(self, account: str, now: datetime, state: HomeState | None = None) -> None:
        """The person looks at it now. Without a `state`, what they chose before stays."""
        changed: dict[str, object] = {"opened_at": now, **({"state": state.as_text()} if state else {})}
        put = insert(tables.homes).values(account=account, **changed)
        self._connection.execute(put.on_conflict_do_update(index_elements=["account"], set_=changed))

    def put_shown(self, account: str, shown: str, mark: str) -> None:
        mine = tables.homes.c.account == account
        self._connection.execute(sa.update(tables.homes).where(mine).values(shown=shown, mark=mark))

    def opened_since(self, since: datetime, limit: int) -> list[str]:
        """The accounts whose page was opened since then, the latest first."""
        rows = tables.homes.c
        query = sa.select(rows.account).where(rows.opened_at >= since).order_by(rows.opened_at.desc()).limit(limit)
        return list(self._connection.execute(query).scalars())

    def forget_old(self, now: datetime) -> int:
        """Returns how many."""
        old = tables.homes.c.opened_at < now - KEPT
        return self._connection.execute(sa.delete(tables.homes).where(old)).rowcount

    # What they show

    def pending(self, model: ModelRef | None) -> list[TransitionRequest]:
        """Requests that are voted on, oldest first."""
        rows = tables.requests.c
        query = sa.select(rows.body).where(rows.state == State.PENDING, *_of(model)).order_by(rows.opened_at, rows.id)
        return [request_of(body) for body in self._connection.execute(query).scalars()]

    def decided(self, model: ModelRef | None, offset: int, limit: int) -> list[TransitionRequest]:
        """The ones decided last first."""
        rows = tables.requests.c
        is_decided = sa.and_(rows.decided_at.is_not(None), rows.state.not_in(OPEN))
        query = sa.select(rows.body).where(is_decided, *_of(model)).order_by(rows.decided_at.desc(), rows.id)
        return [request_of(body) for body in self._connection.execute(query.offset(offset).limit(limit)).scalars()]

    def asked_by(
        self, people: Collection[str], model: ModelRef | None, offset: int, limit: int
    ) -> list[TransitionRequest]:
        """What one of these ids asked for, newest first."""
        rows = tables.requests.c
        named = [sa.func.strpos(rows.body, f'"requester": "{person}"') > 0 for person in people]
        theirs = sa.and_(rows.people.overlap(sorted(people)), sa.or_(sa.false(), *named))
        query = sa.select(rows.body).where(theirs, *_of(model)).order_by(rows.opened_at.desc(), rows.id.desc())
        return [request_of(body) for body in self._connection.execute(query.offset(offset).limit(limit)).scalars()]

    # Models and versions, as the last sweep saw them

    def models(self, typed: str = "") -> list[ModelRef]:
        """Whose name, or place, has these letters; by name and place."""
        rows = tables.models.c
        query = sa.select(rows.workspace, rows.name).order_by(rows.name, rows.workspace)
        for word in typed.split():
            query = query.where(sa.or_(_has(rows.name, word), _has(rows.workspace, word)))
        return [ModelRef(*row) for row in self._connection.execute(query)]

    def models_named(self, name: str) -> list[ModelRef]:
        rows = tables.models.c
        query = sa.select(rows.workspace, rows.name).where(rows.name == name).order_by(rows.workspace)
        return [ModelRef(*row) for row in self._connection.execute(query)]

    def model_with(self, key: str) -> ModelRef | None:
        """By `ModelRef.key`."""
        rows = tables.models.c
        said = sa.func.convert_to(sa.func.concat(rows.workspace, "\n", rows.name), "UTF8")
        digest = sa.func.left(sa.func.encode(sa.func.sha256(said), "hex"), KEY)
        row = self._connection.execute(sa.select(rows.workspace, rows.name).where(digest == key)).first()
        return ModelRef(*row) if row else None

    def newest_version(self, model: ModelRef) -> int:
        """The highest number that was seen; 0 when there is none."""
        rows = tables.models.c
        query = sa.select(rows.newest).where(rows.workspace == model.workspace, rows.name == model.name)
        return self._connection.execute(query).scalar() or 0

    def asked_last(self, model: ModelRef, versions: Sequence[int]) -> dict[int, tuple[State, Target]]:
        """What was asked for each of these versions last. From the columns alone: a body may be large."""
        rows = tables.requests.c
        query = sa.select(rows.version, rows.state, rows.target).where(*_of(model), rows.version.in_(versions))
        found = self._connection.execute(query.order_by(rows.opened_at, rows.id))
        return {row.version: (State(row.state), Target.parse(row.target)) for row in found}


def _of(model: ModelRef | None) -> tuple[sa.ColumnElement[bool], ...]:
    rows = tables.requests.c
    return (rows.workspace == model.workspace, rows.model == model.name) if model else ()


def _has(column: sa.ColumnElement[str], word: str) -> sa.ColumnElement[bool]:
    return column.icontains(word, autoescape=True)


def _row_of(row: sa.Row[tuple[object, ...]]) -> HomeRow:
    return HomeRow(row.account, row.opened_at, HomeState.read(row.state), row.shown, row.mark)
