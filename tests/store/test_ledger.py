"""The ledger's rows: gapless with several writers at once, refusing changes, and showing a change that was forced."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, get_args, get_type_hints

import psycopg
import pytest
import rfc8785
import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.events import Event, EvidenceFrozen, RequestEvent, RequestOpened
from bot.domain.grounds import No, Objection
from bot.domain.ledger.chain import GENESIS, Entry, first_fault, head_of, leaf_of
from bot.domain.model import Target, TargetKind, VersionId
from bot.domain.registry.watch_events import HolderLeft
from bot.domain.workspaces import DEFAULT
from bot.store.ledger import EVENTS
from bot.store.tables import was_seen
from bot.store.transaction import Store
from config.policy import read_policy
from handlers import ON
from handlers.queries.history import KINDS
from tests.builders import NOON, REQUEST_ID, a_metric, an_evidence, every_event, opened
from tests.fixtures.clock import SystemClock

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

WRITERS, EACH = 6, 20
ELSEWHERE = [event for event in every_event() if not hasattr(event, "request_id")]


def record(store: Store, *events: Event) -> None:
    with store.transaction() as tx:
        tx.record(events)


def record_and_fail(store: Store, *events: Event) -> None:
    with store.transaction() as tx:
        tx.record(events)
        tx.flush()
        1 / 0  # noqa: B018


def entries_in(store: Store) -> list[Entry]:
    with store.transaction() as tx:
        return list(tx.ledger.entries())


@pytest.fixture
def store(engine: sa.Engine, jobs: Jobs) -> Store:
    return Store(engine, jobs, SystemClock(), ON, read_policy)


@pytest.fixture
def five_entries(store: Store) -> Store:
    for event in ELSEWHERE:
        record(store, event)
    return store


def as_superuser(url: str, statement: str) -> None:
    """What only the owner of the database can do: the triggers are disabled first."""
    with psycopg.connect(url) as connection:
        connection.execute("alter table ledger disable trigger user")
        assert connection.execute(statement.encode()).rowcount == 1
        connection.execute("alter table ledger enable trigger user")


def test_entries_are_numbered_from_one_and_chained_from_nothing(store: Store) -> None:
    record(store, *ELSEWHERE[:2])
    record(store, ELSEWHERE[2])

    first, second, third = entries_in(store)
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert first.head == head_of(GENESIS, leaf_of(first.body))
    assert second.head == head_of(first.head, second.leaf)
    assert third.head == head_of(second.head, third.leaf)


def test_every_event_has_an_entry_that_says_what_it_was(store: Store) -> None:
    record(store, *every_event())

    entries = entries_in(store)
    assert [entry.kind for entry in entries] == [type(event).__name__ for event in every_event()]
    assert [entry.at for entry in entries] == [event.at for event in every_event()]
    assert first_fault(entries) is None


def test_a_body_is_kept_in_its_canonical_form(store: Store) -> None:
    odd = an_evidence(
        metrics=(a_metric("mae", float("nan")), a_metric("r2", 1e21), a_metric("bias", -0.0)),
        params={"é": "\u0000", "Ω": "\U0001f6b2", "a": 'quoted "twice"\n'},
        description="half \ud83d",
    )

    record(store, opened(), EvidenceFrozen(NOON, REQUEST_ID, odd, None, "sha256:1"))

    body = entries_in(store)[1].body
    assert rfc8785.dumps(json.loads(body, parse_int=float)).decode() == body
    metrics = json.loads(body)["evidence"]["metrics"]
    assert [metric["value"] for metric in metrics] == ["nan", 1e21, 0]


def test_a_transaction_that_fails_leaves_neither_an_entry_nor_a_gap(store: Store) -> None:
    record(store, ELSEWHERE[0])

    with pytest.raises(ZeroDivisionError):
        record_and_fail(store, *ELSEWHERE[1:3])
    record(store, ELSEWHERE[3])

    assert [(entry.seq, entry.kind) for entry in entries_in(store)] == [
        (1, type(ELSEWHERE[0]).__name__),
        (2, type(ELSEWHERE[3]).__name__),
    ]


def test_a_transaction_without_events_writes_no_entry(store: Store) -> None:
    with store.transaction() as tx:
        tx.record([])
        tx.outbox.is_new_delivery("mlflow", "d1", NOON)

    assert entries_in(store) == []


def test_many_who_write_at_once_leave_no_gap_and_break_no_link(store: Store) -> None:
    def write(writer: int) -> None:
        for number in range(EACH):
            record(
                store, opened(f"r{writer}-{number}", version=replace(opened().version, version=writer * EACH + number))
            )

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, range(WRITERS)))

    entries = entries_in(store)
    assert [entry.seq for entry in entries] == list(range(1, WRITERS * EACH + 1))
    assert first_fault(entries) is None


def test_one_entry_can_be_read_alone(five_entries: Store) -> None:
    with five_entries.transaction() as tx:
        third = tx.ledger.get(3)
        count = tx.ledger.count()

    assert third == entries_in(five_entries)[2]
    assert count == len(ELSEWHERE)


def test_the_ledger_can_be_read_and_written_in_one_transaction(five_entries: Store) -> None:
    with five_entries.transaction() as tx:
        before = list(tx.ledger.entries())
        tx.record([opened()])
        tx.flush()
        request = tx.requests.get(REQUEST_ID)

    assert len(entries_in(five_entries)) == len(before) + 1
    assert request.id == REQUEST_ID


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger set body = '{}' where seq = 2",
        "update ledger set seq = 9 where seq = 2",
        "update ledger set at = now()",
        "delete from ledger where seq = 2",
        "delete from ledger",
        "truncate ledger",
    ],
)
def test_the_ledger_refuses_whatever_is_not_an_append(five_entries: Store, statement: str) -> None:
    before = entries_in(five_entries)

    with (
        pytest.raises(sa.exc.DBAPIError, match=r"the ledger is append-only: (UPDATE|DELETE|TRUNCATE) refused"),
        five_entries.transaction() as tx,
    ):
        tx.connection.execute(sa.text(statement))

    assert entries_in(five_entries) == before


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "update ledger set body = replace(body, 'default', 'another') where seq = 2",
            "entry 2 was changed: its body does not hash to its leaf",
        ),
        (
            "update ledger set body = body || ' ', leaf = sha256('\\x00'::bytea || (body || ' ')::bytea) where seq = 2",
            "entry 2 was changed or put in another place: it does not follow from the one before",
        ),
        (
            "update ledger set kind = 'RequestApproved' where seq = 3",
            "entry 3 was changed: its number, time or kind is not what its body says",
        ),
        (
            "update ledger set at = at - interval '1 day' where seq = 3",
            "entry 3 was changed: its number, time or kind is not what its body says",
        ),
        ("delete from ledger where seq = 1", "entry 1 is missing: the next one there is 2"),
        ("delete from ledger where seq = 3", "entry 3 is missing: the next one there is 4"),
    ],
)
def test_whoever_puts_the_triggers_aside_is_found_out(
    five_entries: Store, database_url: str, statement: str, fault: str
) -> None:
    as_superuser(database_url, statement)

    assert first_fault(entries_in(five_entries)) == fault


HIDES_ANOTHER = '{"request_id":"of another"}'


def test_an_entry_belongs_to_its_own_request_whatever_other_requests_it_names(store: Store) -> None:
    about = [
        event for event in every_event() if isinstance(event, RequestEvent) and not isinstance(event, RequestOpened)
    ]
    objection = Objection("of another", No.REJECTED, "bike v1", "alias:champion", "ana", HIDES_ANOTHER, NOON)
    objected = [replace(event, objections=(objection,)) for event in about if isinstance(event, EvidenceFrozen)]

    with store.transaction() as tx:
        tx.ledger.append([*about, *objected])
        mine = tx.ledger.about(REQUEST_ID)
        others = tx.ledger.about("of another")

    assert objected
    assert [len(mine), len(others)] == [len(about) + len(objected), 0]


@pytest.mark.parametrize("kind", [kind for kind in EVENTS.values() if issubclass(kind, RequestEvent)])
def test_no_event_can_name_another_request_after_its_own(kind: type[RequestEvent]) -> None:
    """The index takes the last one that the body names; fields are sorted."""
    types = get_type_hints(kind)

    later = [name for name, hint in types.items() if name > "request_id" and "request_id" in names_within(hint)]

    assert later == []


def names_within(hint: object) -> set[str]:
    """The names of all fields of the dataclasses in a type."""
    inner = {name for part in get_args(hint) for name in names_within(part)}
    if not (isinstance(hint, type) and is_dataclass(hint)):
        return inner
    hints = get_type_hints(hint)
    return inner | set(hints).union(*(names_within(one) for one in hints.values()))


# What was seen at a model's targets

NAMES = ["bike", "bike-2", 'a"b', 'a"c', "a\\", "\u00fcber", "a,b", "model", '"model":"bike']


def seen(name: str) -> list[Event]:
    target, version = Target(TargetKind.ALIAS, "champion"), VersionId(DEFAULT, name, 2, NOON)
    return [
        e.MoveObserved(NOON, DEFAULT, target, name, version, None, "report"),
        e.MoveReverted(NOON, DEFAULT, target, name, version),
        HolderLeft(NOON, DEFAULT, target, name, version, version),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_has_what_was_seen_at_its_own_targets_whatever_its_name(name: str, store: Store) -> None:
    record(store, *(one for other in NAMES for one in seen(other)))

    with store.transaction() as tx:
        found = [json.loads(entry.body)["model"] for entry in tx.ledger.seen_at([name])]

    assert found == [name] * 3


def test_a_history_reads_all_kinds_of_what_was_seen_and_no_other() -> None:
    kinds = {kind.__name__ for kind in KINDS if not issubclass(kind, RequestEvent)}

    assert str(was_seen) == f"kind in ({', '.join(repr(kind) for kind in sorted(kinds))})"
