"""Targets other than an alias: a stage, and another registered model. And a world that changes between the vote and the move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from bot.domain.events import ApprovalStale, MoveObserved, TargetMoved
from bot.domain.model import AskKind, Kind, State, TransitionRequest, VersionId
from bot.errors import OutcomeUnknown
from bot.ports import ModelRegistry
from handlers.registry import apply
from tests.fixtures.installation import Installation

pytestmark = pytest.mark.proof

STAGE: dict[str, str] = {"target": "{stage: Production}", "ask_on": "[{alias: candidate}]"}
MODEL: dict[str, str] = {"target": '{model: "prod.{name}"}', "ask_on": "[{alias: candidate}]"}


def stages(installation: Installation) -> dict[int, str]:
    versions = installation.mlflow.search_model_versions(f"name = '{installation.model}'")
    return {int(version.version): str(version.current_stage) for version in versions}


def to_production(installation: Installation, version: int | None = None) -> TransitionRequest:
    """Registers if need be, asks by alias, and waits for the vote."""
    number = version or installation.register()
    installation.ask(number)
    installation.sweep()
    return installation.request(number, "stage:Production")


def prod(installation: Installation) -> str:
    return f"prod.{installation.model}"


def copies(installation: Installation) -> list[tuple[int, str]]:
    versions = installation.mlflow.search_model_versions(f"name = '{prod(installation)}'")
    return sorted((int(version.version), str(version.source)) for version in versions)


def to_model(installation: Installation, version: int | None = None) -> TransitionRequest:
    number = version or installation.register()
    installation.ask(number)
    installation.sweep()
    return installation.request(number, f"model:{prod(installation)}")


def foreign_copies(installation: Installation) -> list[TransitionRequest]:
    with installation.s.store.transaction() as tx:
        found = tx.requests.find(workspace="default", model=prod(installation))
    return sorted(found, key=lambda request: request.version)


@dataclass
class Forgetful:
    """The real registry, whose first answer to a copy is lost on the way."""

    registry: ModelRegistry
    copied: int = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def copy_version(self, model: str, version: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        copy = self.registry.copy_version(model, version, to_model, tags)
        self.copied += 1
        if self.copied == 1:
            raise OutcomeUnknown("the answer was lost")
        return copy


@dataclass
class Accompanied:
    """The real registry; just before our copy somebody registers their own version in the target model."""

    registry: ModelRegistry
    installation: Installation

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def copy_version(self, model: str, version: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        self.installation.register(model=to_model)
        return self.registry.copy_version(model, version, to_model, tags)


def test_a_version_goes_to_a_stage_and_the_one_before_is_archived(installation: Installation) -> None:
    installation.use_policy(**STAGE)
    installation.approve(to_production(installation))

    second = to_production(installation)
    installation.approve(second)
    installation.sweep()

    assert stages(installation) == {1: "Archived", 2: "Production"}
    assert f"{installation.model} v2 has been stage Production since" in installation.card(second).all_text
    assert f"it replaced {installation.model} v1." in installation.card(second).all_text
    assert installation.happened(MoveObserved) == []


def test_a_stage_that_was_set_without_asking_is_put_back(installation: Installation) -> None:
    installation.use_policy(**STAGE)
    installation.approve(to_production(installation))
    installation.register()
    installation.stage(2, "Production")
    installation.sweep()
    observed = installation.request(2, "stage:Production")

    installation.reject(observed, "Nobody looked at it.")
    installation.sweep()

    assert observed.kind is Kind.OBSERVED
    assert stages(installation) == {1: "Production", 2: "Archived"}
    assert installation.happened(MoveObserved) == ["MoveObserved"]


def test_a_stage_whose_holder_was_archived_on_the_way_is_put_back_too(installation: Installation) -> None:
    installation.use_policy(**STAGE)
    installation.approve(to_production(installation))
    installation.register()
    installation.stage(1, "Archived")
    installation.stage(2, "Production")
    installation.sweep()

    installation.reject(installation.request(2, "stage:Production"), "No.")

    assert stages(installation) == {1: "Production", 2: "Archived"}


def test_two_versions_that_slip_into_a_stage_are_both_asked_about(installation: Installation) -> None:
    installation.use_policy(**STAGE)
    installation.approve(to_production(installation))
    for version in (installation.register(), installation.register()):
        installation.stage(version, "Production")
    installation.sweep()

    for version in (2, 3):
        installation.reject(installation.request(version, "stage:Production"), "No.")
    installation.sweep()

    assert stages(installation) == {1: "Production", 2: "Archived", 3: "Archived"}


def test_a_version_is_copied_into_the_target_model_once(installation: Installation) -> None:
    installation.use_policy(**MODEL)
    request = to_model(installation)

    installation.approve(request)
    apply.sync_target(request.id, installation.s)
    installation.sweep()

    assert copies(installation) == [(1, f"models:/{installation.model}/1")]
    assert installation.reread(request).state is State.APPLIED
    assert foreign_copies(installation) == []
    assert [entry for entry in installation.entries(MoveObserved) if entry["model"] == prod(installation)] == []
    with installation.s.store.transaction() as tx:
        held = tx.registry.placements("default", prod(installation))
    assert [(placement.version.version, placement.request_id) for placement in held] == [(1, request.id)]


def test_a_copy_whose_answer_was_lost_is_found_again(installation: Installation) -> None:
    installation.use_policy(**MODEL)
    request = to_model(installation)
    installation.s = replace(installation.s, registry=Forgetful(installation.s.registry))  # type: ignore[arg-type]

    installation.click("ana", request, "approve")
    installation.settle_until(lambda: installation.reread(request).state is State.APPLIED)

    assert copies(installation) == [(1, f"models:/{installation.model}/1")]


def test_the_next_version_is_copied_beside_the_first(installation: Installation) -> None:
    installation.use_policy(**MODEL)
    installation.approve(to_model(installation))
    second = to_model(installation)

    installation.approve(second)
    installation.sweep()

    assert copies(installation) == [(1, f"models:/{installation.model}/1"), (2, f"models:/{installation.model}/2")]
    assert installation.reread(second).state is State.APPLIED
    assert foreign_copies(installation) == []


def test_a_foreign_version_in_the_target_model_is_put_back_by_deleting_it_where_the_rule_says_so(
    installation: Installation,
) -> None:
    installation.use_policy(**MODEL, extra="revert: {copies: delete}")
    installation.approve(to_model(installation))
    installation.sweep()
    installation.register(model=prod(installation))
    installation.sweep()
    (observed,) = foreign_copies(installation)

    installation.reject(observed, "Only Countersign copies into prod.")
    installation.sweep()

    assert (observed.kind, observed.version.version) == (Kind.OBSERVED, 2)
    assert copies(installation) == [(1, f"models:/{installation.model}/1")]
    assert installation.reread(observed).settled_at is not None
    assert [request.id for request in foreign_copies(installation)] == [observed.id]


def test_each_of_two_foreign_versions_is_asked_about(installation: Installation) -> None:
    installation.use_policy(**MODEL)
    installation.approve(to_model(installation))
    installation.register(model=prod(installation))
    installation.register(model=prod(installation))
    installation.sweep()

    first, second = foreign_copies(installation)
    installation.approve(first)
    installation.reject(second, "No.")

    tags = {number: installation.mlflow.get_model_version(prod(installation), str(number)).tags for number in (2, 3)}
    assert installation.reread(first).state is State.APPLIED
    assert [number for number, _ in copies(installation)] == [
        1,
        2,
        3,
    ]  # a version is deleted only where the rule says so
    assert ["countersign.denied" in tags[number] for number in (2, 3)] == [False, True]


def test_a_foreign_version_that_arrives_with_our_copy_is_not_taken_for_ours(installation: Installation) -> None:
    installation.use_policy(**MODEL)
    installation.approve(to_model(installation))
    second = to_model(installation)
    installation.s = replace(installation.s, registry=Accompanied(installation.s.registry, installation))  # type: ignore[arg-type]

    installation.approve(second)
    installation.sweep()

    assert [request.version.version for request in foreign_copies(installation)] == [2]
    assert foreign_copies(installation)[0].kind is Kind.OBSERVED


def test_what_has_changed_hands_since_the_vote_is_not_moved_but_asked_again(installation: Installation) -> None:
    request = installation.asked()
    installation.register()
    installation.click("ana", request, "approve")
    installation.ask(2, "champion")

    installation.settle()

    assert installation.champion() == 2
    assert installation.reread(request).state is State.STALE
    assert "Approved, but not applied" in installation.card(request).all_text
    assert f"to {installation.model} v2 after the evidence" in installation.card(request).all_text
    assert installation.ticket_status(request) == "Won't Do"
    fresh = installation.request(1)
    assert (fresh.follows, fresh.state, fresh.ask.kind) == (request.id, State.PENDING, AskKind.REOPENED)
    assert f"currently {installation.model} v2" in installation.details(fresh)


def test_taking_the_ask_away_withdraws_the_fresh_request_too(installation: Installation) -> None:
    request = installation.asked()
    installation.register()
    installation.click("ana", request, "approve")
    installation.ask(2, "champion")
    installation.settle()

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()

    assert installation.request(1).follows == request.id
    assert installation.request(1).state is State.WITHDRAWN


def test_a_repeat_never_undoes_what_a_person_did_later(installation: Installation) -> None:
    request = installation.asked()
    installation.approve(request)
    installation.register()
    installation.move(2)

    apply.sync_target(request.id, installation.s)
    installation.settle()

    assert installation.champion() == 2
    assert installation.happened(TargetMoved) == ["TargetMoved"]


def test_a_version_that_was_made_anew_between_vote_and_move_is_not_moved(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    installation.mlflow.delete_registered_model(installation.model)
    installation.register()

    installation.settle()

    assert installation.champion() is None
    assert installation.reread(request).state is State.STALE
    assert "was deleted, or deleted and created again" in installation.card(request).all_text
    assert installation.happened(ApprovalStale) == ["ApprovalStale"]
    assert [one.id for one in installation.requests()] == [request.id]


def test_a_version_that_was_deleted_between_vote_and_move_is_not_moved(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    installation.mlflow.delete_model_version(installation.model, "1")

    installation.settle()

    assert installation.champion() is None
    assert installation.reread(request).state is State.STALE


def test_a_put_back_whose_lawful_holder_is_gone_waits_for_a_person(installation: Installation) -> None:
    installation.approve(installation.asked())
    installation.register()
    installation.move(2)
    installation.mlflow.delete_model_version(installation.model, "1")

    installation.reject(installation.request(2), "No.")

    (parked,) = installation.unfinished()
    assert installation.champion() == 2
    assert f"cannot go back to {installation.model} v1, which is no longer in the registry" in parked.errors[-1].error
