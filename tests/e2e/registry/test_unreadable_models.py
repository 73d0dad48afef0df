"""One registered model that cannot be read: it is announced once, retried at every sweep, and holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.events import ModelReadable, ModelRenamed, ModelUnreadable, MoveObserved
from bot.engine.rows import JobStatus
from bot.errors import Temporary
from bot.sandbox.faults import Faults
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import CHANNEL, Installation

ALWAYS = 10_000
READING = "registered-models/get"


@pytest.fixture
def proxy(mlflow_server: str) -> Iterator[tuple[str, Faults]]:
    with fault_proxy(mlflow_server) as (url, faults):
        yield url, faults


@pytest.fixture
def installation(open_installation: Callable[..., Installation], proxy: tuple[str, Faults]) -> Installation:
    ready = open_installation(registry_url=proxy[0])
    ready.sweep()
    return ready


class OneIsBroken:
    """The real registry, but for one registered model."""

    def __init__(self, registry: Any, name: str, trouble: Exception) -> None:
        self._registry, self._name, self._trouble = registry, name, trouble

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def find_model(self, workspace: str, name: str) -> Any:
        if name == self._name:
            raise self._trouble
        return self._registry.find_model(workspace, name)


def said(installation: Installation) -> str:
    return "\n".join(message.all_text for message in installation.slack.messages(CHANNEL))


def test_a_model_that_answers_403_is_told_once_and_parks_nothing(
    installation: Installation, proxy: tuple[str, Faults]
) -> None:
    installation.promoted()
    proxy[1].add("status", READING, status=403, times=ALWAYS)
    installation.register()
    for _ in range(5):
        installation.sweep()
    while_broken = installation.happened(ModelUnreadable, ModelReadable)

    proxy[1].clear()
    installation.move(2)

    assert while_broken == ["ModelUnreadable"]
    assert installation.s.store.jobs.listing(JobStatus.PARKED) == []
    assert installation.happened(ModelUnreadable, ModelReadable, MoveObserved) == [
        "ModelUnreadable",
        "MoveObserved",
        "ModelReadable",
    ]
    assert "cannot look at the registered model" in said(installation)
    assert "can be read again" in said(installation)


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 500}, {"kind": "status", "status": 429, "seconds": 1}, {"kind": "malformed"}],
    ids=["500", "429", "half an answer"],
)
@pytest.mark.proof
def test_trouble_that_lasts_longer_than_a_sweep_is_told(
    installation: Installation, proxy: tuple[str, Faults], fault: dict[str, Any]
) -> None:
    installation.promoted()
    proxy[1].add(
        fault["kind"], READING, **{name: value for name, value in fault.items() if name != "kind"}, times=ALWAYS
    )
    installation.register()
    installation.sweep()
    at_once = installation.happened(ModelUnreadable)

    installation.clock.ahead += timedelta(seconds=61)
    installation.sweep()
    installation.settle_until(lambda: installation.happened(ModelUnreadable))

    assert (at_once, installation.happened(ModelUnreadable)) == ([], ["ModelUnreadable"])


def test_a_move_that_was_made_while_the_model_could_not_be_read_is_judged_afterwards(
    installation: Installation, proxy: tuple[str, Faults]
) -> None:
    installation.promoted()
    installation.register()
    proxy[1].add("status", READING, status=503, times=2)

    installation.move(2)
    installation.settle_until(lambda: installation.happened(MoveObserved))

    assert installation.happened(ModelUnreadable) == []


def test_one_broken_model_holds_up_no_other(installation: Installation) -> None:
    other = f"{installation.model}-other"
    installation.promoted()
    installation.register(model=other)
    installation.sweep()
    long = Temporary("MLflow answered 503 while reading the model. It will be tried again.", 86_400.0)
    installation.s = replace(installation.s, registry=OneIsBroken(installation.s.registry, installation.model, long))  # type: ignore[arg-type]
    installation.register()
    installation.ask(2, "champion")
    installation.mlflow.set_registered_model_alias(other, "champion", "1")

    installation.sweep()

    assert [entry["model"] for entry in installation.entries(MoveObserved)] == [other]
    assert [entry["model"] for entry in installation.entries(ModelUnreadable)] == [installation.model]


@pytest.mark.proof
def test_a_search_for_tags_that_fails_does_not_hide_a_moved_alias(
    installation: Installation, proxy: tuple[str, Faults]
) -> None:
    installation.promoted()
    installation.register()
    installation.sweep()
    proxy[1].add("status", "model-versions/search", status=500, times=1)

    installation.ask(2, "champion")
    installation.sweep("sweep_models")
    installation.settle_until(lambda: installation.happened(MoveObserved))

    assert installation.happened(MoveObserved) == ["MoveObserved"]


@pytest.mark.proof
def test_a_renamed_model_is_told_in_the_channel_within_one_sweep(installation: Installation) -> None:
    installation.promoted()
    installation.sweep()

    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-2")
    installation.sweep()

    assert [entry["after"] for entry in installation.entries(ModelRenamed)] == [f"{installation.model}-2"]
    assert f"is called {installation.model}-2 now" in said(installation)


def test_a_long_retry_after_of_one_answer_stops_no_sweep_for_longer_than_a_quarter_of_an_hour(
    installation: Installation, proxy: tuple[str, Faults]
) -> None:
    installation.promoted()
    proxy[1].add("status", "registered-models/search", status=429, seconds=86_400, times=1)

    installation.sweep("sweep_models")

    (waiting,) = [job for job in installation.s.store.jobs.listing(JobStatus.WAITING) if job.name == "sweep_models"]
    assert waiting.scheduled_at is not None
    assert (waiting.scheduled_at - installation.clock.now()).total_seconds() <= 15 * 60


def test_a_look_that_misses_the_row_of_a_request_says_so(installation: Installation) -> None:
    installation.promoted()
    request = installation.asked()
    with installation.s.store.engine.begin() as connection:
        connection.execute(sa.text("delete from requests where id = :id"), {"id": request.id})

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()

    (told,) = installation.entries(ModelUnreadable)
    assert "its row is missing, and the ledger tells of it" in told["reason"]
