"""Two surfaces in the same instant, and faults between a vote in a ticket and its answer: nothing is lost, and nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from bot.domain.events import RequestApproved, RequestRejected, VoteCast, VoteRefused
from bot.domain.model import SignedBy, State
from bot.store import tables
from handlers.tickets.grounds import sign
from handlers.tickets.looking import look_at_ticket
from tests.fixtures.installation import Installation
from tests.fixtures.mortal import Killed, Mortal, Once
from tests.fixtures.ticket_votes import EVE, TicketDesk


@pytest.fixture
def desk(installation: Installation) -> TicketDesk:
    installation.jira.site.people += (EVE,)
    desk = TicketDesk(installation)
    desk.allow()
    return desk


def test_a_click_and_a_move_in_the_same_instant_make_one_decision_and_one_answer(desk: TicketDesk) -> None:
    """Whichever takes the row's lock first decides; the other is answered on its own surface."""
    request = desk.installation.asked()
    desk.move(request, "Decline", "ben", "it leaks")
    start = Barrier(2)

    def click() -> None:
        start.wait(30)
        desk.installation.click("ana", request, "approve")

    def look() -> None:
        start.wait(30)
        look_at_ticket(request.id, desk.installation.s)

    with ThreadPoolExecutor(2) as both:
        for done in (both.submit(click), both.submit(look)):
            done.result(120)
    desk.installation.settle()

    now = desk.installation.reread(request)
    assert len(desk.installation.happened(RequestApproved, RequestRejected)) == 1
    assert len(now.votes) == 1
    if now.state is State.APPLIED:
        assert "already approved by Ana Ruiz" in desk.installation.comments(request)
        assert desk.status(request) == "Done"
    else:
        assert (now.state, desk.status(request)) == (State.REJECTED, "Won't Do")
        assert "already rejected by Ben Okafor" in desk.installation.told_privately("ana")
    assert not desk.installation.unfinished()


@pytest.mark.parametrize(
    "boundary", ["before move", "after move", "before comment", "after comment", "after history_of"]
)
def test_a_kill_between_a_refusal_and_its_answer_repeats_neither(desk: TicketDesk, boundary: str) -> None:
    request = desk.installation.asked()
    desk.move(request, "Approve", "eve")
    fate, s = Once(boundary), desk.installation.s
    mortal = replace(s, tickets=Mortal(s.tickets, fate), decisions=Mortal(s.decisions, fate))  # type: ignore[arg-type]

    with pytest.raises(Killed):
        look_at_ticket(request.id, mortal)
    desk.look(request)

    assert desk.status(request) == "To Do"
    assert desk.installation.comments(request).count("only members of ml-leads") == 1


def test_jira_goes_down_after_the_look_and_the_vote_counts_all_the_same(desk: TicketDesk) -> None:
    desk.allow(quorum=2)
    request = desk.installation.asked()
    desk.installation.approve(request, "ben")
    desk.move(request, "Approve", "ana")
    s = desk.installation.s
    down = replace(s, tickets=Mortal(s.tickets, Once("before comment")))  # type: ignore[arg-type]

    with pytest.raises(Killed):
        look_at_ticket(request.id, down)
    desk.installation.jira.faults.add("down", "/rest/", times=20)
    desk.installation.settle_once()
    desk.installation.jira.faults.clear()
    desk.installation.make_jobs_due()
    desk.installation.settle_all()

    assert desk.installation.reread(request).state is State.APPLIED
    assert desk.installation.happened(VoteCast) == ["VoteCast", "VoteCast"]


def test_a_vote_whose_entry_the_history_does_not_have_is_taken_off_before_anything_moves(desk: TicketDesk) -> None:
    """Somebody with the token and the database can seal a row; Jira's history is beyond them."""
    request = desk.installation.asked()
    desk.move(request, "Approve", "ana")
    look_at_ticket(request.id, desk.installation.s)
    site = desk.installation.jira.site
    site.touch(replace(desk.issue(request), history=()))

    desk.installation.settle()

    now = desk.installation.reread(request)
    assert (now.state, desk.installation.champion()) == (State.CALLED_OFF, None)
    (refused,) = now.refused_votes
    assert "does not have the entry" in refused.reason
    assert desk.installation.happened(VoteRefused) == ["VoteRefused"]


