"""Handing a request over in Slack: from the menu of its card, with a person picker and a note."""

from __future__ import annotations

import pytest

from bot.domain.events import RequestReassigned
from bot.domain.model import TransitionRequest
from bot.sandbox.slack import Submission
from handlers.conversation.reassigning import hand_over as told_again
from handlers.request.absences import declare_away
from tests.fixtures.installation import CHANNEL, Installation

NOTE = "You know the winter rides."
ACCOUNTS = {"ana": "U0ANA000001", "ben": "U0BEN000002", "cy": "U0CY0000003", "bea": "U0BEA000004", "gil": "U0GUEST0005"}


def hand_over(
    installation: Installation, request: TransitionRequest, to: str, by: str = "ana", note: str = NOTE
) -> Submission:
    card = installation.card(request)
    option = card.buttons["menu"]["options"][0]
    installation.slack.click(by, CHANNEL, card.ts, "menu", chosen=option["value"])
    sent = installation.slack.submit_view(by, {"person": ACCOUNTS[to], "reason": note})
    installation.settle()
    return sent


def test_a_request_is_handed_over_and_the_person_gets_one_message_with_a_link(installation: Installation) -> None:
    request = installation.asked()

    hand_over(installation, request, "ben")
    told_again(request.id, installation.s)

    link = installation.reread(request).card
    assert link is not None
    assert installation.happened(RequestReassigned) == ["RequestReassigned"]
    assert "Ana Ruiz asked Ben Okafor to decide on" in installation.card(request).all_text
    assert installation.told("ben").count("For you to decide") == 1
    assert NOTE in installation.told("ben")
    assert link.url in str([one.blocks for one in installation.slack.direct_messages("ben")])
    assert NOTE in installation.comments(request)
    installation.approve(request, "ana")
    assert installation.champion() == 1
    assert "asked Ben Okafor to decide" not in installation.card(request).all_text


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("bea", "Bea Baker asked for this or trained the version"),
        ("cy", "Cy Lindqvist is in none of them"),
        ("gil", "guests of the workspace may not decide"),
    ],
    ids=["the author", "in no group", "a guest"],
)
def test_who_may_not_decide_is_not_picked(installation: Installation, to: str, said: str) -> None:
    request = installation.asked()

    sent = hand_over(installation, request, to)

    assert said in sent.errors["reason"]
    assert installation.happened(RequestReassigned) == []


def test_who_is_away_is_not_picked_and_the_delegate_is_named(installation: Installation) -> None:
    request = installation.asked()
    declare_away(ACCOUNTS["ben"], installation.clock.now().date(), "cy@example.com", installation.s)

    sent = hand_over(installation, request, "ben")

    assert "and Cy Lindqvist decides for them. Pick Cy Lindqvist" in sent.errors["reason"]


def test_a_picker_left_empty_sends_nothing_and_after_the_decision_the_menu_is_gone(installation: Installation) -> None:
    request = installation.asked()
    card = installation.card(request)
    option = card.buttons["menu"]["options"][0]
    installation.slack.click("ana", CHANNEL, card.ts, "menu", chosen=option["value"])
    empty = installation.slack.submit_view("ana", {"person": "", "reason": ""})
    installation.approve(request, "ben")
    late = installation.slack.submit_view("ana", {"person": ACCOUNTS["ben"], "reason": ""})

    assert "person" in empty.errors
    assert "already approved by Ben Okafor" in late.errors["reason"]
    assert "menu" not in installation.card(request).buttons
    assert installation.happened(RequestReassigned) == []
