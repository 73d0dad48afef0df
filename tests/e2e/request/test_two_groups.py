"""Several groups in one rule, each with its own quorum; and those who may not decide, whichever group they are in."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from bot.domain.events import RequestApproved, VoteCast
from bot.domain.model import Ask, AskKind, Refused, State, Target, TransitionRequest
from bot.ports import Account, Click, Notifier
from handlers.request import approvals
from handlers.request.asking import request_transition
from handlers.request.voters import POLICY_CHANGED
from tests.fixtures.installation import House

BOTH = "[{group: ml-leads, quorum: 1}, {group: risk, quorum: 1}]"
CY = "risk: {people: [cy@example.com]}"
ANA_AND_CY = "risk: {people: [ana@example.com, cy@example.com]}"
SOMEONE_ELSE = "You asked for this transition or trained the version, so someone else must decide it."


def ask_in_words(house: House, version: int, requester: str) -> TransitionRequest:
    target, ask = Target.parse("alias:champion"), Ask(AskKind.COMMAND)
    request = request_transition(house.model, version, target, requester, "", ask, house.s)
    house.settle()
    return request


def approve_by_cy(house: House, request: TransitionRequest) -> Click:
    card = house.reread(request).card
    assert card is not None
    return Click(card.team, card.app, card.channel, card.message, "U0CY0000003", "approve", request.id, "no-trigger")


def test_one_of_each_group_is_needed_and_the_card_shows_who_stood_for_which(house: House) -> None:
    house.use_policy(groups=CY, all_of=BOTH)
    request = house.asked()

    at_first = house.card(request).all_text
    house.approve(request, "cy")
    after_one = house.card(request).all_text, house.whispered("cy"), house.champion()
    house.approve(request, "ben")

    assert "Waiting for one of ml-leads and one of risk: Approve or Reject." in at_first
    assert "Waiting for one of ml-leads: Approve or Reject." in after_one[0]
    assert "approved for risk: the version may go to the target." in after_one[0]
    assert after_one[1:] == ("Your vote is recorded. The card shows what is still missing.", None)
    assert house.champion() == 1
    assert "approved for ml-leads: the version may go to the target." in house.card(request).all_text
    assert "Ben Okafor on" in house.comments(request)
    assert "approved for ml-leads: the version may go to the target." in house.comments(request)
    assert len(house.entries(RequestApproved)[0]["approvers"]) == 2


def test_two_of_the_same_group_do_not_make_up_for_the_other(house: House) -> None:
    house.use_policy(groups=CY, all_of=BOTH)
    request = house.asked()

    house.approve(request, "ana")
    house.approve(request, "ben")

    assert house.reread(request).state is State.PENDING
    assert "Waiting for one of risk: Approve or Reject." in house.card(request).all_text


def test_one_person_in_both_groups_is_still_one_and_makes_room_for_whoever_comes(house: House) -> None:
    house.use_policy(groups=ANA_AND_CY, all_of=BOTH)
    request = house.asked()

    house.approve(request, "ana")
    house.approve(request, "ana")
    alone = house.reread(request)
    house.approve(request, "ben")

    assert (alone.state, len(alone.votes)) == (State.PENDING, 1)
    assert set(alone.votes[0].groups) == {"ml-leads", "risk"}
    assert "You have voted on this already; your vote stands." in house.whispered("ana")
    assert house.champion() == 1
    assert "Ana Ruiz on" in house.card(request).all_text
    assert "approved for risk" in house.card(request).all_text
    assert "approved for ml-leads" in house.card(request).all_text


def test_neither_requester_nor_author_nor_who_made_the_commit_decides_though_each_is_in_a_group(house: House) -> None:
    house.use_policy(groups=CY, all_of=BOTH)
    version = house.register(user="bea", tags={"countersign.commit_author": "ben@example.com"})
    request = ask_in_words(house, version, "cy@example.com")

    for person in ("cy", "bea", "ben"):
        house.approve(request, person)
    refused = [house.whispered(person) for person in ("cy", "bea", "ben")]
    house.approve(request, "ana")

    assert refused == [SOMEONE_ELSE] * 3
    assert [vote.groups for vote in house.reread(request).votes] == [("ml-leads",)]
    assert house.reread(request).state is State.PENDING


def test_whoever_joins_the_ask_may_not_decide_and_a_vote_of_before_no_longer_counts(house: House) -> None:
    house.use_policy(quorum=2)
    request = house.asked()
    house.approve(request, "ana")

    ask_in_words(house, 1, "ana@example.com")
    joined = house.card(request).all_text
    house.approve(request, "ben")

    assert "They have asked for it themselves since, so this vote no longer counts." in joined
    assert house.reread(request).state is State.PENDING
    assert house.champion() is None


def test_a_policy_that_changes_while_slack_is_asked_refuses_the_vote_of_whoever_it_turns_out(house: House) -> None:
    by_risk = "[{group: risk, quorum: 1}]"
    house.use_policy(groups=CY, all_of=by_risk)
    request = house.asked()

    def account(account_id: str) -> Account:
        house.use_policy(groups="risk: {people: [ben@example.com]}", all_of=by_risk)
        return house.s.notifier.account(account_id)

    slack = cast("Notifier", SimpleNamespace(account=account))
    with pytest.raises(Refused) as refused:
        approvals.press(approve_by_cy(house, request), replace(house.s, notifier=slack))

    assert str(refused.value) == POLICY_CHANGED
    assert house.happened(VoteCast) == []
    assert house.reread(request).state is State.PENDING
