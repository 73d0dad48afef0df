"""A card that several requests share, in a real browser: the list, and the way from a line to a request's own card."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.test_cards import open_channel
from tests.e2e.notify.test_shared_cards import asked_at_once
from tests.fixtures.axe import faults_of
from tests.fixtures.installation import Installation


def test_open_on_a_line_of_the_list_shows_the_way_to_the_requests_own_card(
    installation: Installation, page: Page
) -> None:
    asked_at_once(installation, 6)
    open_channel(page, installation)

    shared = page.get_by_test_id("message").filter(has_text="Approval needed: 6 requests")
    expect(shared.get_by_role("button", name="Open")).to_have_count(6)
    faults = faults_of(page, "list")
    shared.get_by_role("button", name="Open").first.click()

    expect(page.get_by_text("Its card: ")).to_be_visible()
    assert faults == []
