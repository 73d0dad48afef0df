"""Fills a database with ended requests and their ledger entries, straight into the tables, with a chain that verifies.

A hundred thousand transactions would take an hour; this takes a minute for a hundred thousand requests and a million entries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import rfc8785

from bot.domain import events as e
from bot.domain.ledger.chain import GENESIS, as_plain, body_of, head_of, leaf_of
from bot.domain.model import DecidedBy, TransitionRequest, VersionId
from bot.domain.registry.watch_events import HolderLeft
from bot.domain.request.evolution import evolve, initial
from bot.store.requests import search_columns
from tests.builders import CHAMPION, TICKET, a_judgement, a_vote, an_evidence, opened
from tests.scale.made_registry import model_name

APART = timedelta(seconds=300)  # from one request to the next
RULE = "bike-* → alias:champion"
REQUEST_COLUMNS = (
    "id, state, kind, workspace, model, version, version_created, target, opened_at, expires_at, "
    "ticket_key, decided_at, people, body"
)


@dataclass(frozen=True)
class History:
    """So many requests for that many models, opened at even distances until `until`, each with ten ledger entries."""

    requests: int
    models: int
    until: datetime
    length: timedelta = timedelta(days=360)

    @property
    def entries(self) -> int:
        return 10 * self.requests

    def at(self, number: int) -> datetime:
        return self.until - self.length + number * self.length / self.requests

    def version(self, number: int) -> int:
        return 1 + number // self.models

    def model(self, number: int) -> str:
        return model_name(number % self.models)


def fill(url: str, history: History, rule_hash: str) -> None:
    rows: Mapping[str, Iterator[tuple[object, ...]]] = {
        "ledger (seq, at, kind, body, leaf, head)": _entries(history, rule_hash),
        f"requests ({REQUEST_COLUMNS})": _requests(history, rule_hash),
    }
    with psycopg.connect(url) as connection:
        for table, found in rows.items():
            with connection.cursor().copy(f"copy {table} from stdin".encode()) as copy:
                for row in found:
                    copy.write_row(row)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _entries(history: History, rule_hash: str) -> Iterator[tuple[object, ...]]:
    """The bodies are made from one story, in which only ids, times, names and numbers differ: making each would take ten times as long."""
    seq, head = 0, GENESIS
    kinds = [type(event).__name__ for event in _story(0, history, rule_hash)]
    templates = [_template(place, history, rule_hash) for place in range(len(kinds))]
    for number in range(history.requests):
        for kind, template in zip(kinds, templates, strict=True):
            seq += 1
            at, body = template(number, seq)
            leaf = leaf_of(body)
            head = head_of(head, leaf)
            yield seq, at, kind, body, leaf, head


def _template(place: int, history: History, rule_hash: str) -> Callable[[int, int], tuple[datetime, str]]:
    """The body of the story's event at that place, checked against a body that is made in full."""
    event = _story(0, history, rule_hash)[place]
    body = rfc8785.dumps(body_of(event, 10**9)).decode()
    late = event.at - history.at(0)

    def make(number: int, seq: int) -> tuple[datetime, str]:
        at, opened_at = history.at(number) + late, history.at(number)
        made = body.replace(_id(0), _id(number)).replace(f'"{model_name(0)}"', f'"{history.model(number)}"')
        made = made.replace('"version":1,"w', f'"version":{history.version(number)},"w')
        made = made.replace(_written(event.at), _written(at)).replace(_written(history.at(0)), _written(opened_at))
        return at, made.replace('"seq":1000000000', f'"seq":{seq}')

    other = _story(1, history, rule_hash)[place]
    assert make(1, 5) == (other.at, rfc8785.dumps(body_of(other, 5)).decode()), type(event).__name__
    return make


def _written(at: datetime) -> str:
    return str(as_plain(at))


def _id(number: int) -> str:
    return f"{number:08x}" + "beef" * 6


def _story(number: int, history: History, rule_hash: str) -> list[e.Event]:
    """A request's events, all of which are decided by people, and two of the registry about its model."""
    at = history.at(number)
    version = VersionId("default", history.model(number), history.version(number), at)
    request_id, decided = _id(number), at + timedelta(minutes=40)
    return [
        opened(request_id, at=at, version=version, requester="ana", rule_hash=rule_hash, expires_at=None),
        e.EvidenceFrozen(at, request_id, an_evidence(), "bea", rule_hash),
        e.FastTrackJudged(at, request_id, a_judgement(), RULE, rule_hash),
        e.TicketOpened(at, request_id, TICKET),
        e.VoteCast(decided, request_id, a_vote(at=decided, rule_hash=rule_hash)),
        e.FastTrackCompared(decided, request_id, RULE, True, True, "agreed"),
        e.RequestApproved(decided, request_id, ("cy",), rule_hash, DecidedBy.PEOPLE),
        e.TargetMoved(decided, request_id, version, CHAMPION, None, moved=True),
        e.TicketClosed(decided, request_id, TICKET, "Done"),
        HolderLeft(decided, "default", CHAMPION, version.model, version, version),
    ]


def _requests(history: History, rule_hash: str) -> Iterator[tuple[object, ...]]:
    for number in range(history.requests):
        one = _evolved([event for event in _story(number, history, rule_hash) if isinstance(event, e.RequestEvent)])
        where = one.version.workspace, one.version.model, one.version.version, one.version.created, str(one.target)
        search = search_columns(one)
        found = (search["ticket_key"], search["decided_at"], search["people"], json.dumps(as_plain(one)))
        yield (one.id, str(one.state), str(one.kind), *where, one.opened_at, one.expires_at, *found)


def _evolved(story: list[e.RequestEvent]) -> TransitionRequest:
    first, *later = story
    assert isinstance(first, e.RequestOpened)
    request = initial(first)
    for event in later:
        request = evolve(request, event)
    return request


def a_year_until(now: datetime, requests: int, models: int) -> History:
    """Whole seconds, as the times are written in bodies with or without a fraction."""
    return History(requests, models, now.astimezone(UTC).replace(microsecond=0), APART * requests)
