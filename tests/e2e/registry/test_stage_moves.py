"""A stage may hold several versions and is represented by the newest, so it is a change when another one is the newest."""

from __future__ import annotations

from bot.domain.events import MoveObserved
from bot.domain.model import Kind, State
from tests.fixtures.installation import Installation


def test_archiving_the_approved_version_is_news_while_an_older_one_is_still_in_the_stage(
    installation: Installation,
) -> None:
    installation.use_policy(target="{stage: Production}")
    installation.register()
    installation.ask(installation.register())
    installation.sweep()
    installation.approve(installation.request(2, "stage:Production"))
    installation.stage(1, "Production")
    installation.sweep()
    installation.approve(installation.request(1, "stage:Production"))

    installation.stage(2, "Archived")
    installation.sweep()

    observed = installation.request(1, "stage:Production")
    assert (observed.kind, observed.state) == (Kind.OBSERVED, State.PENDING)
    assert f"{installation.model} v2 before" in installation.card(observed).all_text
    assert installation.happened(MoveObserved) == ["MoveObserved", "MoveObserved"]
    last = [entry for entry in installation.entries(MoveObserved) if entry["model"] == installation.model][-1]
    assert (last["version"]["version"], last["previous"]["version"]) == (1, 2)
