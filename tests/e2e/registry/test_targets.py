"""Targets other than an alias: a stage, and another registered model. And a world that changes between the vote and the move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.events import ApprovalStale, MoveObserved, TargetMoved
from bot.domain.model import AskKind, Kind, State, TransitionRequest, VersionId
from bot.ports import ModelRegistry, OutcomeUnknown
from handlers.registry import apply
from tests.fixtures.installation import House

STAGE: dict[str, str] = {"target": "{stage: Production}", "ask_on": "[{alias: candidate}]"}
MODEL: dict[str, str] = {"target": '{model: "prod.{name}"}', "ask_on": "[{alias: candidate}]"}


def stages(house: House) -> dict[int, str]:
    versions = house.mlflow.search_model_versions(f"name = '{house.model}'")
    return {int(version.version): str(version.current_stage) for version in versions}


def to_production(house: House, version: int | None = None) -> TransitionRequest:
    """Registers if need be, asks by alias, and waits for the vote."""
    number = version or house.register()
    house.ask(number)
    house.sweep()
    return house.request(number, "stage:Production")


def prod(house: House) -> str:
    return f"prod.{house.model}"


def copies(house: House) -> list[tuple[int, str]]:
    versions = house.mlflow.search_model_versions(f"name = '{prod(house)}'")
    return sorted((int(version.version), str(version.source)) for version in versions)


def to_model(house: House, version: int | None = None) -> TransitionRequest:
    number = version or house.register()
    house.ask(number)
    house.sweep()
    return house.request(number, f"model:{prod(house)}")


def foreign_copies(house: House) -> list[TransitionRequest]:
    with house.s.store.transaction() as tx:
        found = tx.find_requests(workspace="default", model=prod(house))
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
    """The real registry; just before our copy somebody registers a version of their own in the target model."""

    registry: ModelRegistry
    house: House

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def copy_version(self, model: str, version: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        self.house.register(model=to_model)
        return self.registry.copy_version(model, version, to_model, tags)


def test_a_version_goes_to_a_stage_and_the_one_before_is_archived(house: House) -> None:
    house.use_policy(**STAGE)
    house.approve(to_production(house))

    second = to_production(house)
    house.approve(second)
    house.sweep()

    assert stages(house) == {1: "Archived", 2: "Production"}
    assert f"{house.model} v2 is stage Production since" in house.card(second).all_text
    assert f"{house.model} v1 held it before" in house.card(second).all_text
    assert house.happened(MoveObserved) == []


def test_a_stage_that_was_set_without_asking_is_put_back(house: House) -> None:
    house.use_policy(**STAGE)
    house.approve(to_production(house))
    house.register()
    house.stage(2, "Production")
    house.sweep()
    observed = house.request(2, "stage:Production")

    house.reject(observed, "Nobody looked at it.")
    house.sweep()

    assert observed.kind is Kind.OBSERVED
    assert stages(house) == {1: "Production", 2: "Archived"}
    assert house.happened(MoveObserved) == ["MoveObserved"]


def test_a_stage_whose_holder_was_archived_on_the_way_is_put_back_too(house: House) -> None:
    house.use_policy(**STAGE)
    house.approve(to_production(house))
    house.register()
    house.stage(1, "Archived")
    house.stage(2, "Production")
    house.sweep()

    house.reject(house.request(2, "stage:Production"), "No.")

    assert stages(house) == {1: "Production", 2: "Archived"}


def test_two_versions_that_slip_into_a_stage_are_both_asked_about(house: House) -> None:
    house.use_policy(**STAGE)
    house.approve(to_production(house))
    for version in (house.register(), house.register()):
        house.stage(version, "Production")
    house.sweep()

    for version in (2, 3):
        house.reject(house.request(version, "stage:Production"), "No.")
    house.sweep()

    assert stages(house) == {1: "Production", 2: "Archived", 3: "Archived"}


def test_a_version_is_copied_into_the_target_model_once(house: House) -> None:
    house.use_policy(**MODEL)
    request = to_model(house)

    house.approve(request)
    apply.sync_target(request.id, house.s)
    house.sweep()

    assert copies(house) == [(1, f"models:/{house.model}/1")]
    assert house.reread(request).state is State.APPLIED
    assert foreign_copies(house) == []
    assert [entry for entry in house.entries(MoveObserved) if entry["model"] == prod(house)] == []
    with house.s.store.transaction() as tx:
        held = tx.registry.placements("default", prod(house))
    assert [(placement.version.version, placement.request_id) for placement in held] == [(1, request.id)]


def test_a_copy_whose_answer_was_lost_is_found_again(house: House) -> None:
    house.use_policy(**MODEL)
    request = to_model(house)
    house.s = replace(house.s, registry=Forgetful(house.s.registry))  # type: ignore[arg-type]

    house.click("ana", request, "approve")
    house.settle_until(lambda: house.reread(request).state is State.APPLIED)

    assert copies(house) == [(1, f"models:/{house.model}/1")]


def test_the_next_version_is_copied_beside_the_first(house: House) -> None:
    house.use_policy(**MODEL)
    house.approve(to_model(house))
    second = to_model(house)

    house.approve(second)
    house.sweep()

    assert copies(house) == [(1, f"models:/{house.model}/1"), (2, f"models:/{house.model}/2")]
    assert house.reread(second).state is State.APPLIED
    assert foreign_copies(house) == []


def test_a_foreign_version_in_the_target_model_is_put_back_by_deleting_it(house: House) -> None:
    house.use_policy(**MODEL)
    house.approve(to_model(house))
    house.sweep()
    house.register(model=prod(house))
    house.sweep()
    (observed,) = foreign_copies(house)

    house.reject(observed, "Only Countersign copies into prod.")
    house.sweep()

    assert (observed.kind, observed.version.version) == (Kind.OBSERVED, 2)
    assert copies(house) == [(1, f"models:/{house.model}/1")]
    assert house.reread(observed).settled_at is not None
    assert [request.id for request in foreign_copies(house)] == [observed.id]


def test_each_of_two_foreign_versions_is_asked_about(house: House) -> None:
    house.use_policy(**MODEL)
    house.approve(to_model(house))
    house.register(model=prod(house))
    house.register(model=prod(house))
    house.sweep()

    first, second = foreign_copies(house)
    house.approve(first)
    house.reject(second, "No.")

    assert house.reread(first).state is State.APPLIED
    assert [number for number, _ in copies(house)] == [1, 2]


def test_a_foreign_version_that_arrives_with_our_copy_is_not_taken_for_ours(house: House) -> None:
    house.use_policy(**MODEL)
    house.approve(to_model(house))
    second = to_model(house)
    house.s = replace(house.s, registry=Accompanied(house.s.registry, house))  # type: ignore[arg-type]

    house.approve(second)
    house.sweep()

    assert [request.version.version for request in foreign_copies(house)] == [2]
    assert foreign_copies(house)[0].kind is Kind.OBSERVED


def test_what_has_changed_hands_since_the_vote_is_not_moved_but_asked_again(house: House) -> None:
    request = house.asked()
    house.register()
    house.click("ana", request, "approve")
    house.ask(2, "champion")

    house.settle()

    assert house.champion() == 2
    assert house.reread(request).state is State.STALE
    assert "Approved, but not applied" in house.card(request).all_text
    assert f"alias:champion is held by {house.model} v2 now" in house.card(request).all_text
    assert house.ticket_status(request) == "Won't Do"
    fresh = house.request(1)
    assert (fresh.follows, fresh.state, fresh.ask.kind) == (request.id, State.PENDING, AskKind.REOPENED)
    assert f"held by {house.model} v2" in house.card(fresh).all_text


def test_taking_the_ask_away_withdraws_the_fresh_request_too(house: House) -> None:
    request = house.asked()
    house.register()
    house.click("ana", request, "approve")
    house.ask(2, "champion")
    house.settle()

    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()

    assert house.request(1).follows == request.id
    assert house.request(1).state is State.WITHDRAWN


def test_a_repeat_never_undoes_what_a_person_did_later(house: House) -> None:
    request = house.asked()
    house.approve(request)
    house.register()
    house.move(2)

    apply.sync_target(request.id, house.s)
    house.settle()

    assert house.champion() == 2
    assert house.happened(TargetMoved) == ["TargetMoved"]


def test_a_version_that_was_made_anew_between_vote_and_move_is_not_moved(house: House) -> None:
    request = house.asked()
    house.click("ana", request, "approve")
    house.mlflow.delete_registered_model(house.model)
    house.register()

    house.settle()

    assert house.champion() is None
    assert house.reread(request).state is State.STALE
    assert "was deleted, or deleted and created again" in house.card(request).all_text
    assert house.happened(ApprovalStale) == ["ApprovalStale"]
    assert [one.id for one in house.requests()] == [request.id]


def test_a_version_that_was_deleted_between_vote_and_move_is_not_moved(house: House) -> None:
    request = house.asked()
    house.click("ana", request, "approve")
    house.mlflow.delete_model_version(house.model, "1")

    house.settle()

    assert house.champion() is None
    assert house.reread(request).state is State.STALE


def test_a_put_back_whose_lawful_holder_is_gone_waits_for_a_person(house: House) -> None:
    house.approve(house.asked())
    house.register()
    house.move(2)
    house.mlflow.delete_model_version(house.model, "1")

    house.reject(house.request(2), "No.")

    (parked,) = house.unfinished()
    assert house.champion() == 2
    assert f"cannot go back to {house.model} v1, which is no longer in the registry" in parked.errors[-1].error
