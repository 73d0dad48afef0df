"""What takes holders away says who they were, so that the digest of the week before still knows them."""

from __future__ import annotations

from bot.domain.events import ModelGone, TargetMoved
from tests.fixtures.installation import House

PRODUCTION = "stage:Production"


def test_a_model_that_is_gone_is_recorded_with_what_it_held(house: House) -> None:
    house.promoted()
    request = house.request(1)

    house.mlflow.delete_registered_model(house.model)
    house.sweep()

    [gone] = house.entries(ModelGone)
    [placed] = gone["placements"]
    assert (placed["version"]["version"], placed["target"]["name"]) == (1, "champion")
    assert placed["request_id"] == request.id


def test_everybody_who_leaves_a_stage_for_a_promotion_is_recorded(house: House) -> None:
    house.use_policy(target="{stage: Production}", ask_on="[{alias: candidate}]", observed="report")
    for version in (house.register(), house.register()):
        house.stage(version, "Production")
    house.sweep()
    house.ask(house.register())
    house.sweep()

    house.approve(house.request(3, PRODUCTION))

    [moved] = house.entries(TargetMoved)
    assert moved["previous"]["version"] == 2
    assert [version["version"] for version in moved["besides"]] == [1]
