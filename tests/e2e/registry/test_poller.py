"""The poller: it finds everything by itself, costs next to nothing when nothing is new, and takes the bot's own moves for its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from bot.clients.mlflow.registry import NEWEST_A_PAGE
from bot.domain.events import ModelGone, MoveObserved, RequestOpened, TargetMoved
from bot.domain.model import State
from bot.ports import ModelRegistry
from bot.sandbox.faults import Faults
from handlers.registry import reconcile, sweeps
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import House

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

BY_STAGE = "[{stage: Staging}]"


@dataclass
class Counting:
    """Stands in the proxy and remembers what passed."""

    application: WSGIApplication
    calls: list[str]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        condition = parse_qs(environ.get("QUERY_STRING", "")).get("filter", [""])[0]
        if "name =" not in condition:  # that is a look at one model: another test's, when tests run side by side
            self.calls.append(environ["PATH_INFO"].removeprefix("/api/2.0/mlflow/"))
        return self.application(environ, start_response)


@dataclass
class Watched:
    house: House
    faults: Faults
    calls: list[str]


@pytest.fixture
def watched(open_house: Callable[..., House], mlflow_server: str) -> Iterator[Watched]:
    """A house whose baseline is taken and whose calls to MLflow can be counted and cut."""
    with fault_proxy(mlflow_server) as (url, faults):
        counting = Counting(faults.application, [])
        faults.application = counting
        house = open_house(registry_url=url)
        house.sweep()
        yield Watched(house, faults, counting.calls)


def recent_versions(house: House) -> int:
    """How many versions of all tests stand in the overlap that every sweep reads anew."""
    with house.s.store.transaction() as tx:
        sweep = tx.registry.find_sweep("versions", "default")
    assert sweep is not None
    assert sweep.watermark is not None
    edge = sweep.watermark - sweeps.OVERLAP
    return sum(1 for _ in takewhile(lambda seen: seen.updated >= edge, house.s.registry.versions_newest_first()))


def test_a_sweep_without_news_is_one_call_and_no_ledger_entry(watched: Watched) -> None:
    watched.house.register()
    watched.house.sweep()
    full_pages = recent_versions(watched.house) // NEWEST_A_PAGE  # none, unless the other tests are very quick
    watched.calls.clear()

    watched.house.sweep("sweep_versions")

    assert 1 <= watched.calls.count("model-versions/search") <= 1 + full_pages
    assert watched.house.happened() == []


def test_the_sweep_of_aliases_is_one_call_for_a_thousand_models(watched: Watched) -> None:
    watched.house.register()
    watched.house.sweep()
    watched.calls.clear()

    watched.house.sweep("sweep_models")

    assert watched.calls.count("registered-models/search") == 1
    assert watched.house.happened() == []


def test_a_new_version_is_found_by_the_sweep_of_versions_alone(house: House) -> None:
    house.use_policy(ask_on="[{new_version: true}]")
    house.register()

    house.sweep("sweep_versions")

    assert house.request(1).state is State.PENDING


def test_a_stage_is_noticed_although_no_webhook_tells_of_it(house: House) -> None:
    house.use_policy(ask_on=BY_STAGE)
    house.register()
    house.register()
    house.sweep()
    house.stage(1, "Staging")

    house.sweep("sweep_versions")

    assert [request.version.version for request in house.requests()] == [1]


def test_the_same_stage_again_is_no_news(house: House) -> None:
    house.use_policy(ask_on=BY_STAGE)
    house.register()
    for _ in range(2):
        house.stage(1, "Staging")
        house.sweep()

    assert house.happened(RequestOpened) == ["RequestOpened"]


def test_a_model_that_one_scan_leaves_out_is_not_taken_for_deleted(house: House) -> None:
    request = house.asked()
    registry = house.s.registry
    house.s = replace(house.s, registry=Forgetful(registry, house.model))  # type: ignore[arg-type]

    house.sweep("sweep_models")

    assert house.reread(request).state is State.PENDING
    assert house.happened(ModelGone) == []


@dataclass
class Forgetful:
    """The real registry, but for one model that falls between two pages of a scan."""

    registry: ModelRegistry
    missing: str

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def glance_at_models(self) -> Iterator[object]:
        return (glance for glance in self.registry.glance_at_models() if glance.name != self.missing)


def test_a_model_that_is_gone_is_told_once(house: House) -> None:
    house.register()
    house.sweep()

    house.mlflow.delete_registered_model(house.model)
    house.sweep()
    house.sweep()

    assert house.happened(ModelGone) == ["ModelGone"]


@pytest.mark.parametrize(
    "order", [("move", "versions", "models"), ("versions", "move", "models"), ("models", "versions", "move")]
)
def test_our_own_move_is_no_news_whatever_comes_first(house: House, order: tuple[str, ...]) -> None:
    request = house.asked()
    house.click("ana", request, "approve")
    run: dict[str, Callable[[], None]] = {
        "move": house.settle,
        "versions": lambda: sweeps.sweep_versions("", house.s),
        "models": lambda: sweeps.sweep_models("", house.s),
    }

    for step in order:
        run[step]()
    house.settle()
    house.sweep()

    assert house.champion() == 1
    assert house.happened(MoveObserved) == []
    assert house.happened(TargetMoved) == ["TargetMoved"]


def test_a_look_in_the_middle_of_our_own_move_takes_it_for_ours(house: House) -> None:
    request = house.asked()
    house.s = replace(house.s, registry=Overlooked(house.s.registry, house))  # type: ignore[arg-type]

    house.approve(request)
    house.sweep()

    assert house.champion() == 1
    assert house.reread(request).state is State.APPLIED
    assert house.happened(MoveObserved) == []
    assert house.happened(TargetMoved) == ["TargetMoved"]


@dataclass
class Overlooked:
    """The real registry; just before and just after each move of an alias somebody looks."""

    registry: ModelRegistry
    house: House

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        reconcile.look_at(f"default/{model}", self.house.s)
        self.registry.set_alias(model, alias, version)
        reconcile.look_at(f"default/{model}", self.house.s)


def test_our_own_move_is_no_news_even_when_its_answer_was_lost(watched: Watched) -> None:
    house = watched.house
    request = house.asked()
    house.click("ana", request, "approve")
    watched.faults.add("cut", path="registered-models/alias", method="POST")

    house.sweep()
    house.settle_until(lambda: house.reread(request).state is State.APPLIED)
    house.settle_all()
    house.sweep()

    assert house.champion() == 1
    assert house.happened(MoveObserved) == []
    assert house.happened(TargetMoved) == ["TargetMoved"]


def test_putting_back_is_no_news_either_when_its_answer_was_lost(watched: Watched) -> None:
    house = watched.house
    house.approve(house.asked())
    house.register()
    house.move(2)
    watched.faults.add("cut", path="registered-models/alias", method="POST")

    house.reject(house.request(2), "No.")
    house.sweep()
    house.settle_all()
    house.sweep()

    assert house.champion() == 1
    assert house.request(2).settled_at is not None
    assert house.happened(MoveObserved) == ["MoveObserved"]


def test_two_sweeps_at_once_make_one_request(house: House) -> None:
    house.ask(house.register())

    for sweep in (sweeps.sweep_versions, sweeps.sweep_models, sweeps.sweep_models, sweeps.sweep_versions):
        sweep("", house.s)
    house.settle()

    assert house.happened(RequestOpened) == ["RequestOpened"]
    assert len(house.cards()) == 1
