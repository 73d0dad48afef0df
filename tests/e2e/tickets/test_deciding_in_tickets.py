"""A person who may decide moves the ticket: that is their vote, under the same rules as a button. What is refused is moved back."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from bot.domain.events import SelfApprovalRefused, TicketAccountBound, VoteCast
from bot.domain.grounds import SignedBy
from bot.domain.model import VOTE, State, Verdict
from bot.errors import Refused
from bot.sandbox.jira import Project, SandboxUser
from handlers.tickets.accounts import bind_by_hand, unbind_by_hand
from tests.fixtures.installation import Installation
from tests.fixtures.ticket_votes import APP, BEA, EVE, GONE, SAM, TicketDesk, deciding_policy


@pytest.fixture
def desk(installation: Installation) -> TicketDesk:
    installation.jira.site.people += (EVE, BEA, SAM, APP, GONE)
    desk = TicketDesk(installation)
    desk.allow()
    return desk


def test_a_move_by_an_approver_is_their_vote_and_the_target_moves(desk: TicketDesk) -> None:
    request = desk.installation.asked()

    now = desk.decide(request, "Approve", "ana")

    (vote,) = now.votes
    assert (vote.verdict, vote.via, vote.account, vote.signed_by) == (
        Verdict.APPROVE,
        "ticket",
        "ana",
        SignedBy.TICKETS,
    )
    assert (now.state, desk.installation.champion()) == (State.APPLIED, 1)
    assert desk.status(request) == "Done"
    assert "Ana Ruiz" in desk.installation.comments(request)
    assert not desk.installation.unfinished()


def test_the_statement_says_that_the_history_vouches_for_it(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    desk.decide(request, "Approve", "ana")

    with desk.installation.s.store.transaction() as tx:
        signed = [one for one in tx.attestations.of(request.id) if one.about == VOTE]
    said = json.loads(base64.b64decode(json.loads(signed[0].envelope)["payload"]))["predicate"]

    assert said["signedRequest"]["by"] == "tickets"
    assert "history vouches" in said["signedRequest"]["missing"]
    assert said["account"] == {"team": "ticket", "id": "ana"}
    assert said["message"] is None


def test_a_rejection_takes_its_reason_from_the_comment_with_the_move(desk: TicketDesk) -> None:
    request = desk.installation.asked()

    now = desk.decide(request, "Decline", "ben", "worse on rainy days")

    assert (now.state, now.outcome) == (State.REJECTED, "worse on rainy days")
    assert desk.status(request) == "Won't Do"


def test_without_the_reason_that_the_rule_wants_the_ticket_goes_back_and_says_so(desk: TicketDesk) -> None:
    request = desk.installation.asked()

    now = desk.decide(request, "Decline", "ben")

    assert (now.state, now.votes) == (State.PENDING, ())
    assert desk.status(request) == "To Do"
    said = desk.installation.comments(request)
    assert "not counted: the policy wants a reason to reject" in said
    assert "The ticket is back at To Do" in said

    desk.installation.jira.comment(desk.key(request), "it has a leak", "ben")
    assert desk.decide(request, "Decline", "ben").state is State.REJECTED


@pytest.mark.parametrize(
    ("person", "why"),
    [
        ("eve", "only members of ml-leads may decide"),
        ("bea", "you asked for this transition or trained the version"),
        ("sam", "does not show Sam Shy's e-mail address"),
        ("app", "an app or a bot may not decide"),
        ("gone", "deactivated"),
    ],
)
def test_who_may_not_decide_is_answered_and_the_ticket_goes_back_once(desk: TicketDesk, person: str, why: str) -> None:
    request = desk.installation.asked()

    now = desk.decide(request, "Approve", person)
    desk.look(request)
    desk.look(request)

    assert (now.state, now.votes, desk.installation.champion()) == (State.PENDING, (), None)
    assert desk.status(request) == "To Do"
    assert desk.installation.comments(request).count(why) == 1
    assert not desk.installation.unfinished()
    tried = desk.installation.entries(SelfApprovalRefused)
    assert len(tried) == (1 if person == "bea" else 0)


def test_the_bots_own_moves_are_never_votes_and_lead_to_nothing(desk: TicketDesk) -> None:
    desk.installation.jira.webhook_url = f"{desk.installation.url}/webhooks/jira"
    request = desk.installation.asked()
    desk.move(request, "Approve", "eve")
    desk.installation.settle_until(lambda: "not counted" in desk.installation.comments(request))

    desk.installation.jira.transition(desk.key(request), "Approve", "countersign")
    desk.look(request)

    assert desk.installation.reread(request).votes == ()
    with desk.installation.s.store.transaction() as tx:
        assert len(tx.ticket_acts.of(request.id)) == 1


def test_a_webhook_that_lies_about_its_author_only_makes_the_bot_look(desk: TicketDesk) -> None:
    desk.installation.jira.webhook_url = f"{desk.installation.url}/webhooks/jira"
    request = desk.installation.asked()
    webhooks = desk.installation.jira.webhooks
    told, ana = webhooks.tell, desk.installation.jira.site.people[0]
    desk.installation.jira.site.tell = lambda news: told(replace(news, actor=ana))

    desk.move(request, "Approve", "eve")
    desk.installation.settle_until(lambda: "not counted" in desk.installation.comments(request))

    assert desk.installation.reread(request).votes == ()


def test_with_a_quorum_of_two_the_ticket_goes_back_for_the_second_person(desk: TicketDesk) -> None:
    desk.allow(quorum=2)
    request = desk.installation.asked()

    first = desk.decide(request, "Approve", "ana")
    assert (first.state, len(first.votes), desk.status(request)) == (State.PENDING, 1, "To Do")
    assert "Approval recorded" in desk.installation.comments(request)
    again = desk.decide(request, "Approve", "ana")
    assert (len(again.votes), desk.status(request)) == (1, "To Do")

    assert desk.decide(request, "Approve", "ben").state is State.APPLIED
    assert desk.status(request) == "Done"


def test_a_vote_by_card_and_one_in_the_ticket_count_together(desk: TicketDesk) -> None:
    desk.allow(quorum=2)
    request = desk.installation.asked()

    desk.installation.approve(request, "ana")
    assert "your vote stands" in _after(desk, request, "Approve", "ana")
    assert desk.decide(request, "Approve", "ben").state is State.APPLIED


def test_back_and_forth_counts_each_move_in_order_and_takes_no_vote_back(desk: TicketDesk) -> None:
    desk.allow(quorum=2)
    request = desk.installation.asked()

    for transition, comment in (("Approve", ""), ("Reopen", ""), ("Decline", "I thought again")):
        desk.move(request, transition, "ana", comment)
    desk.look(request)

    now = desk.installation.reread(request)
    assert [(vote.verdict, vote.account) for vote in now.votes] == [(Verdict.APPROVE, "ana")]
    assert (now.state, desk.status(request)) == (State.PENDING, "To Do")
    assert "you have voted on this already" in desk.installation.comments(request)


def test_a_ticket_whose_text_was_edited_decides_nothing_until_it_is_written_again(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    title = desk.issue(request).summary
    desk.installation.jira.edit(desk.key(request), "eve", summary="harmless → @nothing")

    now = desk.decide(request, "Approve", "ana")

    assert (now.votes, desk.status(request), desk.issue(request).summary) == ((), "To Do", title)
    assert "edited by hand" in desk.installation.comments(request)
    assert desk.decide(request, "Approve", "ana").state is State.APPLIED


def test_a_move_from_before_the_rule_changed_is_refused_and_the_text_is_written_again(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    before = desk.issue(request).description_text
    desk.move(request, "Approve", "ana")
    desk.allow(reason="always")

    desk.look(request)

    now = desk.installation.reread(request)
    assert (now.votes, desk.status(request)) == ((), "To Do")
    assert "the policy has changed since" in desk.installation.comments(request)
    assert desk.issue(request).description_text != before
    assert desk.decide(request, "Approve", "ana", "because").state is State.APPLIED


def test_a_move_from_before_the_rule_let_people_decide_in_tickets_is_no_vote(installation: Installation) -> None:
    desk = TicketDesk(installation)
    request = installation.asked()
    desk.move(request, "Approve", "ana")
    desk.look(request)
    assert "That decides nothing" in installation.comments(request)

    desk.allow()
    desk.look(request)

    assert installation.reread(request).votes == ()
    assert desk.status(request) == "To Do"


def test_a_rule_that_takes_passkeys_sends_the_person_to_the_card(desk: TicketDesk) -> None:
    text = deciding_policy(f"{desk.installation.model}*", all_of="[{group: ml-leads, quorum: 1, passkey: required}]")
    desk.installation.activate(text)
    request = desk.installation.asked()

    now = desk.decide(request, "Approve", "ana")

    assert (now.votes, desk.status(request)) == ((), "To Do")
    assert "needs your passkey" in desk.installation.comments(request)
    assert desk.decide(request, "Decline", "ana", "no").state is State.REJECTED


def test_a_request_that_is_decided_already_says_so_on_the_ticket(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    desk.move(request, "Approve", "ana")
    desk.installation.reject(request, "it leaks", "ben")

    desk.look(request)

    assert desk.installation.reread(request).state is State.REJECTED
    assert "already rejected by Ben Okafor" in desk.installation.comments(request)
    assert desk.installation.champion() is None


def test_a_closed_ticket_that_is_opened_again_changes_nothing_and_says_so_once(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    desk.decide(request, "Approve", "ana")

    desk.move(request, "Reopen", "ana")
    desk.look(request)
    desk.look(request)

    assert desk.installation.reread(request).state is State.APPLIED
    assert desk.installation.comments(request).count("moving its ticket changes nothing") == 1


def test_a_ticket_that_is_in_another_project_by_now_still_decides(desk: TicketDesk) -> None:
    desk.installation.jira.site.projects += (Project("OPS", "Operations"),)
    request = desk.installation.asked()
    desk.installation.jira.move(desk.key(request), "OPS", "cy")
    desk.installation.jira.transition(desk.issue(request).key, "Approve", "ana")

    desk.look(request)

    assert desk.installation.reread(request).state is State.APPLIED


def test_a_workflow_without_a_way_back_says_what_to_do(desk: TicketDesk) -> None:
    site = desk.installation.jira.site
    (gov,) = site.projects
    one_way = replace(gov.workflow, transitions=tuple(one for one in gov.workflow.transitions if one.name != "Reopen"))
    site.projects = (replace(gov, workflow=one_way),)
    request = desk.installation.asked()

    now = desk.decide(request, "Approve", "eve")

    assert (now.state, desk.status(request)) == (State.PENDING, "Done")
    assert "could not be moved back to To Do" in desk.installation.comments(request)
    assert not desk.installation.unfinished()
    desk.installation.approve(request)
    assert desk.installation.champion() == 1


def test_approvers_of_a_service_desk_vote_by_their_answers(desk: TicketDesk) -> None:
    site = desk.installation.jira.site
    site.projects = (replace(site.projects[0], service_desk=True),)
    desk.allow("{approvals: true}", quorum=2)
    request = desk.installation.asked()
    approval = desk.installation.jira.ask_approval(desk.key(request), "ana", "eve", "ben", needed=2)

    for person in ("ana", "eve"):
        desk.act(request, f"approvals/{approval}", person=person, decision="approved")
        desk.look(request)

    now = desk.installation.reread(request)
    assert [vote.account for vote in now.votes] == ["ana"]
    assert "only members of ml-leads" in desk.installation.comments(request)
    assert now.state is State.PENDING
    assert desk.decide(request, "Approve", "ben").state is State.APPLIED


def test_answers_of_approvers_are_no_votes_where_the_rule_does_not_say_so(desk: TicketDesk) -> None:
    site = desk.installation.jira.site
    site.projects = (replace(site.projects[0], service_desk=True),)
    request = desk.installation.asked()
    approval = desk.installation.jira.ask_approval(desk.key(request), "ana", "ben", needed=2)
    desk.act(request, f"approvals/{approval}", person="ana", decision="approved")

    desk.look(request)

    assert desk.installation.reread(request).votes == ()


# Whose account it is


def test_an_account_stays_the_persons_when_it_shows_another_address(desk: TicketDesk) -> None:
    desk.allow(quorum=2)
    request = desk.installation.asked()
    desk.decide(request, "Approve", "ana")
    site = desk.installation.jira.site
    site.people = tuple(
        replace(one, email="ben@example.com") if one.account_id == "ana" else one for one in site.people
    )

    assert "your vote stands" in _after(desk, request, "Decline", "ana", "no")
    bound = [one["how"] for one in desk.installation.entries(TicketAccountBound) if one["account"] == "ana"]
    assert bound == ["policy"]


def test_a_second_account_with_a_persons_address_is_refused(desk: TicketDesk) -> None:
    desk.allow(quorum=2)
    request = desk.installation.asked()
    desk.decide(request, "Approve", "ben")
    site = desk.installation.jira.site
    site.people = tuple(replace(one, shows_email=False) if one.account_id == "ben" else one for one in site.people)
    site.people += (SandboxUser("ben2", "Ben Again", "ben@example.com"),)

    assert "was bound to another account" in _after(desk, request, "Approve", "ben2")
    assert len(desk.installation.reread(request).votes) == 1


def test_an_administrator_binds_an_account_whose_address_is_hidden_and_unbinds_it(desk: TicketDesk) -> None:
    s = desk.installation.s
    person, account = bind_by_hand("ana@example.com", "sam", "", s)
    request = desk.installation.asked()
    assert desk.decide(request, "Approve", "sam").votes[0].person == person.id
    assert account.id == "sam"

    assert unbind_by_hand("ana@example.com", "", s) == "sam"
    assert unbind_by_hand("ana@example.com", "", s) is None
    second = desk.installation.asked(desk.installation.register())
    assert "an administrator has unbound this account" in _after(desk, second, "Approve", "sam")
    with pytest.raises(Refused, match="may not vote"):
        bind_by_hand("ana@example.com", "app", "", s)


def _after(desk: TicketDesk, request: object, transition: str, person: str, comment: str = "") -> str:
    desk.decide(request, transition, person, comment)  # type: ignore[arg-type]
    return desk.installation.comments(request)  # type: ignore[arg-type]


def test_one_vote_makes_one_entry_however_often_the_bot_looks(desk: TicketDesk) -> None:
    desk.allow(quorum=2)
    request = desk.installation.asked()
    desk.decide(request, "Approve", "ana")
    desk.look(request)

    assert desk.installation.happened(VoteCast) == ["VoteCast"]


def test_however_often_a_stranger_moves_the_ticket_between_two_looks_one_comment_answers(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    before = len(desk.installation.jira.comments(desk.key(request)))
    for transition in ("Approve", "Reopen", "Decline", "Reopen") * 5:
        desk.move(request, transition, "eve")
    desk.move(request, "Approve", "eve")

    desk.look(request)
    desk.look(request)

    new = desk.installation.jira.comments(desk.key(request))[before:]
    assert len(new) == 1
    assert new[0].text.count("only members of ml-leads may decide") == 2  # for approvals, and for rejections
    assert "That happened 6 times." in new[0].text
    assert "That happened 5 times." in new[0].text
    assert new[0].text.count("The ticket is back at To Do.") >= 1
    assert (desk.status(request), desk.installation.reread(request).votes) == ("To Do", ())
    with desk.installation.s.store.transaction() as tx:
        assert [one for one in tx.ticket_acts.of(request.id) if one.answered_at is None] == []
