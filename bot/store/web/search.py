"""Searches over requests and models for the pages, page by page: each answer begins after the last row of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.model import State, TransitionRequest
from bot.store import tables
from bot.store.registry import Placement, placement_of
from bot.store.requests import request_of, search_columns
from bot.store.transaction import Store

REQUESTS_A_PAGE = 50
MODELS_A_PAGE = 100
VERSIONS_A_PAGE = 25
PEOPLE_MEANT = 200  # by one word
A_FETCH = 500  # rows

_PLACES = tables.placements.c
_HELD = (
    sa.select(tables.placements)
    .where(_PLACES.is_judged)
    .order_by(_PLACES.workspace, _PLACES.model, _PLACES.target, _PLACES.version.desc())
)


@dataclass(frozen=True)
class Word:
    """A word of a search, and the ids of the people whose name or address has it."""

    text: str
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """Requests that each of the `words` is found in, for this `version`, in one of the `states`, open or decided in that time."""

    words: tuple[Word, ...] = ()
    version: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    states: tuple[State, ...] = ()


@dataclass(frozen=True)
class After:
    """The last row of the page before."""

    opened_at: datetime
    id: str


@dataclass(frozen=True)
class ModelName:
    workspace: str
    name: str


class SearchRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def people_with(self, text: str) -> tuple[str, ...]:
        rows = tables.people.c
        named = sa.or_(rows.name.icontains(text, autoescape=True), rows.email.icontains(text, autoescape=True))
        return tuple(self._connection.execute(sa.select(rows.id).where(named).limit(PEOPLE_MEANT)).scalars())

    def requests(self, wanted: Wanted, after: After | None = None) -> tuple[list[TransitionRequest], bool]:
        """Newest first, and whether there are more."""
        rows = tables.requests.c
        query = sa.select(rows.body).order_by(rows.opened_at.desc(), rows.id.desc()).limit(REQUESTS_A_PAGE + 1)
        query = query.where(*(_has(word) for word in wanted.words))
        if wanted.version is not None:
            query = query.where(rows.version == wanted.version)
        if wanted.states:
            query = query.where(rows.state.in_(wanted.states))
        if wanted.until is not None:
            query = query.where(rows.opened_at < wanted.until)
        if wanted.since is not None:
            query = query.where(sa.or_(rows.decided_at.is_(None), rows.decided_at >= wanted.since))
        if after is not None:
            query = query.where(sa.tuple_(rows.opened_at, rows.id) < (after.opened_at, after.id))
        found = [request_of(body) for body in self._connection.execute(query).scalars()]
        return found[:REQUESTS_A_PAGE], len(found) > REQUESTS_A_PAGE

    def models(self, words: Sequence[str] = (), after: ModelName | None = None) -> tuple[list[ModelName], bool]:
        """By place and name: those that the registry has, and those that were once asked for. And whether there are more."""
        now = sa.select(tables.models.c.workspace, tables.models.c.name)
        once = sa.select(tables.requests.c.workspace, tables.requests.c.model.label("name"))
        known = sa.union(_page_of(now, words, after), _page_of(once.distinct(), words, after)).subquery()
        query = sa.select(known.c.workspace, known.c.name).order_by(known.c.workspace, known.c.name)
        found = [ModelName(*row) for row in self._connection.execute(query.limit(MODELS_A_PAGE + 1))]
        return found[:MODELS_A_PAGE], len(found) > MODELS_A_PAGE

    def held(self, models: Sequence[ModelName]) -> list[Placement]:
        """What holds the targets of these models, as `RegistryRows.placements` returns it."""
        rows = tables.placements.c
        query = _HELD.where(sa.tuple_(rows.workspace, rows.model).in_([(one.workspace, one.name) for one in models]))
        return [placement_of(row) for row in self._connection.execute(query)] if models else []

    def first_held(self, limit: int) -> tuple[list[Placement], int]:
        """Of all that is held, the first ones, and how much there is."""
        count = self._connection.execute(sa.select(sa.func.count()).select_from(_HELD.subquery())).scalar_one()
        return [placement_of(row) for row in self._connection.execute(_HELD.limit(limit))], count

    def oldest(self, states: Sequence[State], limit: int) -> tuple[list[TransitionRequest], int]:
        """Of the requests in these states, the oldest ones, and how many there are."""
        rows = tables.requests.c
        mine = rows.state.in_(states)
        query = sa.select(rows.body).where(mine).order_by(rows.opened_at, rows.id).limit(limit)
        count = self._connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
        return [request_of(body) for body in self._connection.execute(query).scalars()], count

    def versions(self, model: ModelName, before: int | None = None) -> tuple[list[int], bool]:
        """The numbers of versions that were asked for, highest first, and whether there are more."""
        rows = tables.requests.c
        query = sa.select(rows.version).distinct().order_by(rows.version.desc()).limit(VERSIONS_A_PAGE + 1)
        query = query.where(rows.workspace == model.workspace, rows.model == model.name)
        if before is not None:
            query = query.where(rows.version < before)
        found = list(self._connection.execute(query).scalars())
        return found[:VERSIONS_A_PAGE], len(found) > VERSIONS_A_PAGE

    def requests_for(self, model: ModelName, versions: Sequence[int]) -> list[TransitionRequest]:
        """Oldest first."""
        rows = tables.requests.c
        mine = sa.and_(rows.workspace == model.workspace, rows.model == model.name, rows.version.in_(versions))
        query = sa.select(rows.body).where(mine).order_by(rows.opened_at, rows.id)
        return [request_of(body) for body in self._connection.execute(query).scalars()]


def refill(store: Store) -> int:
    """How many requests got back what they are searched by: a process of a release that knew no such columns wrote them.

    Only rows that lack something are read, a few hundred in one transaction, so that no other process waits for long.
    """
    filled, after = 0, ""
    while True:
        with store.transaction() as tx:
            found = tx.connection.execute(_lacking(after)).all()
            for row in found:
                columns = search_columns(request_of(row.body))
                if columns != {name: getattr(row, name) for name in columns}:
                    tx.connection.execute(
                        sa.update(tables.requests).where(tables.requests.c.id == row.id).values(columns)
                    )
                    filled += 1
        if not found:
            return filled
        after = found[-1].id


def _lacking(after: str) -> sa.Select[Any]:
    """What is not decided may have new votes, and is read too."""
    rows = tables.requests.c
    lacks_ticket = sa.and_(rows.ticket_key.is_(None), rows.ticket_id.is_not(None))
    lacks = sa.or_(rows.decided_at.is_(None), lacks_ticket, sa.func.cardinality(rows.people) == 0)
    query = sa.select(rows.id, rows.body, rows.ticket_key, rows.decided_at, rows.people).where(lacks, rows.id > after)
    return query.order_by(rows.id).limit(A_FETCH).with_for_update()


def _has(word: Word) -> sa.ColumnElement[bool]:
    rows, text = tables.requests.c, word.text
    places = [column.icontains(text, autoescape=True) for column in (rows.model, rows.target, rows.workspace)]
    by_ticket = sa.func.upper(rows.ticket_key) == text.upper()
    by_people = [rows.people.overlap(list(word.people))] if word.people else []
    return sa.or_(*places, by_ticket, rows.id.startswith(text, autoescape=True), *by_people)


def _page_of(query: sa.Select[Any], words: Sequence[str], after: ModelName | None) -> sa.Select[Any]:
    place, name = query.selected_columns
    query = query.where(
        *(sa.or_(name.icontains(one, autoescape=True), place.icontains(one, autoescape=True)) for one in words)
    )
    return query if after is None else query.where(sa.tuple_(place, name) > (after.workspace, after.name))
