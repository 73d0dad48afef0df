"""A rule that changes while something waits: which votes still count, and what the new rule speaks of."""

from __future__ import annotations

from bot.domain.events import RequestApproved
from bot.domain.model import State
from handlers.policy.activation import activate_policy
from tests.fixtures.installation import House, policy_text

LAPSED = "The rule has changed since, so this vote no longer counts."


def decided_by(house: House, *people: str) -> None:
    """The group that decides becomes a list of people; the quorum stays two."""
    text = policy_text(f"{house.model}*", quorum=2)
    listed = ", ".join(f"{person}@example.com" for person in people)
    activate_policy(text.replace("{slack_group: ml-leads}", f"{{people: [{listed}]}}"), "test", house.s)
    house.settle()


def test_a_vote_under_another_quorum_no_longer_counts_and_may_be_cast_anew(house: House) -> None:
    house.use_policy(quorum=2)
    request = house.asked(house.register(user="cy@example.com"))
    house.approve(request, "ana")

    house.use_policy(quorum=1)
    house.settle()
    after_the_change = house.card(request).all_text
    house.approve(request, "ana")

    assert LAPSED in after_the_change
    assert "Waiting for one of ml-leads: Approve or Reject" in after_the_change
    assert house.reread(request).state is State.APPLIED
    assert house.champion() == 1


def test_the_vote_of_somebody_who_is_in_no_group_any_more_does_not_count(house: House) -> None:
    house.use_policy(quorum=2)
    request = house.asked()
    house.approve(request, "ana")

    decided_by(house, "ben", "cy")
    after_the_change = house.card(request).all_text
    house.approve(request, "ben")
    after_ben = house.reread(request).state, house.card(request).all_text
    house.approve(request, "ana")
    house.approve(request, "cy")

    assert LAPSED in after_the_change
    assert "Waiting for two of ml-leads: Approve or Reject" in after_the_change
    assert after_ben[0] is State.PENDING
    assert "Waiting for one of ml-leads: Approve or Reject" in after_ben[1]
    assert "only members of ml-leads may decide this" in house.whispered("ana").lower()
    assert house.reread(request).state is State.APPLIED
    assert len(house.entries(RequestApproved)[-1]["approvers"]) == 2


def test_a_rule_that_begins_to_ask_for_new_versions_speaks_of_none_that_were_there_before(house: House) -> None:
    house.register()
    house.sweep()

    house.use_policy(ask_on="[{alias: candidate}, {new_version: true}]")
    house.sweep()
    after_the_change = house.requests()
    house.register()
    house.sweep()

    assert after_the_change == []
    assert [(request.version.version, request.state) for request in house.requests()] == [(2, State.PENDING)]
