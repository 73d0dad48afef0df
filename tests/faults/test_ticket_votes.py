"""Two surfaces in the same instant, and faults between a vote in a ticket and its answer: nothing is lost, and nothing happens twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
import sqlalchemy as sa

from bot.domain.events import RequestApproved, RequestRejected, VoteCast, VoteRefused
from bot.domain.model import SignedBy, State
from bot.store import tables
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
