"""What no webhook brought is found by the clock's search, and looked at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bot.domain.model import State
from bot.engine.rows import JobStatus
from bot.errors import Temporary
from handlers.tickets.polling import look_at_tickets
from tests.fixtures.installation import Installation
from tests.fixtures.ticket_votes import TicketDesk, deciding_policy


@pytest.fixture
def desk(installation: Installation) -> TicketDesk:
    desk = TicketDesk(installation)
    desk.allow()
    return desk


def searches(desk: TicketDesk) -> int:
    return len([call for call in desk.installation.jira.calls if "/search" in call])


def looks(desk: TicketDesk) -> int:
    waiting = desk.installation.s.store.jobs.listing(JobStatus.WAITING)
    return len([job for job in waiting if job.name == "look_at_ticket"])


def test_a_lost_webhook_only_delays_a_vote(desk: TicketDesk) -> None:
    request = desk.installation.asked()
    desk.move(request, "Approve", "ana")

    look_at_tickets("", desk.installation.s)
    desk.installation.settle()

    assert desk.installation.reread(request).state is State.APPLIED


def test_the_first_search_is_a_look_at_every_open_request_and_later_ones_ask_what_changed(desk: TicketDesk) -> None:
    s = desk.installation.s
    desk.installation.asked()
    before = searches(desk)
    look_at_tickets("", s)
    assert (looks(desk), searches(desk)) == (1, before)
    desk.installation.settle()

    look_at_tickets("", s)

    assert searches(desk) == before + 1


def test_after_a_long_stop_every_open_request_is_looked_at_again(desk: TicketDesk) -> None:
    s = desk.installation.s
    desk.installation.asked()
    look_at_tickets("", s)
    desk.installation.settle()
    before = searches(desk)
    desk.installation.clock.ahead = timedelta(days=2, hours=1)

    look_at_tickets("", s)

    assert (looks(desk), searches(desk)) == (1, before)


@pytest.mark.parametrize("hours", [1, 9])
def test_after_the_clock_went_back_every_open_request_is_looked_at_again(hours: int, desk: TicketDesk) -> None:
    s = desk.installation.s
    desk.installation.asked()
    desk.installation.clock.ahead = timedelta(hours=hours)
    look_at_tickets("", s)
    desk.installation.settle()
    before = searches(desk)
    desk.installation.clock.ahead = timedelta()

    look_at_tickets("", s)

    assert (looks(desk), searches(desk)) == (1, before)


def test_a_clock_that_is_minutes_off_misses_nothing(desk: TicketDesk) -> None:
    """Ours is ahead at the first search and right at the second: what changed between is younger than the overlap."""
    request = desk.installation.asked()
    desk.installation.clock.ahead = timedelta(minutes=8)
    look_at_tickets("", desk.installation.s)
    desk.installation.settle()
    desk.move(request, "Approve", "ana")
    desk.installation.clock.ahead = timedelta()

    look_at_tickets("", desk.installation.s)
    desk.installation.settle()

    assert desk.installation.reread(request).state is State.APPLIED


def test_every_project_that_cannot_be_searched_is_logged(desk: TicketDesk) -> None:
    two = deciding_policy(f"{desk.installation.model}*")
    rule = two[two.index("  - models:") : two.index("default: report")]
    second = rule.replace("project: GOV", "project: OPS").replace("alias: champion", "alias: challenger")
    desk.installation.activate(two.replace("default: report", f"{second}default: report"))
    look_at_tickets("", desk.installation.s)
    desk.installation.jira.faults.add("status", "/search", times=2, status=500)

    with capture_logs() as logs, pytest.raises(Temporary):
        look_at_tickets("", desk.installation.s)

    assert [one["project"] for one in logs if one["event"] == "tickets_not_searched"] == ["GOV", "OPS"]


def test_nothing_is_searched_where_no_rule_decides_in_tickets(installation: Installation) -> None:
    desk = TicketDesk(installation)
    installation.asked()
    before = searches(desk)

    look_at_tickets("", installation.s)

    assert (looks(desk), searches(desk)) == (0, before)
