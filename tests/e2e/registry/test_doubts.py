"""A registry that suddenly holds much less than it did is not believed: a second, empty MLflow plays the emptied database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
import sqlalchemy as sa

from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.events import BaselineTaken, ModelGone, RegistryDoubted, RegistryTrusted
from bot.domain.model import State
from bot.engine.lanes import FollowUp, Lane
from bot.engine.rows import JobStatus
from bot.sandbox.mlflow_server import running_mlflow
from handlers.policy.kill_switch import person_named
from handlers.registry.sweeps import accept_registry
from tests.fixtures import quick_directory
from tests.fixtures.installation import CHANNEL, Installation
from tests.fixtures.mlflow_server import SERVED_BY, SERVED_BY_GUNICORN


@pytest.fixture(scope="module")
def empty_mlflow() -> Iterator[str]:
    with (
        quick_directory() as home,
        running_mlflow(home / "mlflow", options=SERVED_BY_GUNICORN, python=SERVED_BY) as url,
    ):
        yield url


@pytest.fixture
def elsewhere(installation: Installation, empty_mlflow: str) -> Callable[[], None]:
    """From now on MLFLOW_TRACKING_URI leads to the empty server."""

    def go() -> None:
        installation.s = replace(installation.s, registry=MlflowRegistry(empty_mlflow, webhook_secrets=[]))

    return go


def back_home(installation: Installation, registry: object) -> None:
    installation.s = replace(installation.s, registry=registry)  # type: ignore[arg-type]


def said(installation: Installation) -> str:
    return "\n".join(message.all_text for message in installation.slack.messages(CHANNEL))


def readyz(installation: Installation) -> dict[str, object]:
    answer = requests.get(f"{installation.status_url}/readyz", timeout=10)
    assert answer.status_code == 200
    return dict(answer.json())


def holder(installation: Installation) -> str | None:
    """The request of the version that is on record as champion."""
    with installation.s.store.transaction() as tx:
        placed = tx.registry.placements("default", installation.model)
    return next((one.request_id for one in placed if one.target.name == "champion"), None)


def run_out_of_time(installation: Installation) -> None:
    """What waits has been tried for 72 hours, and this is its last attempt."""
    with installation.s.store.transaction() as tx:
        over = "args = args || jsonb_build_object('not_after', now()), scheduled_at = now()"
        tx.connection.execute(sa.text(f"update procrastinate_jobs set {over} where status = 'todo'"))
    installation.settle_once()


def parked(installation: Installation) -> set[str]:
    return {job.name for job in installation.s.store.jobs.listing(JobStatus.PARKED)}


def test_an_emptied_registry_costs_no_approval_and_all_goes_on_when_it_is_back(
    installation: Installation, elsewhere: Callable[[], None]
) -> None:
    promoted, home = installation.promoted(), installation.s.registry
    elsewhere()
    for _ in range(3):
        installation.sweep()
    away = (holder(installation), installation.happened(ModelGone), len(installation.entries(RegistryDoubted)))
    back_home(installation, home)
    installation.sweep()

    assert away == (promoted.id, [], 1)
    assert (holder(installation), installation.champion()) == (promoted.id, 1)
    assert [entry["person"] for entry in installation.entries(RegistryTrusted)] == [""]
    assert "does not believe the registry" in said(installation)
    assert "is there again" in said(installation)


@pytest.mark.proof
def test_while_it_is_doubted_nothing_moves_and_nothing_expires(
    installation: Installation, elsewhere: Callable[[], None]
) -> None:
    installation.promoted()
    pending, home = installation.asked(), installation.s.registry
    elsewhere()
    installation.sweep()
    installation.approve(pending)
    waits = installation.reread(pending).state
    other = installation.reread(pending)
    installation.clock.ahead += timedelta(days=30)
    installation.sweep("expire_requests")
    back_home(installation, home)
    installation.sweep()
    installation.settle_until(lambda: installation.reread(pending).state is State.APPLIED)

    assert (waits, other.state, installation.champion()) == (State.APPROVED, State.APPROVED, 2)


@pytest.mark.proof
def test_whatever_was_parked_because_of_a_doubt_goes_on_when_it_has_ended(
    installation: Installation, elsewhere: Callable[[], None]
) -> None:
    promoted = installation.promoted()
    pending, home = installation.asked(), installation.s.registry
    elsewhere()
    installation.sweep()
    with installation.s.store.transaction() as tx:
        tx.defer_for(FollowUp("renew_comparison", Lane.EVIDENCE), pending)
        tx.defer_for(FollowUp("sync_tags", Lane.TAGS), promoted)
    run_out_of_time(installation)
    given_up = parked(installation)

    back_home(installation, home)
    installation.sweep()
    installation.settle_all()

    assert given_up == {"renew_comparison", "sync_tags"}
    assert parked(installation) == set()


@pytest.mark.proof
def test_an_open_request_outlives_a_doubt_that_is_longer_than_its_time(
    installation: Installation, elsewhere: Callable[[], None]
) -> None:
    pending = installation.asked()
    elsewhere()
    installation.sweep()

    installation.clock.ahead += timedelta(days=30)
    installation.sweep("expire_requests")

    assert installation.reread(pending).state is State.PENDING


@pytest.mark.proof
def test_a_move_that_comes_before_the_next_sweep_sees_by_itself_that_it_is_another_registry(
    installation: Installation, elsewhere: Callable[[], None]
) -> None:
    """The registry is not doubted yet: to go stale because the version is gone would lose the approval."""
    installation.promoted()
    pending, home = installation.asked(), installation.s.registry

    elsewhere()
    installation.approve(pending)
    waits = installation.reread(pending).state
    back_home(installation, home)
    installation.make_jobs_due()
    installation.settle()

    assert (waits, installation.reread(pending).state) == (State.APPROVED, State.APPLIED)


def test_readyz_and_the_metrics_show_the_doubt(installation: Installation, elsewhere: Callable[[], None]) -> None:
    installation.promoted()
    before = readyz(installation)["registry"]
    elsewhere()
    installation.sweep()

    shown = readyz(installation)
    metrics = requests.get(f"{installation.status_url}/metrics", timeout=10).text

    assert before == {"believed": True, "why": ""}
    assert (shown["status"], shown["registry"]["believed"]) == ("degraded", False)  # type: ignore[index]
    assert "another registry" in shown["registry"]["why"]  # type: ignore[index]
    assert "countersign_registry_doubted 1.0" in metrics


def test_an_admin_accepts_what_is_there_and_that_is_the_baseline(
    installation: Installation, elsewhere: Callable[[], None]
) -> None:
    installation.promoted()
    pending = installation.asked()
    elsewhere()
    installation.sweep()

    told = accept_registry(
        "the old server was retired", person_named("ana@example.com", installation.s), installation.s
    )
    installation.settle_all()
    installation.sweep()

    assert "Accepted" in told
    assert installation.entries(RegistryTrusted)[-1]["reason"] == "the old server was retired"
    assert (len(installation.entries(BaselineTaken)), installation.happened(ModelGone)) == (2, ["ModelGone"])
    assert installation.reread(pending).state is State.WITHDRAWN
    assert readyz(installation)["registry"] == {"believed": True, "why": ""}
    assert "Ana Ruiz has accepted the registry" in said(installation)


def test_accepting_what_is_believed_changes_nothing(installation: Installation) -> None:
    installation.promoted()

    told = accept_registry("no reason at all", person_named("ana@example.com", installation.s), installation.s)

    assert "believed already" in told
    assert installation.entries(RegistryTrusted) == []


@pytest.mark.parametrize("others", [0, 1], ids=["the only model", "one of two"])
def test_a_model_that_a_person_deletes_is_gone_and_that_is_told(installation: Installation, others: int) -> None:
    installation.promoted()
    for number in range(others):
        installation.register(model=f"{installation.model}-{number}")
    installation.sweep()

    installation.mlflow.delete_registered_model(installation.model)
    installation.sweep()

    assert (installation.happened(ModelGone), installation.entries(RegistryDoubted)) == (["ModelGone"], [])
    assert f"The registered model {installation.model} is gone" in said(installation)
    assert "It held champion (v1)" in said(installation)


def three_models_vanish(installation: Installation) -> None:
    """On the same server: somebody has cleaned up, or a script has gone wrong."""
    names = [f"{installation.model}-{number}" for number in range(3)]
    for name in names:
        installation.register(model=name)
    installation.sweep()
    for name in names:
        installation.mlflow.delete_registered_model(name)
    installation.sweep()


@pytest.mark.proof
def test_many_models_that_vanish_at_once_are_doubted_until_somebody_accepts(installation: Installation) -> None:
    installation.promoted()
    three_models_vanish(installation)
    gone_before = installation.happened(ModelGone)

    accept_registry("they were experiments", person_named("ana@example.com", installation.s), installation.s)
    installation.settle_all()

    assert (gone_before, installation.happened(ModelGone)) == ([], ["ModelGone"] * 3)
    assert holder(installation) is not None


@pytest.mark.proof
def test_nothing_moves_in_a_registry_that_is_the_same_and_doubted(installation: Installation) -> None:
    installation.promoted()
    pending = installation.asked()
    three_models_vanish(installation)

    installation.approve(pending)
    while_doubted = (installation.reread(pending).state, installation.champion())
    accept_registry("they were experiments", person_named("ana@example.com", installation.s), installation.s)
    installation.settle_until(lambda: installation.reread(pending).state is State.APPLIED)

    assert while_doubted == (State.APPROVED, 1)
    assert installation.champion() == 2
