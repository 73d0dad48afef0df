"""Several groups in one rule, each with its own quorum; and people who may not decide in any group."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from bot.domain.events import RequestApproved, VoteCast
from bot.domain.model import Ask, AskKind, State, Target, TransitionRequest
from bot.domain.request.shown import shown_on
from bot.errors import Refused
from bot.ports import Account, Click, Notifier
from handlers.request import approvals
from handlers.request.approvals import OLD_CARD
from handlers.request.asking import request_transition
from tests.fixtures.installation import Installation

BOTH = "[{group: ml-leads, quorum: 1}, {group: risk, quorum: 1}]"
CY = "risk: {people: [cy@example.com]}"
ANA_AND_CY = "risk: {people: [ana@example.com, cy@example.com]}"
SOMEONE_ELSE = "You asked for this transition or trained the version, so someone else must decide it."


def ask_in_words(installation: Installation, version: int, requester: str) -> TransitionRequest:
    target, ask = Target.parse("alias:champion"), Ask(AskKind.COMMAND)
    request = request_transition(installation.model, version, target, requester, "", ask, installation.s)
    installation.settle()
    return request


def approve_by_cy(installation: Installation, request: TransitionRequest) -> Click:
    now = installation.reread(request)
    card = now.card
    assert card is not None
    place = (card.team, card.app, card.channel, card.message)
    return Click(*place, "U0CY0000003", "approve", request.id, "no-trigger", shown=shown_on(now, now.rule_hash))


def test_one_of_each_group_is_needed_and_the_card_shows_who_stood_for_which(installation: Installation) -> None:
    installation.use_policy(groups=CY, all_of=BOTH)
    request = installation.asked()

    at_first = installation.card(request).all_text
    installation.approve(request, "cy")
    after_one = installation.card(request).all_text, installation.told_privately("cy"), installation.champion()
    installation.approve(request, "ben")

    assert "Needs 2 approvals: 1 of ml-leads, 1 of risk." in at_first
    assert "Needs 1 more approval: 1 of ml-leads." in after_one[0]
    assert "Cy Lindqvist approved (risk), " in after_one[0]
    assert after_one[1:] == ("Your vote is recorded. The card shows what is still missing.", None)
    assert installation.champion() == 1
    assert "Ben Okafor approved (ml-leads), " in installation.card(request).all_text
    assert "Ben Okafor on" in installation.comments(request)
    assert "approved for ml-leads: the version may go to the target." in installation.comments(request)
    assert len(installation.entries(RequestApproved)[0]["approvers"]) == 2


def test_two_of_the_same_group_do_not_make_up_for_the_other(installation: Installation) -> None:
    installation.use_policy(groups=CY, all_of=BOTH)
    request = installation.asked()

    installation.approve(request, "ana")
    installation.approve(request, "ben")

    assert installation.reread(request).state is State.PENDING
    assert "Needs 1 more approval: 1 of risk." in installation.card(request).all_text


def test_one_person_in_both_groups_is_still_one_and_makes_room_for_whoever_comes(installation: Installation) -> None:
    installation.use_policy(groups=ANA_AND_CY, all_of=BOTH)
    request = installation.asked()

    installation.approve(request, "ana")
    installation.approve(request, "ana")
    alone = installation.reread(request)
    installation.approve(request, "ben")

    assert (alone.state, len(alone.votes)) == (State.PENDING, 1)
    assert set(alone.votes[0].groups) == {"ml-leads", "risk"}
    assert "You have voted on this already; your vote stands." in installation.told_privately("ana")
    assert installation.champion() == 1
    assert "Ana Ruiz approved (" in installation.card(request).all_text
    assert "approved (risk" in installation.card(request).all_text
    assert "approved (ml-leads" in installation.card(request).all_text


def test_neither_requester_nor_author_nor_who_made_the_commit_decides_though_each_is_in_a_group(
    installation: Installation,
) -> None:
    installation.use_policy(groups=CY, all_of=BOTH)
    version = installation.register(user="bea", tags={"countersign.commit_author": "ben@example.com"})
    request = ask_in_words(installation, version, "cy@example.com")

    for person in ("cy", "bea", "ben"):
        installation.approve(request, person)
    refused = [installation.told_privately(person) for person in ("cy", "bea", "ben")]
    installation.approve(request, "ana")

    assert refused == [SOMEONE_ELSE] * 3
    assert [vote.groups for vote in installation.reread(request).votes] == [("ml-leads",)]
    assert installation.reread(request).state is State.PENDING


def test_whoever_joins_the_ask_may_not_decide_and_a_vote_of_before_no_longer_counts(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked()
    installation.approve(request, "ana")

    ask_in_words(installation, 1, "ana@example.com")
    joined = installation.card(request).all_text
    installation.approve(request, "ben")

    assert "They have asked for it themselves since, so this vote no longer counts." in joined
    assert installation.reread(request).state is State.PENDING
    assert installation.champion() is None


def test_a_policy_that_changes_while_slack_is_asked_refuses_the_vote_of_whoever_it_turns_out(
    installation: Installation,
) -> None:
    by_risk = "[{group: risk, quorum: 1}]"
    installation.use_policy(groups=CY, all_of=by_risk)
    request = installation.asked()

    def account(account_id: str) -> Account:
        installation.use_policy(groups="risk: {people: [ben@example.com]}", all_of=by_risk)
        return installation.s.notifier.account(account_id)

    slack = cast("Notifier", SimpleNamespace(account=account))
    with pytest.raises(Refused) as refused:
        approvals.press(approve_by_cy(installation, request), replace(installation.s, notifier=slack))

    assert str(refused.value) == OLD_CARD
    assert installation.happened(VoteCast) == []
    assert installation.reread(request).state is State.PENDING
