"""What people do with a card, in a real browser: the page is the local Slack, behind it is the whole product."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.fixtures.axe import faults_of
from tests.fixtures.installation import Installation


def open_channel(page: Page, installation: Installation, person: str = "ana") -> None:
    page.goto(installation.settings.slack_api_url.removesuffix("api/") + f"?as={person}")


def test_approve_asks_to_confirm_then_the_buttons_are_gone_and_the_alias_has_moved(
    installation: Installation, page: Page
) -> None:
    request = installation.asked()
    open_channel(page, installation)

    card = page.get_by_test_id("message").filter(has_text=f"{installation.model} v1")
    card.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle_until(lambda: installation.champion() == 1)

    faults = faults_of(page, "slack")
    expect(card).to_contain_text(f"Approved: {installation.model} v1 → champion")
    expect(card).to_contain_text("Ana Ruiz approved (ml-leads)")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    page.goto(installation.settings.jira_url + f"/browse/{installation.reread(request).ticket.key}")  # type: ignore[union-attr]
    expect(page.locator(".status .lozenge")).to_have_text("Done")
    expect(page.get_by_text("Ana Ruiz on")).to_be_visible()
    assert faults + faults_of(page, "jira") == []


def test_reject_asks_why_and_the_reason_stands_on_the_card(installation: Installation, page: Page) -> None:
    request = installation.asked()
    open_channel(page, installation)

    card = page.get_by_test_id("message").filter(has_text=f"{installation.model} v1")
    card.get_by_role("button", name="Reject").click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox").fill("The holiday weeks are <!channel> missing & <b>unseen</b>")
    form.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle_until(lambda: installation.ticket_status(request) == "Won't Do")

    expect(card).to_contain_text("Reason: The holiday weeks are <!channel> missing & <b>unseen</b>")
    expect(card.get_by_role("button", name="Reject")).to_have_count(0)
    assert installation.champion() is None


def test_the_author_is_refused_with_a_sentence_that_only_she_sees(installation: Installation, page: Page) -> None:
    installation.asked()
    open_channel(page, installation, "bea")

    card = page.get_by_test_id("message").filter(has_text=f"{installation.model} v1")
    card.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()

    refusal = "You asked for this transition or trained the version, so someone else must decide it."
    expect(page.get_by_text(refusal)).to_be_visible()
    expect(page.get_by_text("Only visible to you").first).to_be_visible()
    open_channel(page, installation, "ana")
    expect(card.get_by_role("button", name="Approve")).to_be_visible()
    expect(page.get_by_text(refusal)).to_have_count(0)


def test_an_observed_move_is_put_back_from_its_card(installation: Installation, page: Page) -> None:
    lawful = installation.asked()
    installation.approve(lawful)
    second = installation.register()
    installation.ask(second, alias="champion")
    installation.sweep()
    open_channel(page, installation)

    card = page.get_by_test_id("message").filter(has_text="Moved without an approval")
    card.get_by_role("button", name="Put back").click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox").fill("Nobody asked")
    form.get_by_role("button", name="Put back").click()
    installation.settle_until(lambda: installation.champion() == 1)

    put_back = page.get_by_test_id("message").filter(has_text=f"Put back: {installation.model} v2 → champion")
    expect(put_back).to_contain_text(f"champion went back to {installation.model} v1")
