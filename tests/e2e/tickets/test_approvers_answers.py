"""What approvers of a service desk answer: on which text, and what remains of it when the ticket leaves the service desk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.card.ticket import ticket_card
from bot.domain.events import VoteRefused
from bot.domain.model import State, TransitionRequest
from bot.sandbox.jira import Project
from handlers.notify.render_context import context_for
from handlers.tickets.looking import look_at_ticket
from tests.fixtures.installation import Installation
from tests.fixtures.ticket_votes import TicketDesk


@pytest.fixture
def desk(installation: Installation) -> TicketDesk:
    site = installation.jira.site
    site.projects = (replace(site.projects[0], service_desk=True), Project("OPS", "Operations"))
    desk = TicketDesk(installation)
    desk.allow("{approvals: true}")
    return desk


def asked(desk: TicketDesk) -> tuple[TransitionRequest, str]:
    request = desk.installation.asked()
    return request, desk.installation.jira.ask_approval(desk.key(request), "ana", "ben", needed=2)


def written_again(desk: TicketDesk, request: TransitionRequest) -> None:
    """By a look that had read the history before the answer came."""
    s = desk.installation.s
    with s.store.transaction() as tx:
        now = tx.requests.get(request.id)
        context = context_for(now, tx, s.clock.now())
    assert now.ticket is not None
    s.decisions.describe(now.ticket, ticket_card(now, context))


def test_an_answer_from_before_the_rule_changed_is_no_vote_under_the_new_one(desk: TicketDesk) -> None:
    request, approval = asked(desk)
    desk.act(request, f"approvals/{approval}", person="ana", decision="approved")
    desk.allow("{approvals: true}", quorum=2)

    desk.look(request)

    assert desk.installation.reread(request).votes == ()
    assert "does not say when an approver answered" in desk.installation.comments(request)


def test_an_answer_on_a_text_that_was_edited_and_written_again_since_is_no_vote(desk: TicketDesk) -> None:
    request, approval = asked(desk)
    desk.installation.jira.edit(desk.key(request), "cy", summary="harmless → @nothing")
    desk.act(request, f"approvals/{approval}", person="ana", decision="approved")
    written_again(desk, request)

    desk.look(request)

    assert desk.installation.reread(request).votes == ()


def test_an_answer_counts_after_its_ticket_has_left_the_service_desk(desk: TicketDesk) -> None:
    """Its approvals cannot be read there any more; the seal says what was read before."""
    request, approval = asked(desk)
    desk.act(request, f"approvals/{approval}", person="ana", decision="approved")
    look_at_ticket(request.id, desk.installation.s)
    assert desk.installation.reread(request).state is State.APPROVED
    desk.installation.jira.move(desk.key(request), "OPS", "cy")

    desk.installation.settle()

    assert desk.installation.reread(request).state is State.APPLIED
    assert desk.installation.happened(VoteRefused) == []
