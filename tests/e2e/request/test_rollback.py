"""Rollbacks by the button on an applied card, at once, and what happens to the version that failed.

Rollbacks that need votes, and a second rollback while one waits, are in `test_rollback_votes`.
"""

from __future__ import annotations

import pytest

from bot.domain.events import RequestApproved, TargetMoved
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest
from handlers.policy.activation import activate_policy
from tests.fixtures.installation import CHANNEL, Installation, policy_text

DRIFT = "predictions drifted on rainy days"
FROZEN = """
freezes:
  always: {timezone: UTC, deny: [{from: "2020-01-01 00:00", until: "2099-01-01 00:00"}]}
"""


def roll_back(
    installation: Installation, request: TransitionRequest, reason: str = DRIFT, person: str = "ana"
) -> TransitionRequest:
    """Presses the button, says why, and returns the request that this opened."""
    installation.click(person, request, "roll_back")
    installation.slack.submit_view(person, {"reason": reason})
    installation.settle()
    return rollbacks(installation)[-1]


def rollbacks(installation: Installation) -> list[TransitionRequest]:
    return [request for request in installation.requests() if request.kind is Kind.ROLLBACK]


def asked_again(installation: Installation, version: int) -> TransitionRequest:
    """Takes the asking alias away and sets it once more."""
    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    return installation.asked(version)


def failed_tag(installation: Installation, version: int) -> str | None:
    return installation.mlflow.get_model_version(installation.model, str(version)).tags.get("countersign.failed")


def links(installation: Installation, request: TransitionRequest) -> dict[str, str]:
    """The links on its ticket, by their titles."""
    ticket = installation.reread(request).ticket
    assert ticket is not None
    return {link.title: link.url for link in installation.jira.remote_links(ticket.key)}


