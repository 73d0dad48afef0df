"""Targets that were moved without asking: ratified, put back, reverted, reported, or overtaken by the next move."""

from __future__ import annotations

import pytest

from bot.domain.events import MoveObserved, RequestOpened, RequestRejected, TargetMoved, TargetPutBack
from bot.domain.model import Kind, State
from handlers.registry import reconcile
from tests.fixtures.installation import CHANNEL, Installation


def with_a_champion(installation: Installation, more: int = 1) -> None:
    """v1 is champion by approval; `more` versions are registered too."""
    installation.approve(installation.asked())
    for _ in range(more):
        installation.register()


def test_a_move_without_asking_is_noticed_and_ratified(installation: Installation) -> None:
    with_a_champion(installation)

    installation.move(2)
    observed = installation.request(2)
    wanted = installation.card(observed)
    installation.approve(observed)

    assert (observed.kind, observed.state) == (Kind.OBSERVED, State.PENDING)
    assert "Moved without an approval" in wanted.all_text
    assert f"goes back to {installation.model} v1" in wanted.all_text
    assert {"Ratify", "Put back"} <= set(wanted.all_text.splitlines())
    assert installation.champion() == 2
    assert f"{installation.model} v2 stays champion" in installation.card(observed).all_text
    assert not {"approve", "reject"} & set(installation.card(observed).buttons)
    assert installation.ticket_status(observed) == "Done"
    assert installation.entries(TargetMoved)[-1]["moved"] is False


def test_a_move_without_asking_is_put_back(installation: Installation) -> None:
    with_a_champion(installation)
    installation.move(2)

    installation.reject(installation.request(2), "Nobody looked at it.")
    installation.sweep()

    observed = installation.request(2)
    assert installation.champion() == 1
    assert "Put back" in installation.card(observed).all_text
    assert f"champion went back to {installation.model} v1" in installation.card(observed).all_text
    assert "Nobody looked at it." in installation.comments(observed)
    assert installation.ticket_status(observed) == "Won't Do"
    assert installation.entries(TargetPutBack)[-1]["to"]["version"] == 1
    assert installation.happened(MoveObserved) == ["MoveObserved"]


def test_what_nobody_held_before_is_put_back_to_nobody(installation: Installation) -> None:
    installation.register()
    installation.move(1)

    installation.reject(installation.request(1), "Nobody looked at it.")
    installation.sweep()

    assert installation.champion() is None
    assert "champion is unassigned again" in installation.card(installation.request(1)).all_text
    assert installation.entries(TargetPutBack)[-1]["to"] is None
    assert installation.happened(MoveObserved) == ["MoveObserved"]


def test_whoever_trained_what_was_moved_may_not_ratify_it(installation: Installation) -> None:
    installation.register(user="bea")
    installation.move(1)

    installation.approve(installation.request(1), "bea")

    assert "trained the version" in installation.told_privately("bea")
    assert installation.request(1).state is State.PENDING


@pytest.mark.proof
def test_a_rule_may_put_everything_back_by_itself(installation: Installation) -> None:
    installation.use_policy(observed="revert")
    with_a_champion(installation)

    installation.move(2)

    observed = installation.request(2)
    assert installation.champion() == 1
    assert observed.state is State.REJECTED
    assert "the rule puts back what was moved without an approval" in installation.card(observed).all_text
    assert not {"approve", "reject"} & set(installation.card(observed).buttons)
    assert installation.ticket_status(observed) == "Won't Do"
    assert installation.entries(RequestRejected)[-1]["person"] == "policy"
    assert "Bea Baker (as the run says)" in installation.card(observed).all_text


@pytest.mark.proof
def test_who_trained_what_the_rule_puts_back_is_known_from_an_earlier_request_for_it(
    installation: Installation,
) -> None:
    installation.use_policy(observed="revert")
    with_a_champion(installation)
    asked = installation.asked(2)
    assert asked.evidence is not None
    installation.mlflow.set_tag(str(asked.evidence.run_id), "mlflow.user", "cy")

    installation.move(2)

    put_back = installation.request(2)
    assert (installation.champion(), put_back.state) == (1, State.REJECTED)
    assert "Bea Baker (as the run says)" in installation.card(put_back).all_text


