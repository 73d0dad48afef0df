"""Targets that were moved without asking: ratified, put back, reverted, reported, or overtaken by the next move."""

from __future__ import annotations

from bot.domain.events import MoveObserved, RequestOpened, RequestRejected, TargetMoved, TargetPutBack
from bot.domain.model import Kind, State
from handlers.registry import reconcile
from tests.fixtures.installation import CHANNEL, House


def with_a_champion(house: House, more: int = 1) -> None:
    """v1 is champion by approval; `more` versions stand by."""
    house.approve(house.asked())
    for _ in range(more):
        house.register()


def test_a_move_without_asking_is_noticed_and_ratified(house: House) -> None:
    with_a_champion(house)

    house.move(2)
    observed = house.request(2)
    wanted = house.card(observed)
    house.approve(observed)

    assert (observed.kind, observed.state) == (Kind.OBSERVED, State.PENDING)
    assert "Moved without an approval" in wanted.all_text
    assert f"{house.model} v1 before" in wanted.all_text
    assert {"Ratify", "Put back"} <= set(wanted.all_text.splitlines())
    assert house.champion() == 2
    assert f"{house.model} v2 stays champion" in house.card(observed).all_text
    assert not {"approve", "reject"} & set(house.card(observed).buttons)
    assert house.ticket_status(observed) == "Done"
    assert house.entries(TargetMoved)[-1]["moved"] is False


def test_a_move_without_asking_is_put_back(house: House) -> None:
    with_a_champion(house)
    house.move(2)

    house.reject(house.request(2), "Nobody looked at it.")
    house.sweep()

    observed = house.request(2)
    assert house.champion() == 1
    assert "Put back" in house.card(observed).all_text
    assert f"champion went back to {house.model} v1" in house.card(observed).all_text
    assert "Nobody looked at it." in house.comments(observed)
    assert house.ticket_status(observed) == "Won't Do"
    assert house.entries(TargetPutBack)[-1]["to"]["version"] == 1
    assert house.happened(MoveObserved) == ["MoveObserved"]


def test_what_nobody_held_before_is_put_back_to_nobody(house: House) -> None:
    house.register()
    house.move(1)

    house.reject(house.request(1), "Nobody looked at it.")
    house.sweep()

    assert house.champion() is None
    assert "champion went back to nobody" in house.card(house.request(1)).all_text
    assert house.entries(TargetPutBack)[-1]["to"] is None
    assert house.happened(MoveObserved) == ["MoveObserved"]


def test_whoever_trained_what_was_moved_may_not_ratify_it(house: House) -> None:
    house.register(user="bea")
    house.move(1)

    house.approve(house.request(1), "bea")

    assert "trained the version" in house.whispered("bea")
    assert house.request(1).state is State.PENDING


def test_a_rule_may_put_everything_back_by_itself(house: House) -> None:
    house.use_policy(observed="revert")
    with_a_champion(house)

    house.move(2)

    observed = house.request(2)
    assert house.champion() == 1
    assert observed.state is State.REJECTED
    assert "the rule puts back what was moved without an approval" in house.card(observed).all_text
    assert not {"approve", "reject"} & set(house.card(observed).buttons)
    assert house.ticket_status(observed) == "Won't Do"
    assert house.entries(RequestRejected)[-1]["person"] == "policy"


def test_a_rule_may_only_report(house: House) -> None:
    house.use_policy(observed="report")
    with_a_champion(house)
    cards = len(house.cards())

    house.move(2)

    assert house.champion() == 2
    assert house.happened(MoveObserved) == ["MoveObserved"]
    assert len(house.cards()) == cards + 1
    assert "went from v1 to v2 without an approval" in house.cards()[-1].all_text
    assert house.cards()[-1].buttons == {}
    assert house.entries(MoveObserved)[-1]["handling"] == "report"


def test_a_target_that_no_rule_speaks_of_is_only_reported(house: House) -> None:
    house.register()

    house.move(1, "shadow")

    assert house.happened() == ["MoveObserved"]
    assert house.cards() == []


def test_who_puts_it_back_by_hand_ends_the_matter(house: House) -> None:
    with_a_champion(house)
    house.move(2)
    observed = house.request(2)

    house.move(1)

    assert house.reread(observed).state is State.WITHDRAWN
    assert f"{house.model} v1 was put there" in house.card(observed).all_text
    assert house.requests(State.PENDING) == []
    assert house.champion() == 1


def test_what_was_moved_twice_goes_back_to_the_last_lawful_holder(house: House) -> None:
    with_a_champion(house, more=2)
    house.move(2)
    house.move(3)

    house.reject(house.request(3), "Neither of them.")

    assert house.request(2).state is State.WITHDRAWN
    assert house.champion() == 1


def test_what_is_moved_on_after_it_was_rejected_goes_back_to_the_last_lawful_holder(house: House) -> None:
    with_a_champion(house, more=2)
    house.move(2)
    house.click("ana", house.request(2), "reject")
    house.slack.submit_view("ana", {"reason": "No."})
    house.ask(3, "champion")

    house.settle()
    house.sweep()
    house.reject(house.request(3), "Nor this one.")
    house.sweep()

    assert house.champion() == 1
    assert (
        f"champion is held by {house.model} v3 now; Countersign did not move it"
        in house.card(house.request(2)).all_text
    )
    assert house.happened(MoveObserved) == ["MoveObserved", "MoveObserved"]


def test_what_was_ratified_is_lawful(house: House) -> None:
    with_a_champion(house, more=2)
    house.move(2)
    house.approve(house.request(2))

    house.move(3)
    house.reject(house.request(3), "No.")

    assert house.champion() == 2


