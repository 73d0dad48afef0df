"""A stage may hold several versions; the newest stands for it, so it is news when another one stands for it again."""

from __future__ import annotations

from bot.domain.events import MoveObserved
from bot.domain.model import Kind, State
from tests.fixtures.installation import House


def test_archiving_the_approved_version_is_news_while_an_older_one_is_still_in_the_stage(house: House) -> None:
    house.use_policy(target="{stage: Production}")
    house.register()
    house.ask(house.register())
    house.sweep()
    house.approve(house.request(2, "stage:Production"))
    house.stage(1, "Production")
    house.sweep()
    house.approve(house.request(1, "stage:Production"))

    house.stage(2, "Archived")
    house.sweep()

    observed = house.request(1, "stage:Production")
    assert (observed.kind, observed.state) == (Kind.OBSERVED, State.PENDING)
    assert f"{house.model} v2 before" in house.card(observed).all_text
    assert house.happened(MoveObserved) == ["MoveObserved", "MoveObserved"]
    last = [entry for entry in house.entries(MoveObserved) if entry["model"] == house.model][-1]
    assert (last["version"]["version"], last["previous"]["version"]) == (1, 2)
