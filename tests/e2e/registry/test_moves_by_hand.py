"""What people do by hand around a move without asking: deleting who held the target, putting it back, moving it on, renaming the model."""

from __future__ import annotations

from bot.domain.events import ModelRenamed, MoveObserved
from bot.domain.model import Kind, State
from handlers.registry import reconcile
from handlers.request import asking
from tests.fixtures.installation import House


def with_a_champion(house: House, more: int = 1) -> None:
    """v1 is champion by approval; `more` versions stand by."""
    house.approve(house.asked())
    for _ in range(more):
        house.register()


def test_a_move_is_asked_about_although_the_former_holder_was_deleted_before_the_evidence_was_frozen(
    house: House,
) -> None:
    with_a_champion(house)
    house.ask(2, "champion")
    reconcile.look_at(f"default/{house.model}", house.s)

    house.mlflow.delete_model_version(house.model, "1")
    house.settle()

    observed = house.request(2)
    assert (observed.kind, observed.state) == (Kind.OBSERVED, State.PENDING)
    assert "Moved without an approval" in house.card(observed).all_text
    assert f"{house.model} v1 before" in house.card(observed).all_text
    assert house.unfinished() == []


def test_who_puts_it_back_by_hand_keeps_the_approval_that_it_had(house: House) -> None:
    with_a_champion(house)
    approved = house.request(1)
    house.move(2)

    house.move(1)

    with house.s.store.transaction() as tx:
        held = tx.registry.placements("default", house.model)
    assert [(placement.version.version, placement.request_id) for placement in held] == [(1, approved.id)]
    assert asking.adopt(house.s) == []
    assert [request.id for request in house.requests(State.APPLIED)] == [approved.id]


def test_card_and_ticket_do_not_claim_a_put_back_that_somebody_else_made_impossible(house: House) -> None:
    with_a_champion(house, more=2)
    house.move(2)
    observed = house.request(2)
    house.click("ana", observed, "reject")
    house.slack.submit_view("ana", {"reason": "Nobody looked at it."})
    house.ask(3, "champion")

    house.settle()

    said = house.card(observed).all_text
    assert said.startswith(f"Rejected: {house.model} v2")
    assert f"champion is held by {house.model} v3 now; Countersign did not move it" in said
    assert f"champion is held by {house.model} v3 now; Countersign did not move it" in house.comments(observed)
    assert "went back" not in said + house.comments(observed)
    assert house.champion() == 3


def test_a_rename_is_recognised_although_the_newest_version_was_deleted_and_the_champion_moved_with_it(
    house: House,
) -> None:
    with_a_champion(house, more=2)
    house.sweep()
    renamed = f"{house.model}-renamed"
    house.mlflow.rename_registered_model(house.model, renamed)
    house.mlflow.delete_model_version(renamed, "3")
    house.mlflow.set_registered_model_alias(renamed, "champion", "2")

    house.sweep()
    (observed,) = house.requests(State.PENDING)
    house.reject(observed, "Nobody looked at it.")

    renames = [entry["after"] for entry in house.entries(ModelRenamed) if entry["before"] == house.model]
    assert renames == [renamed]
    assert (str(observed.version), observed.kind) == (f"{renamed} v2", Kind.OBSERVED)
    assert f"{renamed} v1 before" in house.card(observed).all_text
    assert house.happened(MoveObserved) == ["MoveObserved"]
    assert house.mlflow.get_registered_model(renamed).aliases["champion"] == "1"