def test_a_rule_may_only_report(installation: Installation) -> None:
    installation.use_policy(observed="report")
    with_a_champion(installation)
    cards = len(installation.cards())

    installation.move(2)

    assert installation.champion() == 2
    assert installation.happened(MoveObserved) == ["MoveObserved"]
    assert len(installation.cards()) == cards + 1
    assert "went from v1 to v2 without an approval" in installation.cards()[-1].all_text
    assert installation.cards()[-1].buttons == {}
    assert installation.entries(MoveObserved)[-1]["handling"] == "report"


def test_a_target_that_no_rule_speaks_of_is_only_reported(installation: Installation) -> None:
    installation.register()

    installation.move(1, "shadow")

    assert installation.happened() == ["MoveObserved"]
    assert installation.cards() == []


@pytest.mark.proof
def test_who_puts_it_back_by_hand_ends_the_matter(installation: Installation) -> None:
    with_a_champion(installation)
    installation.move(2)
    observed = installation.request(2)

    installation.move(1)

    assert installation.reread(observed).state is State.WITHDRAWN
    assert f"{installation.model} v1 was put there" in installation.card(observed).all_text
    assert installation.requests(State.PENDING) == []
    assert installation.champion() == 1


@pytest.mark.proof
def test_what_was_moved_twice_goes_back_to_the_last_lawful_holder(installation: Installation) -> None:
    with_a_champion(installation, more=2)
    installation.move(2)
    installation.move(3)

    installation.reject(installation.request(3), "Neither of them.")

    assert installation.request(2).state is State.WITHDRAWN
    assert installation.champion() == 1


@pytest.mark.proof
def test_what_is_moved_on_after_it_was_rejected_goes_back_to_the_last_lawful_holder(installation: Installation) -> None:
    with_a_champion(installation, more=2)
    installation.move(2)
    installation.click("ana", installation.request(2), "reject")
    installation.slack.submit_view("ana", {"reason": "No."})
    installation.ask(3, "champion")

    installation.settle()
    installation.sweep()
    installation.reject(installation.request(3), "Nor this one.")
    installation.sweep()

    assert installation.champion() == 1
    assert (
        f"champion is held by {installation.model} v3 now; Countersign did not move it"
        in installation.card(installation.request(2)).all_text
    )
    assert installation.happened(MoveObserved) == ["MoveObserved", "MoveObserved"]


@pytest.mark.proof
def test_what_was_ratified_is_lawful(installation: Installation) -> None:
    with_a_champion(installation, more=2)
    installation.move(2)
    installation.approve(installation.request(2))

    installation.move(3)
    installation.reject(installation.request(3), "No.")

    assert installation.champion() == 2


def test_a_target_that_was_emptied_is_told_in_the_channel(installation: Installation) -> None:
    with_a_champion(installation, more=0)

    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()

    note = installation.slack.messages(CHANNEL)[-1].all_text
    assert f"alias:champion of {installation.model} is held by nobody: v1 was taken away without asking." in note
    assert f"countersign request-transition --name {installation.model} --version 1 --to alias:champion" in note
    assert installation.happened(MoveObserved) == ["MoveObserved"]


@pytest.mark.proof
def test_a_target_that_was_emptied_is_given_back_when_the_rule_reverts(installation: Installation) -> None:
    installation.use_policy(observed="revert")
    with_a_champion(installation, more=0)

    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()
    installation.sweep()

    assert installation.champion() == 1
    assert installation.happened(MoveObserved) == ["MoveObserved"]
    assert "taken away without asking, and given back to v1" in installation.slack.messages(CHANNEL)[-1].all_text


def test_a_move_by_hand_of_what_waits_for_approval_is_an_observed_one(installation: Installation) -> None:
    wish = installation.asked()

    installation.move(1)

    assert installation.reread(wish).state is State.WITHDRAWN
    assert installation.request(1).kind is Kind.OBSERVED
    assert "Moved without an approval" in installation.card(installation.request(1)).all_text


def test_a_move_by_hand_of_what_is_approved_is_recorded_and_no_breach(installation: Installation) -> None:
    installation.use_policy(observed="revert")
    wish = installation.asked()
    installation.click("ana", wish, "approve")
    installation.ask(1, "champion")

    reconcile.reconcile_model(f"default/{installation.model}", installation.s)
    installation.sweep()

    assert installation.champion() == 1
    assert installation.reread(wish).state is State.APPLIED
    assert installation.happened(MoveObserved, RequestRejected) == ["MoveObserved"]
    assert installation.entries(MoveObserved)[-1]["handling"] == "approved"
    assert any("v1 is approved for it." in message.all_text for message in installation.cards())


