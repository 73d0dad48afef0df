"""Slack says who clicked and who is in which group. Without a clear answer in time the vote is refused.

One call that fails, kinds of accounts, and a group that is gone are in `tests/e2e/request/test_clicks.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.events import VoteCast
from bot.domain.model import State, TransitionRequest
from bot.sandbox.slack import SandboxPerson
from tests.fixtures.installation import CHANNEL, Installation, in_slacks_time

pytestmark = pytest.mark.proof

ANA, BEN, CY, DAN = "U0ANA000001", "U0BEN000002", "U0CY0000003", "U0DAN000009"
PRESS_AGAIN = "Slack did not answer in time when asked who you are. Nothing was recorded: press again."
NOT_A_MEMBER = "Only members of ml-leads may decide this. Ask one of them."
WHO_IS_IN_IT = "usergroups.users.list"


def press(installation: Installation, request: TransitionRequest, person: str = "ana") -> str:
    """Presses Approve and returns the sentence that only this person is shown for it; empty when there was none."""
    before = len(installation.slack.ephemerals(person))
    assert installation.click(person, request, "approve") == 200
    return "".join(message.all_text for message in installation.slack.ephemerals(person)[before:])


def change_address(installation: Installation, account: str, email: str) -> None:
    people = installation.slack.workspace.people
    people[account] = replace(people[account], email=email)


def nothing_was_recorded(installation: Installation, request: TransitionRequest) -> bool:
    now = installation.reread(request)
    return now.state is State.PENDING and not now.votes and installation.happened(VoteCast) == []


@pytest.mark.parametrize("method", ["users.info", WHO_IS_IN_IT])
@pytest.mark.parametrize("fault", [{"kind": "malformed"}, {"kind": "cut"}, {"kind": "status", "status": 429}])
def test_half_an_answer_is_no_answer(installation: Installation, method: str, fault: dict[str, object]) -> None:
    request = installation.asked()
    installation.forget_what_slack_said()
    installation.slack.faults.add(path=f"/{method}$", **fault)  # type: ignore[arg-type]

    told = press(installation, request)

    assert told == PRESS_AGAIN
    assert nothing_was_recorded(installation, request)
    assert press(installation, request) == ""
    assert installation.reread(request).state is State.APPROVED


def test_of_two_groups_both_are_asked_and_pressing_again_gets_further(installation: Installation) -> None:
    installation.slack.workspace.groups["risk"] = (CY,)
    both = "[{group: ml-leads, quorum: 1}, {group: risk, quorum: 1}]"
    installation.use_policy(groups="risk: {slack_group: risk}", all_of=both)
    request = installation.asked()
    installation.forget_what_slack_said()
    installation.slack.faults.add("slow", path="/users.info$", seconds=1.3)

    with in_slacks_time():
        told = press(installation, request)

    assert told == PRESS_AGAIN
    assert nothing_was_recorded(installation, request)
    assert press(installation, request) == "Your vote is recorded. The card shows what is still missing."
    assert [vote.groups for vote in installation.reread(request).votes] == [("ml-leads",)]


def test_while_one_of_two_groups_cannot_be_told_nobody_votes_for_the_other_either(installation: Installation) -> None:
    both = "[{group: ml-leads, quorum: 1}, {group: risk, quorum: 1}]"
    installation.use_policy(groups="risk: {slack_group: risk-board}", all_of=both)
    request = installation.asked()
    installation.forget_what_slack_said()

    told = press(installation, request)

    assert told.startswith("Nothing was recorded: There is no active user group @risk-board in Slack")
    assert nothing_was_recorded(installation, request)


def test_an_account_that_slack_does_not_know_is_refused(installation: Installation) -> None:
    request = installation.asked()
    installation.forget_what_slack_said()
    pressed = installation.slack.click_payload("ana", CHANNEL, installation.card(request).ts, "approve")
    gone = installation.slack.workspace.people.pop(ANA)

    answer = installation.slack.send(pressed)
    installation.slack.workspace.people[ANA] = gone

    assert answer.status == 200
    assert (
        "Nothing was recorded: Slack refused users.info for U0ANA000001: user_not_found."
        in installation.told_privately("ana")
    )
    assert nothing_was_recorded(installation, request)


def test_an_answer_about_somebody_else_is_not_believed(installation: Installation) -> None:
    """Cy presses, and Slack answers with Ana's account."""
    request = installation.asked()
    installation.forget_what_slack_said()
    people = installation.slack.workspace.people
    pressed = installation.slack.click_payload("cy", CHANNEL, installation.card(request).ts, "approve")
    cy, people[CY] = people[CY], people[ANA]

    installation.slack.send(pressed)
    people[CY] = cy

    assert PRESS_AGAIN in installation.told_privately("cy")
    assert nothing_was_recorded(installation, request)
    assert press(installation, request, "cy") == NOT_A_MEMBER


def test_an_account_that_comes_to_show_the_address_of_someone_who_voted_is_no_second_voter(
    installation: Installation,
) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked()
    installation.forget_what_slack_said()
    assert press(installation, request, "ben").startswith("Your vote is recorded")

    change_address(installation, BEN, "ben.old@example.com")
    change_address(installation, ANA, "ben@example.com")
    installation.approve(request, "ana")

    (vote,) = installation.reread(request).votes
    with installation.s.store.transaction() as tx:
        assert tx.people.get(vote.person).email == "ben@example.com"
    assert installation.told_privately("ana") == "You have voted on this already; your vote stands."


def test_an_unbound_account_that_shows_somebody_elses_address_or_none_is_refused(installation: Installation) -> None:
    request = installation.asked()
    installation.slack.workspace.people[DAN] = SandboxPerson(DAN, "dan", "Dan", "ben@example.com")
    installation.slack.workspace.groups["ml-leads"] = (ANA, DAN)
    installation.forget_what_slack_said()

    as_ben = press(installation, request, "dan")
    change_address(installation, DAN, "")
    installation.forget_what_slack_said()
    without = press(installation, request, "dan")

    assert as_ben.startswith("The address ben@example.com was bound to another Slack account before.")
    assert without == "Slack does not tell your e-mail address, so Countersign cannot know who you are."
    assert nothing_was_recorded(installation, request)


def test_an_empty_group_has_no_members(installation: Installation) -> None:
    request = installation.asked()
    installation.forget_what_slack_said()
    installation.slack.workspace.groups["ml-leads"] = ()

    assert press(installation, request) == NOT_A_MEMBER
    assert nothing_was_recorded(installation, request)
