"""A put-back that was parked, and the world went on without it: what it is still worth when somebody replays it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bot.domain.events import MoveObserved
from bot.domain.model import Kind, State, TransitionRequest
from bot.engine.rows import JobStatus
from bot.sandbox.faults import Faults
from handlers.request import asking
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import House


@pytest.fixture
def registry(mlflow_server: str) -> Iterator[tuple[str, Faults]]:
    """A way to the real MLflow that can be made to misbehave."""
    with fault_proxy(mlflow_server) as proxy:
        yield proxy


@pytest.fixture
def house(open_house: Callable[..., House], registry: tuple[str, Faults]) -> House:
    ready = open_house(registry_url=registry[0])
    ready.sweep()
    return ready


def parked_put_back(house: House, faults: Faults) -> TransitionRequest:
    """v1 is champion by approval, v2 by hand; MLflow does not let us put it back."""
    house.approve(house.asked())
    house.register()
    house.move(2)
    faults.add("status", path="registered-models/alias$", method="POST", status=403)
    house.reject(house.request(2), "Nobody looked at it.")
    assert [job.name for job in house.s.store.jobs.listing(JobStatus.PARKED)] == ["sync_target"]
    return house.request(2)


def replay(house: House) -> None:
    house.s.store.jobs.replay_all()
    house.settle_all()


def test_a_put_back_that_is_replayed_after_the_holder_was_ratified_moves_nothing(
    house: House, registry: tuple[str, Faults]
) -> None:
    rejected = parked_put_back(house, registry[1])
    (adopted,) = asking.adopt(house.s)
    house.settle()
    house.approve(adopted)

    replay(house)
    house.sweep()

    assert house.champion() == 2
    assert house.reread(adopted).state is State.APPLIED
    assert f"champion is held by {house.model} v2 now; Countersign did not move it" in house.card(rejected).all_text
    assert "went back" not in house.card(rejected).all_text + house.comments(rejected)
    assert house.ticket_status(rejected) == "Won't Do"
    assert house.unfinished() == []


def test_a_parked_put_back_does_not_hide_a_later_move_to_where_it_wanted_to_go(
    house: House, registry: tuple[str, Faults]
) -> None:
    rejected = parked_put_back(house, registry[1])
    house.approve(house.asked())

    house.move(1)
    observed = house.request(1)
    replay(house)

    assert (observed.kind, observed.state) == (Kind.OBSERVED, State.PENDING)
    assert f"{house.model} v3 before" in house.card(observed).all_text
    assert house.happened(MoveObserved) == ["MoveObserved", "MoveObserved"]
    assert "went back" not in house.card(rejected).all_text + house.comments(rejected)
    assert house.reread(observed).state is State.PENDING
    assert [waiting.id for waiting in asking.adopt(house.s)] == [observed.id]  # held without an approval still


def test_a_put_back_that_somebody_does_by_hand_while_it_is_parked_ends_the_matter(
    house: House, registry: tuple[str, Faults]
) -> None:
    rejected = parked_put_back(house, registry[1])

    house.move(1)
    replay(house)

    assert house.champion() == 1
    assert house.unfinished() == []
    assert house.reread(rejected).settled_holder == house.request(1).version
    assert asking.adopt(house.s) == []
