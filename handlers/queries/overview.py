"""What the pages show of requests, models and targets beside one version: what waits, who holds what, search, a model's versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

from bot.domain.ledger.chain import Entry
from bot.domain.model import OPEN, Metric, State, TransitionRequest, VersionId
from bot.domain.queries.description import Held, Told
from bot.domain.queries.history import HistoryEntry, happening
from bot.domain.queries.metric_line import MetricLine, line_through
from bot.domain.text import person_name
from bot.errors import NotFound, Refused
from bot.language import _
from bot.services import Services
from bot.store.ledger import read_event
from bot.store.web.search import After, ModelName, SearchRows, Wanted, Word
from handlers.queries.describe import all_held, outcome_of
from handlers.queries.request_rows import WAITING, Row, rows_of

WAITING_SHOWN = 50
METRICS_SHOWN = 4
VERSION = re.compile(r"v?([0-9]{1,9})", re.IGNORECASE)
LONGEST_SEARCH = 200  # characters
WORDS = 6


@dataclass(frozen=True)
class Start:
    """`waiting` are the oldest of `waiting_count`, and `held` the first of `held_count`."""

    waiting: tuple[Row, ...]
    waiting_count: int
    held: tuple[Held, ...]
    held_count: int


@dataclass(frozen=True)
class Found:
    """An answer to a search. `after` continues it; empty when this is the end."""

    rows: tuple[Row, ...]
    models: tuple[ModelName, ...]
    after: str


class Cell(NamedTuple):
    """A metric's value, and its difference to the next older version on the page in percent; None when there is none to compare with."""

    value: float | None
    change: float | None


@dataclass(frozen=True)
class VersionRow:
    """A version with its newest decision or request; `holds` are its targets now."""

    version: VersionId
    newest: Row
    holds: tuple[str, ...]
    metrics: tuple[Cell, ...]
    author: str


@dataclass(frozen=True)
class Versions:
    """A page of a model's versions, highest first; `before` continues it, None at the end."""

    model: ModelName
    held: tuple[Held, ...]
    metrics: tuple[str, ...]
    rows: tuple[VersionRow, ...]
    line: MetricLine | None
    before: int | None


@dataclass(frozen=True)
class Request:
    """One request: what is told of it, what it waits for, and its entries in the ledger."""

    version: VersionId
    told: Told
    needs: str
    unreadable: tuple[str, ...]
    happened: tuple[HistoryEntry, ...]
    entries: tuple[Entry, ...]


def start(s: Services, held_shown: int) -> Start:
    """By what right a version holds its target is worked out for the first `held_shown` alone: there may be thousands."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        rows, names = SearchRows(tx.connection), tx.people.all_names()
        waiting, waiting_count = rows.oldest(WAITING, WAITING_SHOWN)
        placements, held_count = rows.first_held(held_shown)
        held = all_held(placements, tx, names, now)
        return Start(rows_of(waiting, tx, now, names), waiting_count, held, held_count)


def search(
    text: str, since: date | None, until: date | None, states: Sequence[State], after: str, s: Services
) -> Found:
    """`text` are words that all must be found: of a model, a place, a person, a ticket, or `v3`. Raises Refused."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        rows = SearchRows(tx.connection)
        words = _words(text)
        numbers = [int(match[1]) for word in words if (match := VERSION.fullmatch(word))]
        names = [word for word in words if not VERSION.fullmatch(word)]
        wanted = Wanted(
            tuple(Word(one, rows.people_with(one)) for one in names),
            numbers[0] if numbers else None,
            _beginning(since),
            _beginning(until and until + timedelta(days=1)),
            tuple(states),
        )
        found, more = rows.requests(wanted, _after(after))
        models = rows.models(names)[0][:10] if names and not after else []
        last = f"{found[-1].opened_at.isoformat()}~{found[-1].id}" if more else ""
        return Found(rows_of(found, tx, now, tx.people.all_names()), tuple(models), last)


def all_models(
    after: ModelName | None, s: Services
) -> tuple[list[tuple[ModelName, tuple[Held, ...]]], ModelName | None]:
    """A page of models, each with what holds its targets, and the last one if there are more."""
    with s.store.transaction() as tx:
        rows = SearchRows(tx.connection)
        found, more = rows.models(after=after)
        places = rows.held(found)
        held: dict[ModelName, list[Held]] = {one: [] for one in found}
        for place, shown in zip(places, all_held(places, tx, tx.people.all_names(), s.clock.now()), strict=True):
            held[ModelName(place.version.workspace, place.version.model)].append(shown)
    return [(one, tuple(shown)) for one, shown in held.items()], found[-1] if more else None