def test_a_target_that_was_emptied_is_told_in_the_channel(house: House) -> None:
    with_a_champion(house, more=0)

    house.mlflow.delete_registered_model_alias(house.model, "champion")
    house.sweep()

    note = house.slack.messages(CHANNEL)[-1].all_text
    assert f"alias:champion of {house.model} is held by nobody: v1 was taken away without asking." in note
    assert f"countersign request-transition --name {house.model} --version 1 --to alias:champion" in note
    assert house.happened(MoveObserved) == ["MoveObserved"]


def test_a_target_that_was_emptied_is_given_back_when_the_rule_reverts(house: House) -> None:
    house.use_policy(observed="revert")
    with_a_champion(house, more=0)

    house.mlflow.delete_registered_model_alias(house.model, "champion")
    house.sweep()
    house.sweep()

    assert house.champion() == 1
    assert house.happened(MoveObserved) == ["MoveObserved"]
    assert "taken away without asking, and given back to v1" in house.slack.messages(CHANNEL)[-1].all_text


def test_a_move_by_hand_of_what_waits_for_approval_is_an_observed_one(house: House) -> None:
    wish = house.asked()

    house.move(1)

    assert house.reread(wish).state is State.WITHDRAWN
    assert house.request(1).kind is Kind.OBSERVED
    assert "Moved without an approval" in house.card(house.request(1)).all_text


def test_a_move_by_hand_of_what_is_approved_is_no_breach(house: House) -> None:
    house.use_policy(observed="revert")
    wish = house.asked()
    house.click("ana", wish, "approve")
    house.ask(1, "champion")

    reconcile.look_at(f"default/{house.model}", house.s)
    house.sweep()

    assert house.champion() == 1
    assert house.reread(wish).state is State.APPLIED
    assert house.happened(MoveObserved, RequestRejected) == []


def test_a_version_that_is_deleted_while_it_waits_is_withdrawn_and_a_click_says_so(house: House) -> None:
    request = house.asked()
    late = house.slack.click_payload("ana", CHANNEL, house.card(request).ts, "approve")

    house.mlflow.delete_model_version(house.model, "1")
    house.sweep()
    house.slack.send(late)
    house.settle()

    assert house.reread(request).state is State.WITHDRAWN
    assert f"{request.version} was deleted from the registry" in house.card(request).all_text
    assert house.ticket_status(request) == "Won't Do"
    assert "already withdrawn" in house.whispered("ana")


def test_who_undoes_our_move_before_the_next_sweep_is_noticed(house: House) -> None:
    with_a_champion(house)
    house.sweep()
    house.approve(house.asked(2))

    house.move(1)

    assert house.happened(MoveObserved) == ["MoveObserved"]
    assert (house.request(1).kind, house.request(1).state) == (Kind.OBSERVED, State.PENDING)


def test_a_champion_that_is_deleted_is_told_in_the_channel(house: House) -> None:
    with_a_champion(house, more=0)

    house.mlflow.delete_model_version(house.model, "1")
    house.sweep()

    assert f"alias:champion of {house.model} is held by nobody" in house.slack.messages(CHANNEL)[-1].all_text


def test_a_renamed_model_keeps_what_was_decided_and_its_open_wish_is_withdrawn(house: House) -> None:
    with_a_champion(house)
    waiting = house.asked(2)
    renamed = f"{house.model}-renamed"

    house.mlflow.rename_registered_model(house.model, renamed)
    house.sweep()
    house.sweep()

    assert house.reread(waiting).state is State.WITHDRAWN
    assert f"{house.model} is called {renamed} now" in house.card(waiting).all_text
    assert house.happened(MoveObserved) == []
    assert house.requests(State.PENDING) == []
    with house.s.store.transaction() as tx:
        held = tx.registry.placements("default", renamed)
    assert [(placement.version.version, placement.request_id is not None) for placement in held] == [(1, True)]


def test_a_renamed_model_goes_on_asking_under_its_new_name(house: House) -> None:
    house.register()
    house.sweep()
    renamed = f"{house.model}-renamed"
    house.mlflow.rename_registered_model(house.model, renamed)
    house.sweep()

    house.mlflow.set_registered_model_alias(renamed, "candidate", "1")
    house.sweep()
    house.approve(house.requests()[-1])

    assert house.mlflow.get_registered_model(renamed).aliases["champion"] == "1"


def test_a_model_that_is_deleted_takes_its_open_wish_along(house: House) -> None:
    request = house.asked()

    house.mlflow.delete_registered_model(house.model)
    house.sweep()

    assert house.reread(request).state is State.WITHDRAWN
    assert f"{house.model} is gone" in house.card(request).all_text
    assert "ModelGone" in house.happened()


def test_a_model_of_the_same_name_and_number_is_another_one(house: House) -> None:
    first = house.asked()

    house.mlflow.delete_registered_model(house.model)
    again = house.asked()

    assert house.reread(first).state is State.WITHDRAWN
    assert again.id != first.id
    assert (again.version.version, again.state) == (1, State.PENDING)
    assert again.version.created > first.version.created
    assert house.happened(RequestOpened) == ["RequestOpened", "RequestOpened"]


def test_a_champion_of_the_same_name_and_number_is_another_one(house: House) -> None:
    with_a_champion(house, more=0)

    house.mlflow.delete_registered_model(house.model)
    house.register()
    house.move(1)

    assert house.request(1).kind is Kind.OBSERVED
    assert house.request(1).state is State.PENDING