def test_a_version_that_is_deleted_while_it_waits_is_withdrawn_and_a_click_says_so(installation: Installation) -> None:
    request = installation.asked()
    late = installation.slack.click_payload("ana", CHANNEL, installation.card(request).ts, "approve")

    installation.mlflow.delete_model_version(installation.model, "1")
    installation.sweep()
    installation.slack.send(late)
    installation.settle()

    assert installation.reread(request).state is State.WITHDRAWN
    assert f"{request.version} was deleted from the registry" in installation.card(request).all_text
    assert installation.ticket_status(request) == "Won't Do"
    assert "withdrawn already" in installation.told_privately("ana")


@pytest.mark.proof
def test_who_undoes_our_move_before_the_next_sweep_is_noticed(installation: Installation) -> None:
    with_a_champion(installation)
    installation.sweep()
    installation.approve(installation.asked(2))

    installation.move(1)

    assert installation.happened(MoveObserved) == ["MoveObserved"]
    assert (installation.request(1).kind, installation.request(1).state) == (Kind.OBSERVED, State.PENDING)


def test_a_champion_that_is_deleted_is_told_in_the_channel(installation: Installation) -> None:
    with_a_champion(installation, more=0)

    installation.mlflow.delete_model_version(installation.model, "1")
    installation.sweep()

    assert (
        f"alias:champion of {installation.model} is held by nobody" in installation.slack.messages(CHANNEL)[-1].all_text
    )


def test_a_renamed_model_keeps_what_was_decided_and_its_open_wish_is_withdrawn(installation: Installation) -> None:
    with_a_champion(installation)
    waiting = installation.asked(2)
    renamed = f"{installation.model}-renamed"

    installation.mlflow.rename_registered_model(installation.model, renamed)
    installation.sweep()
    installation.sweep()

    assert installation.reread(waiting).state is State.WITHDRAWN
    assert f"{installation.model} is called {renamed} now" in installation.card(waiting).all_text
    assert installation.happened(MoveObserved) == []
    assert installation.requests(State.PENDING) == []
    with installation.s.store.transaction() as tx:
        held = tx.registry.placements("default", renamed)
    assert [(placement.version.version, placement.request_id is not None) for placement in held] == [(1, True)]


@pytest.mark.proof
def test_a_renamed_model_goes_on_asking_under_its_new_name(installation: Installation) -> None:
    installation.register()
    installation.sweep()
    renamed = f"{installation.model}-renamed"
    installation.mlflow.rename_registered_model(installation.model, renamed)
    installation.sweep()

    installation.mlflow.set_registered_model_alias(renamed, "candidate", "1")
    installation.sweep()
    installation.approve(installation.requests()[-1])

    assert installation.mlflow.get_registered_model(renamed).aliases["champion"] == "1"


def test_a_model_that_is_deleted_takes_its_open_wish_along(installation: Installation) -> None:
    request = installation.asked()

    installation.mlflow.delete_registered_model(installation.model)
    installation.sweep()

    assert installation.reread(request).state is State.WITHDRAWN
    assert f"{installation.model} is gone" in installation.card(request).all_text
    assert "ModelGone" in installation.happened()


def test_a_model_of_the_same_name_and_number_is_another_one(installation: Installation) -> None:
    first = installation.asked()

    installation.mlflow.delete_registered_model(installation.model)
    again = installation.asked()

    assert installation.reread(first).state is State.WITHDRAWN
    assert again.id != first.id
    assert (again.version.version, again.state) == (1, State.PENDING)
    assert again.version.created > first.version.created
    assert installation.happened(RequestOpened) == ["RequestOpened", "RequestOpened"]


def test_a_champion_of_the_same_name_and_number_is_another_one(installation: Installation) -> None:
    with_a_champion(installation, more=0)

    installation.mlflow.delete_registered_model(installation.model)
    installation.register()
    installation.move(1)

    assert installation.request(1).kind is Kind.OBSERVED
    assert installation.request(1).state is State.PENDING
