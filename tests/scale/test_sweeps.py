"""A sweep costs what has changed, however many requests are open and versions there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.clients.mlflow.registry import NEWEST_A_PAGE
from bot.domain.model import State, VersionId
from handlers.registry.sweeps import AWAITED_AT_ONCE, OVERLAP, sweep_versions
from tests.builders import opened
from tests.scale.house import House, house_on
from tests.scale.made_registry import MadeRegistry, model_name

OPEN_REQUESTS = 40
MOST_CALLS = 25


@pytest.fixture
def registry() -> MadeRegistry:
    return MadeRegistry(OPEN_REQUESTS + 10, versions_each=3)


@pytest.fixture
def house(database_url: str, registry: MadeRegistry) -> Iterator[House]:
    """With a baseline, and a request that is open for each of the first models."""
    with house_on(database_url, registry) as house:
        house.sweep(sweep_versions)
        house.sweep()
        with house.s.store.transaction() as tx:
            tx.record(
                [opened(f"{number:032x}", version=second_of(number, registry)) for number in range(OPEN_REQUESTS)]
            )
        house.forget_jobs()
        registry.calls.clear()
        yield house


def second_of(number: int, registry: MadeRegistry) -> VersionId:
    """The second of three versions: no listing of models shows when it is deleted."""
    model = registry.find_model("default", model_name(number))
    assert model is not None
    return model.versions[1].id


def models_of(house: House, state: State) -> set[str]:
    with house.s.store.transaction() as tx:
        return {request.version.model for request in tx.requests.find(states=(state,))}


def test_a_sweep_is_bounded_by_what_changed_and_not_by_open_requests(house: House, registry: MadeRegistry) -> None:
    assert len(models_of(house, State.COLLECTING)) == OPEN_REQUESTS
    registry.aliases["bike-45"] = {"candidate": 3}

    house.sweep_and_look()

    assert registry.calls.total() <= MOST_CALLS
    assert "bike-45" in models_of(house, State.COLLECTING)


def test_each_open_request_has_its_turn_so_that_a_deleted_version_is_noticed(
    house: House, registry: MadeRegistry
) -> None:
    for number in range(OPEN_REQUESTS):
        registry.gone.add(second_of(number, registry))

    for _ in range(OPEN_REQUESTS // AWAITED_AT_ONCE):
        house.sweep_and_look()

    assert models_of(house, State.COLLECTING) == set()


def test_what_changed_is_looked_at_at_once_however_much_it_is(house: House, registry: MadeRegistry) -> None:
    changed = {model_name(number) for number in range(0, OPEN_REQUESTS, 2)}
    for name in changed:
        registry.aliases[name] = {"candidate": 3}

    looked_at = {subject.rpartition("/")[2] for subject in house.sweep()}

    assert changed <= looked_at
    assert len(looked_at) == len(changed) + AWAITED_AT_ONCE


def test_polls_after_many_versions_become_one_call_again(house: House, registry: MadeRegistry) -> None:
    for number in range(6 * NEWEST_A_PAGE):
        registry.register(number % 50, house.clock.now() - timedelta(milliseconds=number))
    assert len(house.sweep(sweep_versions)) == 50
    calls = []

    for _ in range(4):
        house.clock.passes(OVERLAP.total_seconds() / 2)
        registry.calls.clear()
        assert house.sweep(sweep_versions) == []
        calls.append(registry.calls["newest"])

    assert calls[0] >= 6  # the minute in which more may still appear
    assert calls[-1] == 1


def test_a_version_that_appears_late_within_the_overlap_is_found(house: House, registry: MadeRegistry) -> None:
    newest = registry.register(1, house.clock.now())
    house.sweep(sweep_versions)
    house.clock.passes(20)
    assert house.sweep(sweep_versions) == []

    registry.register(2, newest.updated - timedelta(seconds=30))  # by a server whose clock is half a minute behind

    assert house.sweep(sweep_versions) == ["default/bike-2"]
    assert house.sweep(sweep_versions) == []


def test_a_watermark_that_a_process_of_the_release_before_wrote_has_its_own_overlap(
    house: House, registry: MadeRegistry
) -> None:
    registry.register(1, house.clock.now())
    house.sweep(sweep_versions)
    house.clock.passes(3600)
    house.sweep(sweep_versions)
    newest = registry.register(2, house.clock.now())
    with house.s.store.engine.begin() as connection:  # it writes `watermark` and knows neither of the columns beside it
        connection.execute(sa.text("update sweeps set watermark = :at where kind = 'versions'"), {"at": newest.updated})
    house.sweep(sweep_versions)

    registry.register(3, newest.updated - timedelta(seconds=50))

    assert "default/bike-3" in house.sweep(sweep_versions)


def test_what_comes_after_a_quiet_hour_has_the_whole_overlap_again(house: House, registry: MadeRegistry) -> None:
    registry.register(1, house.clock.now())
    house.sweep(sweep_versions)
    house.clock.passes(3600)
    house.sweep(sweep_versions)
    newest = registry.register(3, house.clock.now())
    assert house.sweep(sweep_versions) == ["default/bike-3"]

    registry.register(4, newest.updated - timedelta(seconds=50))

    assert house.sweep(sweep_versions) == ["default/bike-4"]
