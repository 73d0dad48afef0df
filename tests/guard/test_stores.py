"""What MLflow's own store answers, and that a failure of it is taken for nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from countersign_guard.guard import Guard
from countersign_guard.keeping import Keeper, Source
from countersign_guard.outbox import Outbox
from countersign_guard.reporting import Reporter, nobody
from countersign_guard.stores import Mlflow, Unknown
from countersign_guard.writes import Act, Write
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, TEMPORARILY_UNAVAILABLE

from bot.domain.model import Target, TargetKind
from tests.builders import a_rule
from tests.guard.guarded_server import StandIn

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
RUN = "a" * 32


class Store:
    """Of runs and of models; `error` is what it answers."""

    def __init__(self, error: int | None = None) -> None:
        self.error = error

    def get_run(self, run: str) -> SimpleNamespace:
        self._fail()
        return SimpleNamespace(info=SimpleNamespace(experiment_id="4", status="RUNNING"))

    def get_registered_model(self, name: str) -> SimpleNamespace:
        self._fail()
        return SimpleNamespace(name=name, aliases={})

    def get_model_version(self, name: str, version: str) -> SimpleNamespace:
        self._fail()
        return SimpleNamespace(current_stage="Staging")

    def _fail(self) -> None:
        if self.error is not None:
            raise MlflowException("no", self.error)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    from mlflow.server import handlers  # which warns about its own use of SQLAlchemy

    store = Store()
    monkeypatch.setattr(handlers, "_get_tracking_store", lambda: store)
    monkeypatch.setattr(handlers, "_get_model_registry_store", lambda: store)
    return store


@pytest.mark.parametrize("error", [RESOURCE_DOES_NOT_EXIST, TEMPORARILY_UNAVAILABLE])
def test_a_run_that_was_not_found_may_be_found_later(store: Store, error: int) -> None:
    known = Mlflow()
    store.error = error
    try:
        before = known.runs_are_in("4", [RUN])
    except Unknown:
        before = False
    store.error = None

    assert (before, known.runs_are_in("4", [RUN])) == (False, True)


@pytest.mark.parametrize("number", ["1", "9" * 30])
def test_a_stage_that_the_tables_cannot_say_is_asked_of_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    without_tables = sa.create_engine("sqlite://")
    monkeypatch.setattr(store, "engine", without_tables, raising=False)
    monkeypatch.setattr(store, "_get_active_workspace", lambda: "default", raising=False)

    assert Mlflow().stage("bike-demand", number) == "Staging"
    store.error = TEMPORARILY_UNAVAILABLE
    with pytest.raises(Unknown):
        Mlflow().stage("bike-demand", number)
    without_tables.dispose()


def test_a_store_that_does_not_answer_does_not_say_that_nothing_is_there(store: Store) -> None:
    store.error = TEMPORARILY_UNAVAILABLE

    for ask in (Mlflow().is_running, Mlflow().is_there, Mlflow().real_name, Mlflow().aliases):
        with pytest.raises(Unknown):
            ask(RUN)


def test_what_cannot_be_decided_is_not_done(store: Store, tmp_path: Path) -> None:
    bot = StandIn()
    bot.govern([a_rule(models="bike-*", target=Target(TargetKind.ALIAS, "champion"))])
    keeper = Keeper(Source("http://127.0.0.1:9", "", "default", (bot.key.public_key(),)), tmp_path)
    keeper.take(bot.answer or "")
    reporter = Reporter(keeper.source, "x" * 32, Outbox(tmp_path / "writes.sqlite"), nobody)
    guard = Guard(keeper, "x" * 32, reporter)
    write = Write(Act.DELETE_ALIAS, "default", "other", "1", name="champion")

    store.error = TEMPORARILY_UNAVAILABLE
    undecided = guard.refuses(lambda: write)
    store.error = None

    assert undecided is not None
    assert undecided.status == 503
    assert guard.refuses(lambda: write) is None