def test_the_button_takes_the_target_back_at_once_to_the_version_approved_before(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()

    back = roll_back(installation, second)

    assert installation.champion() == 1
    assert (back.kind, back.state, back.decided_by) == (Kind.ROLLBACK, State.APPLIED, DecidedBy.RULE)
    assert (back.version.version, back.away_from, back.follows) == (1, second.version, second.id)
    assert back.comment == DRIFT
    assert "Restored by a rollback" in installation.card(back).all_text
    assert installation.ticket_status(back) == "Done"
    assert installation.unfinished() == []


@pytest.mark.proof
def test_the_decision_that_was_rolled_back_stands(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()
    assert "roll_back" in installation.card(second).buttons

    roll_back(installation, second)

    assert installation.reread(second).state is State.APPLIED
    assert installation.ticket_status(second) == "Done"
    assert "roll_back" not in installation.card(second).buttons
    assert installation.happened(RequestApproved) == ["RequestApproved"] * 3


@pytest.mark.proof
def test_the_tickets_of_the_rollback_and_of_what_failed_lead_to_each_other(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()

    back = roll_back(installation, second)

    assert second.ticket is not None
    assert back.ticket is not None
    assert links(installation, back)[f"{second.ticket.key}: what is rolled back"] == second.ticket.url
    assert links(installation, second)[f"{back.ticket.key}: the rollback"] == back.ticket.url


@pytest.mark.proof
def test_a_version_that_failed_is_marked_until_it_is_approved_again(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()

    back = roll_back(installation, second)
    marked = failed_tag(installation, 2)
    again = asked_again(installation, 2)
    installation.click("ana", again, "approve")
    installation.slack.submit_view("ana", {"reason": "The features are mended."})
    installation.settle()

    assert marked == f"{back.id}: {DRIFT}"
    assert installation.champion() == 2
    assert failed_tag(installation, 2) == ""
    assert failed_tag(installation, 1) is None


@pytest.mark.proof
def test_asking_again_for_a_version_that_failed_warns_and_wants_a_reason(installation: Installation) -> None:
    installation.promoted()
    roll_back(installation, installation.promoted())

    again = asked_again(installation, 2)
    installation.click("ana", again, "approve")
    form = installation.slack.open_view_of("ana")

    assert again.failed_before.startswith("rolled back from champion on ")
    assert again.failed_before.endswith(f"UTC: {DRIFT}")
    assert again.failed_before in installation.card(again).all_text
    assert form is not None
    assert installation.reread(again).state is State.PENDING


@pytest.mark.proof
def test_two_steps_back_pass_over_what_failed(installation: Installation) -> None:
    installation.promoted()
    installation.promoted()
    third = installation.promoted()

    first = roll_back(installation, third)
    second = roll_back(installation, first)

    assert (first.version.version, second.version.version) == (2, 1)
    assert installation.champion() == 1
    assert second.follows == first.id


@pytest.mark.proof
def test_the_author_may_press_the_button_too(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()

    roll_back(installation, second, person="bea")

    assert installation.champion() == 1


@pytest.mark.proof
@pytest.mark.parametrize(
    ("outsider", "sentence"),
    [("cy", "Only members of ml-leads may take champion back"), ("gil", "Guests of the workspace may not decide")],
)
def test_nobody_outside_the_rules_groups_goes_back(installation: Installation, outsider: str, sentence: str) -> None:
    installation.promoted()
    second = installation.promoted()

    installation.click(outsider, second, "roll_back")
    installation.settle()

    assert sentence in installation.told_privately(outsider)
    assert installation.slack.open_view_of(outsider) is None
    assert rollbacks(installation) == []


@pytest.mark.proof
def test_the_second_group_goes_back_only_where_it_has_been_let_in(installation: Installation) -> None:
    installation.use_policy(groups="risk: {people: [cy@example.com]}", extra="escalate: {after: 8h, group: risk}")
    installation.promoted()
    second = installation.promoted()

    installation.click("cy", second, "roll_back")
    installation.settle()

    assert "Only members of ml-leads may take champion back" in installation.told_privately("cy")
    assert installation.slack.open_view_of("cy") is None
    assert rollbacks(installation) == []


@pytest.mark.proof
def test_an_older_card_is_no_way_back(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()
    pressed_late = installation.slack.click_payload("ana", CHANNEL, installation.card(second).ts, "roll_back")
    installation.promoted()

    installation.slack.send(pressed_late)
    installation.settle()

    assert "no longer holds champion" in installation.told_privately("ana")
    assert rollbacks(installation) == []


@pytest.mark.proof
def test_a_freeze_keeps_nobody_from_going_back(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()
    frozen = policy_text(f"{installation.model}*", extra="freezes: [always]") + FROZEN
    activate_policy(frozen, "test", installation.s)

    roll_back(installation, second)

    assert installation.champion() == 1


@pytest.mark.proof
def test_a_version_that_waits_for_the_target_gets_there_by_the_rollback(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()
    waiting = installation.asked(1)
    assert waiting.state is State.PENDING

    roll_back(installation, second)

    assert installation.champion() == 1
    assert installation.reread(waiting).state is State.WITHDRAWN
    assert "by a rollback" in installation.card(waiting).all_text


# The world moves on


@pytest.mark.proof
def test_a_move_by_hand_that_comes_before_the_reason_is_left_alone(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()
    installation.register()
    installation.click("ana", second, "roll_back")
    installation.ask(3, "champion")

    submission = installation.slack.submit_view("ana", {"reason": DRIFT})
    installation.settle()

    assert "no longer holds alias:champion" in submission.errors["reason"]
    assert installation.champion() == 3
    assert rollbacks(installation) == []


@pytest.mark.proof
def test_a_move_by_hand_that_comes_before_the_evidence_is_left_alone(installation: Installation) -> None:
    installation.promoted()
    second = installation.promoted()
    installation.register()
    installation.click("ana", second, "roll_back")
    installation.slack.submit_view("ana", {"reason": DRIFT})

    installation.ask(3, "champion")
    installation.settle()

    assert installation.champion() == 3
    assert [back.state for back in rollbacks(installation)] == [State.WITHDRAWN]
    assert failed_tag(installation, 2) is None


@pytest.mark.proof
def test_a_move_by_hand_that_comes_while_votes_are_awaited_is_left_alone(installation: Installation) -> None:
    installation.use_policy(extra="rollback: by_votes")
    installation.promoted()
    back = roll_back(installation, installation.promoted(), person="ben")
    installation.register()
    installation.ask(3, "champion")

    installation.approve(back)

    assert installation.champion() == 3
    assert installation.reread(back).state is State.STALE
    assert [one.state for one in rollbacks(installation)] == [State.STALE, State.WITHDRAWN]


# Other targets


@pytest.mark.proof
def test_a_stage_goes_back_and_the_version_that_failed_is_archived(installation: Installation) -> None:
    installation.use_policy(target="{stage: Production}", ask_on="[{alias: candidate}]")
    for version in (installation.register(), installation.register()):
        installation.ask(version)
        installation.sweep()
        installation.approve(installation.request(version, "stage:Production"))

    roll_back(installation, installation.request(2, "stage:Production"))

    stages = {
        number: installation.mlflow.get_model_version(installation.model, str(number)).current_stage
        for number in (1, 2)
    }
    assert stages == {1: "Production", 2: "Archived"}


@pytest.mark.proof
def test_a_target_model_gets_the_version_approved_before_once_more(installation: Installation) -> None:
    installation.use_policy(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    target = f"model:prod.{installation.model}"
    for version in (installation.register(), installation.register(), installation.register()):
        installation.ask(version)
        installation.sweep()
        installation.approve(installation.request(version, target))

    buttons = [installation.card(installation.request(version, target)).buttons for version in (2, 3)]

    back = roll_back(installation, installation.request(3, target))
    installation.sweep()

    copies = installation.mlflow.search_model_versions(f"name = 'prod.{installation.model}'")
    newest = max(copies, key=lambda copy: int(copy.version))
    assert ["roll_back" in shown for shown in buttons] == [False, True]
    assert (newest.version, newest.source) == ("4", f"models:/{installation.model}/2")
    assert back.away_from == installation.request(3, target).version
    assert failed_tag(installation, 3) == f"{back.id}: {DRIFT}"
    assert installation.happened(TargetMoved) == ["TargetMoved"] * 4
