"""What the pages show of requests, models and targets beside one version: what waits, who holds what, search, a model's versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

from bot.domain.card.sentences import status_sentence
from bot.domain.card.titles import title_of
from bot.domain.ledger.chain import Entry
from bot.domain.model import OPEN, DecidedBy, Metric, State, TransitionRequest, VersionId
from bot.domain.queries.description import Held, Told, decided_by
from bot.domain.queries.history import HistoryEntry, happening
from bot.domain.queries.metric_line import MetricLine, line_through
from bot.domain.request.counting import rule_of_decision
from bot.domain.text import duration_text, person_name
from bot.errors import Refused
from bot.language import _
from bot.services import Services
from bot.store.ledger import read_event
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from bot.store.web.search import After, ModelName, SearchRows, Wanted, Word
from handlers.custody.facts import basis_of
from handlers.notify.render_context import context_for
from handlers.queries.describe import held_of, outcome_of, rolled_back_by

WAITING = (*OPEN, State.APPROVED)
WAITING_SHOWN = 50
METRICS_SHOWN = 4
VERSION = re.compile(r"v?([0-9]{1,9})", re.IGNORECASE)
LONGEST_SEARCH = 200  # characters
WORDS = 6


@dataclass(frozen=True)
class Row:
    """A request as one row. `decided_by` are printed names, or what decided without people, and then `people` is empty.

    `needs` says what it waits for, empty when it does not wait.
    """

    id: str
    version: VersionId
    target: str
    title: str
    requester: str
    decided_by: str
    people: str
    opened_at: datetime
    decided_at: datetime | None
    ticket: str
    ticket_url: str
    age: str
    needs: str = ""


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
        waiting = tx.requests.find(states=WAITING)
        placements = tx.registry.placements()
        held = _held(placements[:held_shown], tx, now)
        return Start(_rows(waiting[:WAITING_SHOWN], tx, now), len(waiting), held, len(placements))


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
        return Found(_rows(found, tx, now), tuple(models), last)


def all_models(
    after: ModelName | None, s: Services
) -> tuple[list[tuple[ModelName, tuple[Held, ...]]], ModelName | None]:
    """A page of models, each with what holds its targets, and the last one if there are more."""
    with s.store.transaction() as tx:
        found, more = SearchRows(tx.connection).models(after=after)
        held = [(one, _held(tx.registry.placements(one.workspace, one.name), tx, s.clock.now())) for one in found]
    return held, found[-1] if more else None


def versions_of(model: ModelName, metric: str, before: int | None, s: Services) -> Versions:
    """`metric` is the one to draw, empty for the first. Raises Refused for an unknown model."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        rows = SearchRows(tx.connection)
        numbers, more = rows.versions(model, before)
        if not numbers and tx.registry.find_model(model.workspace, model.name) is None:
            raise Refused(
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
        table = tuple(
            VersionRow(
                version,
                _row(newest[version], tx, now, names),
                tuple(str(one.target) for one in placements if one.version == version),
                tuple(
                    _cell(name, values[version], values[older[version]] if version in older else {}) for name in shown
                ),
                _author(newest[version], names),
            )
            for version in in_order
        )
        line = line_through(drawn, [(one.version, values[one].get(drawn)) for one in reversed(in_order)])
        return Versions(model, _held(placements, tx, now), shown, table, line, numbers[-1] if more else None)


def request_page(beginning: str, s: Services) -> Request:
    """By its id, or the first characters of it. Raises Refused."""
    with s.store.transaction() as tx:
        request = tx.requests.get(tx.requests.full_id(beginning))
        names = tx.people.all_names()
        entries = tx.ledger.about(request.id)
        events = [read_event(entry.kind, entry.body) for entry in entries]
        happened = [happening(event, request, names) for event in events]  # type: ignore[arg-type]
        needs = _row(request, tx, s.clock.now(), names).needs
        told = outcome_of(request, names, tx)
    return Request(
        request.version,
        told,
        needs,
        request.unreadable,
        tuple(one for one in happened if one is not None),
        tuple(entries),
    )


def _rows(requests: Sequence[TransitionRequest], tx: Transaction, now: datetime) -> tuple[Row, ...]:
    names = tx.people.all_names()
    return tuple(_row(request, tx, now, names) for request in requests)


def _row(request: TransitionRequest, tx: Transaction, now: datetime, names: Mapping[str, str]) -> Row:
    waits = request.state in WAITING
    decider = decided_by(request, names, rule_of_decision(request, tx.policy()))
    return Row(
        request.id,
        request.version,
        str(request.target),
        title_of(request, is_rolled_back=rolled_back_by(request, tx) is not None),
        person_name(request.requester, names) if request.requester else "",
        decider,
        decider if request.decided_by in (None, DecidedBy.PEOPLE) else "",
        request.opened_at,
        request.ended_at or request.decided_at,
        request.ticket.key if request.ticket else "",
        request.ticket.url if request.ticket else "",
        duration_text(now - request.opened_at),
        status_sentence(request, context_for(request, tx, now)) if waits else "",
    )


def _held(placements: Sequence[Placement], tx: Transaction, now: datetime) -> tuple[Held, ...]:
    bases, names = basis_of(placements, tx, now), tx.people.all_names()
    return tuple(held_of(one, bases.get((one.version, one.target)), tx, names) for one in placements)


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
