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
from tests.fixtures.installation import Installation

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

BY_STAGE = "[{stage: Staging}]"


@dataclass
class Counting:
    """Counts in the proxy what passed."""

    application: WSGIApplication
    calls: list[str]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        condition = parse_qs(environ.get("QUERY_STRING", "")).get("filter", [""])[0]
        if "name =" not in condition:  # that is a look at one model: another test's, when tests run side by side
            self.calls.append(environ["PATH_INFO"].removeprefix("/api/2.0/mlflow/"))
        return self.application(environ, start_response)


@dataclass
class Watched:
    installation: Installation
    faults: Faults
    calls: list[str]


@pytest.fixture
def watched(open_installation: Callable[..., Installation], mlflow_server: str) -> Iterator[Watched]:
    """A installation whose baseline is taken and whose calls to MLflow can be counted and cut."""
    with fault_proxy(mlflow_server) as (url, faults):
        counting = Counting(faults.application, [])
        faults.application = counting
        installation = open_installation(registry_url=url)
        installation.sweep()
        yield Watched(installation, faults, counting.calls)


def recent_versions(installation: Installation) -> int:
    """How many versions of all tests are in the overlap that every sweep reads again."""
    with installation.s.store.transaction() as tx:
        sweep = tx.registry.find_sweep("versions", "default")
    assert sweep is not None
    assert sweep.watermark is not None
    edge = sweep.watermark - sweeps.OVERLAP
    return sum(1 for _ in takewhile(lambda seen: seen.updated >= edge, installation.s.registry.versions_newest_first()))


def test_a_sweep_without_news_is_one_call_and_no_ledger_entry(watched: Watched) -> None:
    watched.installation.register()
    watched.installation.sweep()
    full_pages = recent_versions(watched.installation) // NEWEST_A_PAGE  # none, unless the other tests are very quick
    watched.calls.clear()

    watched.installation.sweep("sweep_versions")

    assert 1 <= watched.calls.count("model-versions/search") <= 1 + full_pages
    assert watched.installation.happened() == []


def test_the_sweep_of_aliases_is_two_calls_for_a_thousand_models(watched: Watched) -> None:
    watched.installation.register()
    watched.installation.sweep()
    watched.calls.clear()

    watched.installation.sweep("sweep_models")

    # MLflow leaves out what is tagged as a prompt, unless it is asked for just that.
    assert watched.calls.count("registered-models/search") == 2
    assert watched.installation.happened() == []


def test_a_new_version_is_found_by_the_sweep_of_versions_alone(installation: Installation) -> None:
    installation.use_policy(ask_on="[{new_version: true}]")
    installation.register()

    installation.sweep("sweep_versions")

    assert installation.request(1).state is State.PENDING


def test_a_stage_is_noticed_although_no_webhook_tells_of_it(installation: Installation) -> None:
    installation.use_policy(ask_on=BY_STAGE)
    installation.register()
    installation.register()
    installation.sweep()
    installation.stage(1, "Staging")

    installation.sweep("sweep_versions")

    assert [request.version.version for request in installation.requests()] == [1]


def test_the_same_stage_again_is_no_news(installation: Installation) -> None:
    installation.use_policy(ask_on=BY_STAGE)
    installation.register()
    for _ in range(2):
        installation.stage(1, "Staging")
        installation.sweep()

    assert installation.happened(RequestOpened) == ["RequestOpened"]


def test_a_model_that_one_scan_leaves_out_is_not_taken_for_deleted(installation: Installation) -> None:
    request = installation.asked()
    registry = installation.s.registry
    installation.s = replace(installation.s, registry=Forgetful(registry, installation.model))  # type: ignore[arg-type]

    installation.sweep("sweep_models")

    assert installation.reread(request).state is State.PENDING
    assert installation.happened(ModelGone) == []


@dataclass
class Forgetful:
    """The real registry, but for one model that falls between two pages of a scan."""

    registry: ModelRegistry
    missing: str

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def list_models(self) -> Iterator[object]:
        return (summary for summary in self.registry.list_models() if summary.name != self.missing)


def test_a_model_that_is_gone_is_told_once(installation: Installation) -> None:
    installation.register()
    installation.sweep()

    installation.mlflow.delete_registered_model(installation.model)
    installation.sweep()
    installation.sweep()

    assert installation.happened(ModelGone) == ["ModelGone"]


@pytest.mark.parametrize(
    "order", [("move", "versions", "models"), ("versions", "move", "models"), ("models", "versions", "move")]
)
def test_our_own_move_is_no_news_whatever_comes_first(installation: Installation, order: tuple[str, ...]) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    run: dict[str, Callable[[], None]] = {
        "move": installation.settle,
        "versions": lambda: sweeps.sweep_versions("", installation.s),
        "models": lambda: sweeps.sweep_models("", installation.s),
    }

    for step in order:
        run[step]()
    installation.settle()
    installation.sweep()

    assert installation.champion() == 1
    assert installation.happened(MoveObserved) == []
    assert installation.happened(TargetMoved) == ["TargetMoved"]


def test_a_look_in_the_middle_of_our_own_move_takes_it_for_ours(installation: Installation) -> None:
    request = installation.asked()
    installation.s = replace(installation.s, registry=Overlooked(installation.s.registry, installation))  # type: ignore[arg-type]

    installation.approve(request)
    installation.sweep()

    assert installation.champion() == 1
    assert installation.reread(request).state is State.APPLIED
    assert installation.happened(MoveObserved) == []
    assert installation.happened(TargetMoved) == ["TargetMoved"]


@dataclass
class Overlooked:
    """The real registry; just before and just after each move of an alias somebody looks."""

    registry: ModelRegistry
    installation: Installation

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        reconcile.reconcile_model(f"default/{model}", self.installation.s)
        self.registry.set_alias(model, alias, version)
        reconcile.reconcile_model(f"default/{model}", self.installation.s)


def test_our_own_move_is_no_news_even_when_its_answer_was_lost(watched: Watched) -> None:
    installation = watched.installation
    request = installation.asked()
    installation.click("ana", request, "approve")
    watched.faults.add("cut", path="registered-models/alias", method="POST")

    installation.sweep()
    installation.settle_until(lambda: installation.reread(request).state is State.APPLIED)
    installation.settle_all()
    installation.sweep()

    assert installation.champion() == 1
    assert installation.happened(MoveObserved) == []
    assert installation.happened(TargetMoved) == ["TargetMoved"]


@pytest.mark.proof
def test_putting_back_is_no_news_either_when_its_answer_was_lost(watched: Watched) -> None:
    installation = watched.installation
    installation.approve(installation.asked())
    installation.register()
    installation.move(2)
    watched.faults.add("cut", path="registered-models/alias", method="POST")

    installation.reject(
        installation.request(2), "No.", settle=installation.settle_once
    )  # the sweep comes before the attempt that finds out
    installation.sweep()
    installation.settle_all()
    installation.sweep()

    assert installation.champion() == 1
    assert installation.request(2).settled_at is not None
    assert installation.happened(MoveObserved) == ["MoveObserved"]


def test_two_sweeps_at_once_make_one_request(installation: Installation) -> None:
    installation.ask(installation.register())

    for sweep in (sweeps.sweep_versions, sweeps.sweep_models, sweeps.sweep_models, sweeps.sweep_versions):
        sweep("", installation.s)
    installation.settle()

    assert installation.happened(RequestOpened) == ["RequestOpened"]
    assert len(installation.cards()) == 1
