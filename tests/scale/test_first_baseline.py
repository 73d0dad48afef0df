"""The first baseline of a large registry: page by page, each page's models in one transaction, and on from there after a failure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bot.clients.mlflow.registry import ALL_A_PAGE
from bot.domain.events import BaselineRecorded, BaselineTaken
from bot.errors import Permanent, Temporary
from bot.store.ledger import read_event
from bot.store.vouched.baselines import differences
from handlers.registry import baselines
from tests.scale import made_registry
from tests.scale.house import House, house_on
from tests.scale.made_registry import MadeRegistry, model_name

A_PAGE = 20
MODELS, VERSIONS = 30, 7  # eleven pages, most of which end within a model


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> MadeRegistry:
    monkeypatch.setattr(made_registry, "ALL_A_PAGE", A_PAGE)
    assert A_PAGE < ALL_A_PAGE
    return MadeRegistry(MODELS, VERSIONS)


@pytest.fixture
def house(database_url: str, registry: MadeRegistry) -> Iterator[House]:
    with house_on(database_url, registry) as house:
        yield house


def known(house: House) -> dict[str, int]:
    """The newest version on record of each model."""
    with house.s.store.transaction() as tx:
        return {model.name: model.newest for model in tx.registry.models("default")}


def taken(house: House) -> list[tuple[int, int]]:
    with house.s.store.transaction() as tx:
        events = [read_event(entry.kind, entry.body) for entry in tx.ledger.entries(BaselineTaken.__name__)]
    return [(event.models, event.held) for event in events if isinstance(event, BaselineTaken)]


def test_each_version_is_read_once_and_each_model_is_on_record(house: House, registry: MadeRegistry) -> None:
    assert house.sweep() == []

    assert registry.calls["all versions"] == -(-MODELS * VERSIONS // A_PAGE)
    assert registry.calls["a model"] == 0
    assert known(house) == {model_name(number): VERSIONS for number in range(MODELS)}
    assert taken(house) == [(MODELS, MODELS)]
    assert house.sweep() == []
    with house.s.store.transaction() as tx:
        assert set(tx.registry.last_sweeps(["default"])) == {("models", "default")}


def test_a_few_entries_vouch_for_all_that_is_baseline(house: House) -> None:
    house.sweep()

    with house.s.store.transaction() as tx:
        events = [read_event(entry.kind, entry.body) for entry in tx.ledger.entries(BaselineRecorded.__name__)]
        rows = tx.connection.execute(sa.text("select count(*) from baselines")).scalar_one()
        assert list(differences(tx.connection)) == []
    assert sum(len(event.held) for event in events if isinstance(event, BaselineRecorded)) == rows == MODELS
    assert len(events) <= 1 + -(
        -MODELS * VERSIONS // A_PAGE
    )  # one a transaction; a page has far fewer versions here than in earnest


def test_no_more_than_a_page_and_the_model_at_its_end_are_in_memory(registry: MadeRegistry) -> None:
    sizes = [sum(map(len, models.values())) for _, models in baselines._parts(registry.version_pages())]

    assert sum(sizes) == MODELS * VERSIONS
    assert max(sizes) <= A_PAGE + VERSIONS


def test_a_baseline_goes_on_where_a_failure_has_ended_it(house: House, registry: MadeRegistry) -> None:
    registry.fails_after, registry.trouble = 6, Temporary("MLflow took longer than 10 s")
    with pytest.raises(Temporary):
        house.sweep()
    done = known(house)
    assert len(done) == 6 * A_PAGE // VERSIONS
    assert taken(house) == []
    registry.calls.clear()

    house.sweep()

    assert registry.calls["all versions"] == 11 - 5  # from the page in which the last model began
    assert len(known(house)) == MODELS
    assert taken(house) == [(MODELS, MODELS)]


def test_what_changed_of_a_model_on_record_is_news_after_the_baseline(house: House, registry: MadeRegistry) -> None:
    registry.fails_after, registry.trouble = 6, Temporary("MLflow took longer than 10 s")
    with pytest.raises(Temporary):
        house.sweep()
    registry.aliases["bike-1"] = {"candidate": 3}  # on record already
    registry.aliases["bike-29"] = {"candidate": 3}  # not yet: part of the baseline

    house.sweep()

    assert house.sweep() == ["default/bike-1"]


def test_a_server_that_has_forgotten_the_page_is_read_from_the_beginning(house: House, registry: MadeRegistry) -> None:
    registry.fails_after, registry.trouble = 6, Temporary("MLflow took longer than 10 s")
    with pytest.raises(Temporary):
        house.sweep()
    registry.fails_after, registry.trouble = 5, Permanent("Invalid page token")

    house.sweep()

    assert taken(house) == [(MODELS, MODELS)]


def test_another_server_is_not_taken_for_the_rest_of_the_first(house: House, registry: MadeRegistry) -> None:
    registry.fails_after, registry.trouble = 6, Temporary("MLflow took longer than 10 s")
    with pytest.raises(Temporary):
        house.sweep()
    before = known(house)
    registry.server, registry.models = "another", 5

    house.sweep()

    assert known(house) == before
    assert taken(house) == []


def test_a_model_whose_listing_lacks_a_version_is_read_by_itself(house: House, registry: MadeRegistry) -> None:
    registry.aliases["bike-3"] = {"challenger": 9}  # registered after the pages were read

    house.sweep()

    assert registry.calls["a model"] == 1
    assert known(house)["bike-3"] == VERSIONS
