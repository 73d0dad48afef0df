"""A stage may hold several versions and is represented by the newest, so it is a change when another one is the newest."""

from __future__ import annotations

from bot.domain.events import MoveObserved
from bot.domain.model import Kind, State
from bot.domain.registry.watch_events import HolderLeft
from tests.fixtures.installation import Installation


def test_archiving_the_newest_version_is_recorded_and_leaves_an_older_ratified_one_alone(
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

    ratified = installation.request(1, "stage:Production")
    assert (ratified.kind, ratified.state) == (Kind.OBSERVED, State.APPLIED)
    assert installation.happened(MoveObserved, HolderLeft) == ["MoveObserved", "HolderLeft"]
