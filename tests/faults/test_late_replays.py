"""A put-back that was parked, and the world went on without it: what it is still worth when somebody replays it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bot.domain.events import MoveObserved
from bot.domain.model import Kind, State, TransitionRequest
from bot.engine.rows import JobStatus
from bot.sandbox.faults import Faults
from handlers.request import adopting
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import Installation

pytestmark = pytest.mark.proof


@pytest.fixture
def registry(mlflow_server: str) -> Iterator[tuple[str, Faults]]:
    """A way to the real MLflow that can be made to misbehave."""
    with fault_proxy(mlflow_server) as proxy:
        yield proxy


@pytest.fixture
def installation(open_installation: Callable[..., Installation], registry: tuple[str, Faults]) -> Installation:
    ready = open_installation(registry_url=registry[0])
    ready.sweep()
    return ready


def parked_put_back(installation: Installation, faults: Faults) -> TransitionRequest:
    """v1 is champion by approval, v2 by hand; MLflow does not let us put it back."""
    installation.approve(installation.asked())
    installation.register()
    installation.move(2)
    faults.add("status", path="registered-models/alias$", method="POST", status=403)
    installation.reject(installation.request(2), "Nobody looked at it.")
    assert [job.name for job in installation.s.store.jobs.listing(JobStatus.PARKED)] == ["sync_target"]
    return installation.request(2)


def replay(installation: Installation) -> None:
    installation.s.store.jobs.replay_all()
    installation.settle_all()


def test_a_put_back_that_is_replayed_after_the_holder_was_ratified_moves_nothing(
    installation: Installation, registry: tuple[str, Faults]
) -> None:
    rejected = parked_put_back(installation, registry[1])
    (adopted,) = adopting.adopt(installation.s)
    installation.settle()
    installation.approve_with_reason(adopted, "It was looked at since.")

    replay(installation)
    installation.sweep()

    assert installation.champion() == 2
    assert installation.reread(adopted).state is State.APPLIED
    assert (
        f"champion is held by {installation.model} v2 now; Countersign did not move it"
        in installation.card(rejected).all_text
    )
    assert "went back" not in installation.card(rejected).all_text + installation.comments(rejected)
    assert installation.ticket_status(rejected) == "Won't Do"
    assert installation.unfinished() == []


def test_a_parked_put_back_does_not_hide_a_later_move_to_where_it_wanted_to_go(
    installation: Installation, registry: tuple[str, Faults]
) -> None:
    rejected = parked_put_back(installation, registry[1])
    installation.approve(installation.asked())

    installation.move(1)
    observed = installation.request(1)
    replay(installation)

    assert (observed.kind, observed.state) == (Kind.OBSERVED, State.PENDING)
    assert f"(before: {installation.model} v3)" in installation.details(observed)
    assert installation.happened(MoveObserved) == ["MoveObserved", "MoveObserved"]
    assert "went back" not in installation.card(rejected).all_text + installation.comments(rejected)
    assert installation.reread(observed).state is State.PENDING
    assert [waiting.id for waiting in adopting.adopt(installation.s)] == [observed.id]  # held without an approval still


def test_a_put_back_that_somebody_does_by_hand_while_it_is_parked_ends_the_matter(
    installation: Installation, registry: tuple[str, Faults]
) -> None:
    rejected = parked_put_back(installation, registry[1])

    installation.move(1)
    replay(installation)

    assert installation.champion() == 1
    assert installation.unfinished() == []
    assert installation.reread(rejected).settled_holder == installation.request(1).version
    assert adopting.adopt(installation.s) == []
