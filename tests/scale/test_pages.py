"""A page costs the same few statements, however many rows are on it and however long their history is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import sqlalchemy as sa

from bot.domain.events import EvidenceFrozen, RequestApproved, RequestEvent, RequestRejected, TargetMoved
from bot.domain.model import OPEN, DecidedBy, Kind, VersionId
from bot.domain.registry.custody import Basis, custody_of
from bot.store.transaction import Transaction
from bot.store.web.search import ModelName
from handlers.custody.bases import basis_of, by_columns
from handlers.custody.facts import Place, on_record
from handlers.queries import ledger_page, overview
from handlers.queries.history import history_of
from tests.builders import CHAMPION, NOON, an_evidence, opened
from tests.scale.filling import a_year_until, fill
from tests.scale.house import House, house_on
from tests.scale.made_registry import MadeRegistry, model_name

MOST = 20  # statements of any page
APPLIED = """
insert into placements (workspace, model, target, version, version_created, since, request_id)
select distinct on (model) workspace, model, target, version, version_created, decided_at, id from requests
where state = 'applied' order by model, opened_at desc
on conflict do nothing
"""


@contextmanager
def filled(url: str, models: int, requests: int) -> Iterator[House]:
    """The last request of each model holds its target."""
    with house_on(url, MadeRegistry(models)) as house:
        rule_hash = house.s.store.policy().rule_hash(house.s.store.policy().rules[0])
        fill(url, a_year_until(house.clock.now(), requests, models), rule_hash)
        with psycopg.connect(url) as connection:
            connection.execute("delete from placements")
            connection.execute(APPLIED)
        with house.s.store.transaction() as tx:
            waits = min(models, 50)
            tx.record([opened(f"{number:032x}", version=version_of(model_name(number), 99)) for number in range(waits)])
        yield house


def pages(house: House) -> Mapping[str, Callable[[], object]]:
    s, name = house.s, model_name(1)
    return {
        "front page": lambda: overview.start(s, 50),
        "models": lambda: overview.all_models(None, s),
        "versions": lambda: overview.versions_of(ModelName("default", name), "", None, s),
        "search": lambda: overview.search("", None, None, (), "", s),
        "search open": lambda: overview.search("", None, None, OPEN, "", s),
        "ledger": lambda: ledger_page.ledger_page(None, s),
        "history": lambda: history_of(name, None, s),
    }


def statements_of(house: House, page: Callable[[], object]) -> int:
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    sa.event.listen(house.s.store.engine, "before_cursor_execute", note)
    try:
        page()
    finally:
        sa.event.remove(house.s.store.engine, "before_cursor_execute", note)
    return count


def test_no_page_asks_the_database_more_when_it_has_more_rows(make_database: Callable[[], str]) -> None:
    few, many = ({}, {})
    for counts, models, requests in ((few, 4, 12), (many, 60, 600)):
        with filled(make_database(), models, requests) as house:
            counts.update({name: statements_of(house, page) for name, page in pages(house).items()})

    assert {name: (few[name], count) for name, count in many.items() if count > few[name]} == {}
    assert {name: count for name, count in many.items() if count > MOST} == {}


@dataclass(frozen=True)
class Case:
    """What happened for a version at a model's target, in order: events that end a request, made from its id and version."""

    story: tuple[Callable[[str, VersionId], list[RequestEvent]], ...]
    is_baseline: bool = False
    holds: int = 1  # the number of the version that holds the target
    by: int | None = None  # which request the record says it holds by, counted from 0


def applied(request_id: str, version: VersionId, **changes: object) -> list[RequestEvent]:
    at = version.created
    return [
        opened(request_id, version=version, at=at, rule_hash="", **changes),
        EvidenceFrozen(at, request_id, an_evidence(), "bea", ""),
        RequestApproved(at, request_id, ("cy",), "", DecidedBy.PEOPLE),
        TargetMoved(at, request_id, version, CHAMPION, None, moved=True),
    ]


def ratified(request_id: str, version: VersionId) -> list[RequestEvent]:
    return applied(request_id, version, kind=Kind.OBSERVED)


def rejected(request_id: str, version: VersionId) -> list[RequestEvent]:
    at = version.created + timedelta(days=20)
    return [
        opened(request_id, version=version, at=at, rule_hash=""),
        EvidenceFrozen(at, request_id, an_evidence(), "bea", ""),
        RequestRejected(at, request_id, "cy", "not good enough", ""),
    ]


def waiting(request_id: str, version: VersionId) -> list[RequestEvent]:
    return [opened(request_id, version=version, at=version.created, rule_hash="")]


CASES = {
    "approved": Case((applied,), by=0),
    "approved, after others": Case((applied, applied, applied), holds=3, by=2),
    "approved, and rejected since": Case((applied, lambda one, version: rejected(one, first_of(version))), by=0),
    "back by hand": Case((applied, applied), by=0),
    "ratified": Case((ratified,), by=0),
    "baseline": Case((), is_baseline=True),
    "baseline, another is asked for": Case((lambda one, version: waiting(one, second_of(version)),), is_baseline=True),
    "baseline, and another was approved since": Case(
        (lambda one, version: applied(one, second_of(version)),), is_baseline=True
    ),
    "baseline, and it is asked for": Case((waiting,), is_baseline=True),
    "nobody knows": Case(()),
}
PLAIN = {"approved", "approved, after others", "ratified", "baseline", "baseline, another is asked for", "nobody knows"}


def first_of(version: VersionId) -> VersionId:
    return version_of(version.model, 1)


def second_of(version: VersionId) -> VersionId:
    return version_of(version.model, 2)


def version_of(model: str, number: int) -> VersionId:
    return VersionId("default", model, number, NOON + timedelta(days=number))


def test_what_a_few_columns_say_of_a_holder_is_what_all_facts_say(database_url: str) -> None:
    with house_on(database_url, MadeRegistry(len(CASES))) as house, house.s.store.transaction() as tx:
        for place, case in enumerate(CASES.values()):
            tell(case, model_name(place), tx)
        placements, now = tx.registry.placements(), house.clock.now()
        requests = tx.requests.some({one.request_id for one in placements if one.request_id})

        told = basis_of(placements, requests, tx, now)
        plain = by_columns(placements, requests, tx)

        by_all_facts = {
            (holding.version, CHAMPION): holding.basis
            for one in placements
            for holding in custody_of(on_record(Place("default", one.version.model, CHAMPION), tx, now)).holdings
        }
    assert told == by_all_facts
    names = {model_name(place): name for place, name in enumerate(CASES)}
    assert {names[version.model] for version, _ in plain} == PLAIN
    assert {Basis.APPROVED, Basis.RATIFIED, Basis.BASELINE, Basis.FOREIGN} <= set(told.values())


def tell(case: Case, model: str, tx: Transaction) -> None:
    ids = [f"{model}-{number}" for number in range(len(case.story))]
    for number, (request_id, happened) in enumerate(zip(ids, case.story, strict=True), 1):
        tx.record(happened(request_id, version_of(model, number)))
    holder, at = version_of(model, case.holds), NOON + timedelta(days=case.holds)
    by = None if case.by is None else ids[case.by]
    tx.registry.put_placements("default", model, CHAMPION, [holder], at, by)
    if case.is_baseline:
        tx.custody.put_baseline(model, CHAMPION, [holder], at)
