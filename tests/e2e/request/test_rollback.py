"""Going back: by the button on an applied card, at once, and what becomes of the version that failed.

When votes are needed to go back, and what a second wish to go back meets, is in `test_rollback_votes`.
"""

from __future__ import annotations

import pytest

from bot.domain.events import RequestApproved, TargetMoved
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest
from handlers.policy.activation import activate_policy
from tests.fixtures.installation import CHANNEL, House, policy_text

DRIFT = "predictions drifted on rainy days"
FROZEN = """
freezes:
  always: {timezone: UTC, deny: [{from: "2020-01-01 00:00", until: "2099-01-01 00:00"}]}
"""


def roll_back(house: House, request: TransitionRequest, reason: str = DRIFT, person: str = "ana") -> TransitionRequest:
    """Presses the button, says why, and returns the request that this opened."""
    house.click(person, request, "roll_back")
    house.slack.submit_view(person, {"reason": reason})
    house.settle()
    return rollbacks(house)[-1]


def rollbacks(house: House) -> list[TransitionRequest]:
    return [request for request in house.requests() if request.kind is Kind.ROLLBACK]


def asked_again(house: House, version: int) -> TransitionRequest:
    """Takes the asking alias away and sets it once more."""
    house.mlflow.delete_registered_model_alias(house.model, "candidate")
    house.sweep()
    return house.asked(version)


def failed_tag(house: House, version: int) -> str | None:
    return house.mlflow.get_model_version(house.model, str(version)).tags.get("countersign.failed")


def links(house: House, request: TransitionRequest) -> dict[str, str]:
    """The links on its ticket, by their titles."""
    ticket = house.reread(request).ticket
    assert ticket is not None
    return {link.title: link.url for link in house.jira.remote_links(ticket.key)}


def test_the_button_takes_the_target_back_at_once_to_the_version_approved_before(house: House) -> None:
    house.promoted()
    second = house.promoted()

    back = roll_back(house, second)

    assert house.champion() == 1
    assert (back.kind, back.state, back.decided_by) == (Kind.ROLLBACK, State.APPLIED, DecidedBy.RULE)
    assert (back.version.version, back.away_from, back.follows) == (1, second.version, second.id)
    assert back.comment == DRIFT
    assert "Rolled back" in house.card(back).all_text
    assert house.ticket_status(back) == "Done"
    assert house.unfinished() == []


def test_the_decision_that_was_rolled_back_stands(house: House) -> None:
    house.promoted()
    second = house.promoted()
    assert "roll_back" in house.card(second).buttons

    roll_back(house, second)

    assert house.reread(second).state is State.APPLIED
    assert house.ticket_status(second) == "Done"
    assert "roll_back" not in house.card(second).buttons
    assert house.happened(RequestApproved) == ["RequestApproved"] * 3


def test_the_tickets_of_the_rollback_and_of_what_failed_lead_to_each_other(house: House) -> None:
    house.promoted()
    second = house.promoted()

    back = roll_back(house, second)

    assert second.ticket is not None
    assert back.ticket is not None
    assert links(house, back)[f"{second.ticket.key}: what is rolled back"] == second.ticket.url
    assert links(house, second)[f"{back.ticket.key}: the rollback"] == back.ticket.url


def test_a_version_that_failed_is_marked_until_it_is_approved_again(house: House) -> None:
    house.promoted()
    second = house.promoted()

    back = roll_back(house, second)
    marked = failed_tag(house, 2)
    again = asked_again(house, 2)
    house.click("ana", again, "approve")
    house.slack.submit_view("ana", {"reason": "The features are mended."})
    house.settle()

    assert marked == f"{back.id}: {DRIFT}"
    assert house.champion() == 2
    assert failed_tag(house, 2) == ""
    assert failed_tag(house, 1) is None


def test_asking_again_for_a_version_that_failed_warns_and_wants_a_reason(house: House) -> None:
    house.promoted()
    roll_back(house, house.promoted())

    again = asked_again(house, 2)
    house.click("ana", again, "approve")
    form = house.slack.open_view_of("ana")

    assert again.failed_before.startswith("rolled back from champion on ")
    assert again.failed_before.endswith(f"UTC: {DRIFT}")
    assert again.failed_before in house.card(again).all_text
    assert form is not None
    assert house.reread(again).state is State.PENDING


def test_two_steps_back_pass_over_what_failed(house: House) -> None:
    house.promoted()
    house.promoted()
    third = house.promoted()

    first = roll_back(house, third)
    second = roll_back(house, first)

    assert (first.version.version, second.version.version) == (2, 1)
    assert house.champion() == 1
    assert second.follows == first.id


def test_the_author_may_press_the_button_too(house: House) -> None:
    house.promoted()
    second = house.promoted()

    roll_back(house, second, person="bea")

    assert house.champion() == 1