def versions_of(model: ModelName, metric: str, before: int | None, s: Services) -> Versions:
    """`metric` is the one to draw, empty for the first. Raises Refused for an unknown model."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        rows = SearchRows(tx.connection)
        numbers, more = rows.versions(model, before)
        if not numbers and tx.registry.find_model(model.workspace, model.name) is None:
            raise NotFound(
                _(
                    "there is no registered model {model}, and none was ever asked for. Search for a part of its name",
                    model=model.name,
                )
            )
        placements = tx.registry.placements(model.workspace, model.name)
        requests = rows.requests_for(model, numbers)
        names, shown = tx.people.all_names(), _metric_names(requests)
        newest = {request.version: _newest(request, requests) for request in requests}
        in_order = sorted(newest, key=lambda one: -one.version)
        values = {version: _values(version, requests) for version in in_order}
        drawn = metric if metric in shown else next(iter(shown), "")
        older = dict(pairwise(in_order))
        shown_rows = rows_of([newest[version] for version in in_order], tx, now, names)
        table = tuple(
            VersionRow(
                version,
                row,
                tuple(str(one.target) for one in placements if one.version == version),
                tuple(
                    _cell(name, values[version], values[older[version]] if version in older else {}) for name in shown
                ),
                _author(newest[version], names),
            )
            for version, row in zip(in_order, shown_rows, strict=True)
        )
        line = line_through(drawn, [(one.version, values[one].get(drawn)) for one in reversed(in_order)])
        return Versions(model, all_held(placements, tx, names, now), shown, table, line, numbers[-1] if more else None)


def request_page(beginning: str, s: Services) -> Request:
    """By its id, or the first characters of it. Raises Refused."""
    with s.store.transaction() as tx:
        request = tx.requests.get(tx.requests.full_id(beginning))
        names = tx.people.all_names()
        entries = tx.ledger.about(request.id)
        events = [read_event(entry.kind, entry.body) for entry in entries]
        happened = [happening(event, request, names) for event in events]  # type: ignore[arg-type]
        needs = rows_of((request,), tx, s.clock.now(), names)[0].needs
        told = outcome_of(request, names, tx)
    return Request(
        request.version,
        told,
        needs,
        request.unreadable,
        tuple(one for one in happened if one is not None),
        tuple(entries),
    )


def _words(text: str) -> list[str]:
    words = text.split()
    if len(text) > LONGEST_SEARCH or len(words) > WORDS:
        raise Refused(
            _(
                "a search has at most {words} words and {letters} characters. Leave some away",
                words=WORDS,
                letters=LONGEST_SEARCH,
            )
        )
    return words


def _beginning(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None


def _after(text: str) -> After | None:
    at, _tilde, id_ = text.partition("~")
    try:
        return After(datetime.fromisoformat(at), id_) if text else None
    except ValueError:
        raise Refused(_("this page of the search is not known. Begin again with the first one")) from None


def _newest(like: TransitionRequest, requests: Sequence[TransitionRequest]) -> TransitionRequest:
    """Of a version's requests the one that was decided last; one that still waits is newer than all."""
    mine = [one for one in requests if one.version == like.version]
    waiting = [one for one in mine if one.state in OPEN]
    return waiting[-1] if waiting else max(mine, key=lambda one: one.ended_at or one.decided_at or one.opened_at)


def _metric_names(requests: Sequence[TransitionRequest]) -> tuple[str, ...]:
    """The first ones of the newest evidence."""
    frozen = [request.evidence for request in requests if request.evidence and request.evidence.metrics]
    names = dict.fromkeys(metric.name for metric in frozen[-1].metrics) if frozen else {}
    return tuple(names)[:METRICS_SHOWN]


def _values(version: VersionId, requests: Sequence[TransitionRequest]) -> Mapping[str, float]:
    frozen = [one.evidence for one in requests if one.version == version and one.evidence]
    metrics: Sequence[Metric] = frozen[-1].metrics if frozen else ()
    return {metric.name: metric.value for metric in reversed(metrics)}  # of several data sets, the first counts


def _cell(name: str, values: Mapping[str, float], older: Mapping[str, float]) -> Cell:
    value, before = values.get(name), older.get(name)
    if value is None or not before:
        return Cell(value, None)
    return Cell(value, (value - before) / abs(before) * 100)


def _author(request: TransitionRequest, names: Mapping[str, str]) -> str:
    return person_name(request.author, names) if request.author else ""
