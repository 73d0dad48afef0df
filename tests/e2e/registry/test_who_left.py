"""What takes holders away says who they were, so that the digest of the week before still knows them."""

from __future__ import annotations

from bot.domain.events import ModelGone, TargetMoved
from tests.fixtures.installation import Installation

PRODUCTION = "stage:Production"


def test_a_model_that_is_gone_is_recorded_with_what_it_held(installation: Installation) -> None:
    installation.promoted()
    request = installation.request(1)

    installation.mlflow.delete_registered_model(installation.model)
    installation.sweep()

    [gone] = installation.entries(ModelGone)
    [placed] = gone["placements"]
    assert (placed["version"]["version"], placed["target"]["name"]) == (1, "champion")
    assert placed["request_id"] == request.id


def test_everybody_who_leaves_a_stage_for_a_promotion_is_recorded(installation: Installation) -> None:
    installation.use_policy(target="{stage: Production}", ask_on="[{alias: candidate}]", observed="report")
    for version in (installation.register(), installation.register()):
        installation.stage(version, "Production")
    installation.sweep()
    installation.ask(installation.register())
    installation.sweep()

    installation.approve(installation.request(3, PRODUCTION))

    [moved] = installation.entries(TargetMoved)
    assert moved["previous"]["version"] == 2
    assert [version["version"] for version in moved["besides"]] == [1]
