"""A decision taken on the pages of the local Jira, in a real browser; behind them is the whole product."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from bot.domain.model import State
from tests.fixtures.axe import faults_of
from tests.fixtures.installation import Installation
from tests.fixtures.ticket_votes import EVE, TicketDesk


@pytest.fixture
def desk(installation: Installation) -> TicketDesk:
    installation.jira.site.people += (EVE,)
    installation.jira.webhook_url = f"{installation.url}/webhooks/jira"
    desk = TicketDesk(installation)
    desk.allow()
    return desk


def test_a_stranger_is_sent_back_and_an_approver_decides_with_one_press(desk: TicketDesk, page: Page) -> None:
    installation = desk.installation
    request = installation.asked()
    page.goto(f"{installation.settings.jira_url}/browse/{desk.key(request)}")
    expect(page.locator(".story")).to_contain_text("move this ticket to Done to approve, or to Won't Do to reject")

    page.get_by_label("Acting as").select_option("Eve Stranger")
    page.get_by_role("button", name="Approve").click()
    installation.settle_until(lambda: "The ticket is back at To Do" in installation.comments(request))
    expect(page.locator(".status .lozenge")).to_have_text("To Do")
    expect(page.locator(".talks")).to_contain_text("not counted: only members of ml-leads may decide this")
    faults = faults_of(page, "jira")

    page.get_by_label("Acting as").select_option("Ana Ruiz")
    page.get_by_role("button", name="Approve").click()
    installation.settle_until(lambda: installation.champion() == 1)
    installation.settle()

    expect(page.locator(".status .lozenge")).to_have_text("Done")
    expect(page.locator(".talks")).to_contain_text("Ana Ruiz on")
    assert faults + faults_of(page, "jira") == []


def test_a_rejection_takes_its_reason_from_the_transitions_form(desk: TicketDesk, page: Page) -> None:
    installation = desk.installation
    request = installation.asked()
    page.goto(f"{installation.settings.jira_url}/browse/{desk.key(request)}")
    page.get_by_label("Acting as").select_option("Ben Okafor")

    page.get_by_role("button", name="Decline").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Resolution").select_option("Won't Do")
    form.get_by_label("Comment").fill("The holiday weeks are missing")
    form.get_by_role("button", name="Save").click()
    installation.settle_until(lambda: installation.reread(request).state is State.REJECTED)
    installation.settle()

    assert installation.reread(request).outcome == "The holiday weeks are missing"
    expect(page.locator(".status .lozenge")).to_have_text("Won't Do")