def test_a_kept_entry_that_was_changed_in_the_database_proves_nothing(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    desk.move(request, "Approve", "ana")
    look_at_ticket(request.id, desk.installation.s)
    with desk.installation.s.store.transaction() as tx:
        row = tables.signed_requests
        tx.connection.execute(
            sa.update(row)
            .where(row.c.signed_by == SignedBy.TICKETS)
            .values(body=sa.func.replace(row.c.body, "ana", "ben"))
        )

    desk.installation.settle()

    now = desk.installation.reread(request)
    assert (now.state, desk.installation.champion()) == (State.CALLED_OFF, None)
    assert now.refused_votes


class Meanwhile:
    """The decisions of a ticket system, where something happens just after the history was read for the first time."""

    def __init__(self, decisions: object, then: Callable[[], None]) -> None:
        self._decisions, self._then = decisions, [then]

    def __getattr__(self, name: str) -> object:
        found = getattr(self._decisions, name)
        if name != "history_of":
            return found

        def read(*arguments: object, **named: object) -> object:
            answer = found(*arguments, **named)
            if self._then:
                self._then.pop()()
            return answer

        return read


def test_a_vote_that_comes_while_the_history_is_read_again_is_not_judged_by_what_was_read_before(
    desk: TicketDesk,
) -> None:
    desk.allow(quorum=2)
    request, s = desk.installation.asked(), desk.installation.s
    desk.move(request, "Approve", "ana")
    look_at_ticket(request.id, s)

    def second() -> None:
        desk.move(request, "Approve", "ben")
        look_at_ticket(request.id, s)

    sign(request.id, replace(s, decisions=Meanwhile(s.decisions, second)))  # type: ignore[arg-type]
    desk.installation.settle()

    now = desk.installation.reread(request)
    assert (now.state, len(now.votes), now.refused_votes) == (State.APPLIED, 2, ())


def test_the_ticket_does_not_say_done_before_the_version_is_in_place(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    desk.move(request, "Approve", "ana")

    look_at_ticket(request.id, desk.installation.s)
    assert (desk.installation.reread(request).state, desk.status(request)) == (State.APPROVED, "To Do")

    desk.installation.settle()
    assert (desk.installation.reread(request).state, desk.status(request)) == (State.APPLIED, "Done")


@pytest.mark.parametrize("one_way", [False, True])
def test_an_approval_that_is_called_off_leaves_no_ticket_that_says_done_and_parks_nothing(
    desk: TicketDesk, one_way: bool
) -> None:
    site = desk.installation.jira.site
    if one_way:
        (gov,) = site.projects
        kept = tuple(one for one in gov.workflow.transitions if one.name != "Reopen")
        site.projects = (replace(gov, workflow=replace(gov.workflow, transitions=kept)),)
    request = desk.installation.asked()
    desk.move(request, "Approve", "ana")
    look_at_ticket(request.id, desk.installation.s)
    site.touch(replace(desk.issue(request), history=()))

    desk.installation.settle()

    assert desk.installation.reread(request).state is State.CALLED_OFF
    assert desk.status(request) == ("Done" if one_way else "Won't Do")
    assert ("Move it there by hand" in desk.installation.comments(request)) is one_way
    assert not desk.installation.unfinished()


def test_a_lost_answer_to_the_move_back_doubles_nothing(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    desk.move(request, "Approve", "eve")
    desk.installation.jira.faults.add("cut", "/transitions$", method="POST")
    moves = len(desk.issue(request).history)

    desk.look(request)
    desk.installation.make_jobs_due()
    desk.installation.settle_all()

    assert desk.status(request) == "To Do"
    assert len(desk.issue(request).history) == moves + 1
    assert desk.installation.comments(request).count("only members of ml-leads") == 1


def test_a_delegate_decides_in_a_ticket_for_one_who_is_away_and_once(desk: TicketDesk) -> None:
    """Cy is in no group of the rule. The move counts for Ana, and neither Ana nor a second move of Cy adds to it."""
    desk.allow(quorum=2)
    until = (desk.installation.clock.now() + timedelta(days=3)).date()
    desk.installation.slack.command("ana", "/countersign", f"away until {until} -> @cy", channel="general")
    desk.installation.settle()
    request = desk.installation.asked()

    first = desk.decide(request, "Approve", "cy")
    again = desk.decide(request, "Approve", "cy")

    assert [vote.account for vote in first.votes] == ["cy"]
    assert len(first.votes[0].standing_in_for) == 1
    assert (again.votes, again.state, desk.status(request)) == (first.votes, State.PENDING, "To Do")
    assert desk.decide(request, "Approve", "ben").state is State.APPLIED
