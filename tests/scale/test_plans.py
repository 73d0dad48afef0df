"""No list, page, report or sweep goes through the whole ledger or all requests: each statement's plan, on a filled database.

A search for a word on the pages does: it finds parts of names, which takes an index of trigrams. `make scale` shows what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import islice

from bot.domain.model import OPEN, State, Target
from bot.errors import Refused
from bot.store.calm.dailies import DailyRows
from bot.store.fast_track import FastTrackRows
from bot.store.requests import Wanted
from bot.store.transaction import Transaction
from bot.store.web.homes import HomeRows
from bot.store.web.search import ModelName
from handlers.digest.closing import weeks_left_out
from handlers.queries import fast_track_report, ledger_page, overview
from handlers.queries.history import history_of
from handlers.queries.policy import replay_since
from handlers.registry.sweeps import sweep_versions
from tests.builders import CHAMPION
from tests.scale.filling import RULE, a_year_until, fill
from tests.scale.house import House, house_on
from tests.scale.made_registry import MadeRegistry, model_name
from tests.scale.plans import explaining

REQUESTS, MODELS = 3_000, 300
NAME = model_name(7)


def operations(house: House) -> Mapping[str, Callable[[], object]]:
    s, now = house.s, house.clock.now()

    def listed(**which: object) -> object:
        with s.store.transaction() as tx:
            page = tx.requests.page(Wanted(**which), 50)  # type: ignore[arg-type]
            return tx.requests.page(Wanted(**which), 50, page[-1].id) if page else []  # type: ignore[arg-type]

    def left_out() -> object:
        with s.store.transaction() as tx:
            return weeks_left_out(tx)

    def counted() -> object:
        with s.store.transaction() as tx:
            return tx.requests.count(), tx.requests.due(now), tx.ledger.refused_votes()

    def on_record(ask: Callable[[Transaction], object]) -> Callable[[], object]:
        def read() -> object:
            with s.store.transaction() as tx:
                return ask(tx)

        return read

    day = now - timedelta(days=1)

    def found(text: str, *states: State) -> object:
        return overview.search(text, None, None, states, "", s)

    return {
        "requests list": listed,
        "requests list --open": lambda: listed(states=OPEN),
        "requests list --model": lambda: listed(model=NAME),
        "requests list --to": lambda: listed(target=CHAMPION),
        "policy replay": lambda: list(islice(replay_since(now - timedelta(days=1), s.store.policy(), s), 300)),
        "history": lambda: history_of(NAME, None, s),
        "history of a target model": lambda: history_of(NAME, Target.parse("model:prod"), s),
        "later decisions about a place": on_record(lambda tx: tx.ledger.at_places([NAME], 0)),
        "later decisions about a target model": on_record(lambda tx: tx.ledger.at_places(["prod"], 0)),
        "fast-track report": lambda: fast_track_report.report(now - timedelta(days=1), s),
        "the fast track on a card": on_record(lambda tx: FastTrackRows(tx.connection).agreement(RULE, day)),
        "home: decided": on_record(lambda tx: HomeRows(tx.connection).decided(None, 7, 8)),
        "home: asked": on_record(lambda tx: HomeRows(tx.connection).asked_by(["ana"], None, 0, 8)),
        "note of the day: decided": on_record(lambda tx: DailyRows(tx.connection).decided(["ana"], day, now)),
        "note of the day: moved": on_record(lambda tx: DailyRows(tx.connection).moved(day, now)),
        "front page": lambda: overview.start(s, 50),
        "search open": lambda: found("", *OPEN),
        "models": lambda: overview.all_models(None, s),
        "models, next page": lambda: overview.all_models(ModelName("default", model_name(2)), s),
        "versions": lambda: overview.versions_of(ModelName("default", NAME), "", None, s),
        "request": lambda: overview.request_page("00000007beefbeef", s),
        "ledger": lambda: ledger_page.ledger_page(None, s),
        "ledger, further back": lambda: ledger_page.ledger_page(5_000, s),
        "digests left out": left_out,
        "metrics and clock": counted,
        "sweep of models": lambda: house.sweep(),
        "sweep of versions": lambda: house.sweep(sweep_versions),
    }


def test_no_statement_reads_the_whole_ledger_or_all_requests(database_url: str) -> None:
    with house_on(database_url, MadeRegistry(MODELS)) as house:
        rule_hash = house.s.store.policy().rule_hash(house.s.store.policy().rules[0])
        fill(database_url, a_year_until(house.clock.now(), REQUESTS, MODELS), rule_hash)
        whole = {}
        for name, run in operations(house).items():
            with explaining(house.s.store.engine) as plans:
                try:
                    run()
                except Refused as refusal:
                    raise AssertionError(name) from refusal
            if plans.whole:
                whole[name] = plans.whole

        assert [f"{name}: {line}" for name, lines in whole.items() for line in lines] == []


def test_the_filled_ledger_is_one_that_verifies_and_its_requests_are_what_their_entries_made(database_url: str) -> None:
    with house_on(database_url, MadeRegistry(10)) as house:
        history = a_year_until(house.clock.now(), 20, 10)
        fill(database_url, history, "sha256:1")

        page = ledger_page.ledger_page(None, house.s)
        shown = overview.request_page("00000007beefbeef", house.s)
        told = history_of(NAME, None, house.s)

    assert (page.size, page.fault) == (history.entries, "")
    assert len(shown.entries) == 9  # the tenth is about the model
    assert len(told) > 0