@pytest.mark.parametrize(
    ("outsider", "sentence"),
    [("cy", "Only members of ml-leads may take champion back"), ("gil", "Guests of the workspace may not decide")],
)
def test_nobody_outside_the_rules_groups_goes_back(house: House, outsider: str, sentence: str) -> None:
    house.promoted()
    second = house.promoted()

    house.click(outsider, second, "roll_back")
    house.settle()

    assert sentence in house.whispered(outsider)
    assert house.slack.open_view_of(outsider) is None
    assert rollbacks(house) == []


def test_the_second_group_goes_back_only_where_it_has_been_let_in(house: House) -> None:
    house.use_policy(groups="risk: {people: [cy@example.com]}", extra="escalate: {after: 8h, group: risk}")
    house.promoted()
    second = house.promoted()

    house.click("cy", second, "roll_back")
    house.settle()

    assert "Only members of ml-leads may take champion back" in house.whispered("cy")
    assert house.slack.open_view_of("cy") is None
    assert rollbacks(house) == []


def test_an_older_card_is_no_way_back(house: House) -> None:
    house.promoted()
    second = house.promoted()
    pressed_late = house.slack.click_payload("ana", CHANNEL, house.card(second).ts, "roll_back")
    house.promoted()

    house.slack.send(pressed_late)
    house.settle()

    assert "no longer holds champion" in house.whispered("ana")
    assert rollbacks(house) == []


def test_a_freeze_keeps_nobody_from_going_back(house: House) -> None:
    house.promoted()
    second = house.promoted()
    frozen = policy_text(f"{house.model}*", extra="freezes: [always]") + FROZEN
    activate_policy(frozen, "test", house.s)

    roll_back(house, second)

    assert house.champion() == 1


def test_a_version_that_waits_for_the_target_gets_there_by_the_rollback(house: House) -> None:
    house.promoted()
    second = house.promoted()
    waiting = house.asked(1)
    assert waiting.state is State.PENDING

    roll_back(house, second)

    assert house.champion() == 1
    assert house.reread(waiting).state is State.WITHDRAWN
    assert "by a rollback" in house.card(waiting).all_text


# The world moves on


def test_a_move_by_hand_that_comes_before_the_reason_is_left_alone(house: House) -> None:
    house.promoted()
    second = house.promoted()
    house.register()
    house.click("ana", second, "roll_back")
    house.ask(3, "champion")

    submission = house.slack.submit_view("ana", {"reason": DRIFT})
    house.settle()

    assert "no longer holds alias:champion" in submission.errors["reason"]
    assert house.champion() == 3
    assert rollbacks(house) == []


def test_a_move_by_hand_that_comes_before_the_evidence_is_left_alone(house: House) -> None:
    house.promoted()
    second = house.promoted()
    house.register()
    house.click("ana", second, "roll_back")
    house.slack.submit_view("ana", {"reason": DRIFT})

    house.ask(3, "champion")
    house.settle()

    assert house.champion() == 3
    assert [back.state for back in rollbacks(house)] == [State.WITHDRAWN]
    assert failed_tag(house, 2) is None


def test_a_move_by_hand_that_comes_while_votes_are_awaited_is_left_alone(house: House) -> None:
    house.use_policy(extra="rollback: by_votes")
    house.promoted()
    back = roll_back(house, house.promoted(), person="ben")
    house.register()
    house.ask(3, "champion")

    house.approve(back)

    assert house.champion() == 3
    assert house.reread(back).state is State.STALE
    assert [one.state for one in rollbacks(house)] == [State.STALE, State.WITHDRAWN]


# Other targets


def test_a_stage_goes_back_and_the_version_that_failed_is_archived(house: House) -> None:
    house.use_policy(target="{stage: Production}", ask_on="[{alias: candidate}]")
    for version in (house.register(), house.register()):
        house.ask(version)
        house.sweep()
        house.approve(house.request(version, "stage:Production"))

    roll_back(house, house.request(2, "stage:Production"))

    stages = {number: house.mlflow.get_model_version(house.model, str(number)).current_stage for number in (1, 2)}
    assert stages == {1: "Production", 2: "Archived"}


def test_a_target_model_gets_the_version_approved_before_once_more(house: House) -> None:
    house.use_policy(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    target = f"model:prod.{house.model}"
    for version in (house.register(), house.register(), house.register()):
        house.ask(version)
        house.sweep()
        house.approve(house.request(version, target))

    buttons = [house.card(house.request(version, target)).buttons for version in (2, 3)]

    back = roll_back(house, house.request(3, target))
    house.sweep()

    copies = house.mlflow.search_model_versions(f"name = 'prod.{house.model}'")
    newest = max(copies, key=lambda copy: int(copy.version))
    assert ["roll_back" in shown for shown in buttons] == [False, True]
    assert (newest.version, newest.source) == ("4", f"models:/{house.model}/2")
    assert back.away_from == house.request(3, target).version
    assert failed_tag(house, 3) == f"{back.id}: {DRIFT}"
    assert house.happened(TargetMoved) == ["TargetMoved"] * 4
