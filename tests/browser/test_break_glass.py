"""Breaking the glass and reviewing it, as people do it in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.test_cards import open_channel
from tests.fixtures.axe import faults_of
from tests.fixtures.glass import allow, broken
from tests.fixtures.installation import Installation


def test_one_person_breaks_the_glass_in_words_and_another_reviews_it_on_the_card(
    installation: Installation, page: Page
) -> None:
    allow(installation)
    version = installation.register()
    installation.sweep()
    open_channel(page, installation, "cy")

    page.get_by_label("Message", exact=True).fill(
        f"/countersign break-glass {installation.model} {version} champion It is down"
    )
    page.keyboard.press("Enter")
    form = page.get_by_role("dialog")
    expect(form).to_contain_text("goes to champion at once")
    expect(form.get_by_role("textbox")).to_have_value("It is down")
    faults = faults_of(page, "slack")
    form.get_by_role("button", name="Break the glass").click()
    expect(page.get_by_role("dialog")).to_contain_text("a member of ml-leads has to review it")
    installation.settle_until(lambda: installation.champion() == version)

    open_channel(page, installation, "ben")
    card = page.get_by_test_id("message").filter(has_text="Promoted by breaking the glass")
    expect(card).to_contain_text("Cy Lindqvist of on-call broke the glass")
    card.get_by_role("button", name="Review: confirm").click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle_until(lambda: installation.ticket_status(broken(installation, version)) == "Done")
    expect(card).to_contain_text("Ben Okafor reviewed it")
    assert faults == []
