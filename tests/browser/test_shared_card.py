"""A card that several requests share, in a real browser: the list, and the way from a line to a vote."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.test_cards import open_channel
from tests.e2e.notify.test_shared_cards import asked_at_once
from tests.fixtures.axe import faults_of
from tests.fixtures.installation import Installation


def test_open_leads_from_the_list_to_a_card_whose_vote_counts(installation: Installation, page: Page) -> None:
    first, *_ = asked_at_once(installation, 6)
    open_channel(page, installation)

    shared = page.get_by_test_id("message").filter(has_text="Approval needed: 6 requests")
    expect(shared.get_by_role("button", name="Open")).to_have_count(6)
    shared.get_by_role("button", name="Open").first.click()
    expect(page.get_by_text("Its card: ")).to_be_visible()
    faults = faults_of(page, "slack")

    card = page.get_by_test_id("message").filter(has_text=f"Approval needed: promote {first.version.model} v1")
    card.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle_all()

    expect(shared.get_by_role("button", name="Open")).to_have_count(5)
    expect(shared).to_contain_text("Waiting for votes: 5 of 6. Being prepared: 0. Over: 1.")
    assert faults == []
