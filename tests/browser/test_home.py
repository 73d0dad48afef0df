"""From a person's own page to the card, in a real browser: Home, the form with its menus, the card, and a link that shows it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.fixtures.axe import faults_of
from tests.fixtures.installation import Installation


def open_home(page: Page, installation: Installation, person: str) -> None:
    page.goto(installation.settings.slack_api_url.removesuffix("api/") + f"?as={person}")
    page.get_by_role("button", name="Countersign", exact=True).click()
    page.get_by_role("button", name="Home", exact=True).click()


def test_a_person_asks_from_home_and_the_card_appears(
    open_installation: Callable[..., Installation], mlflow_server: str, page: Page
) -> None:
    installation = open_installation()
    installation.slack.app.unfurl_domains = (mlflow_server.partition("://")[2].rstrip("/"),)
    for _number in range(2):
        installation.register()
    installation.sweep()
    open_home(page, installation, "cy")
    installation.settle_until(lambda: installation.slack.home_of("cy"))
    home = page.get_by_test_id("home")
    expect(home).to_contain_text("Nothing waits for your vote")

    home.get_by_role("button", name="Request a promotion").click()
    form = page.get_by_test_id("modal")
    form.get_by_label("Model").fill(installation.model)
    form.get_by_role("option", name=installation.model, exact=True).click()
    form.get_by_label("Version").fill("2")
    form.get_by_role("option", name="v2").click()
    expect(form.get_by_label("Target")).not_to_have_value("")
    form.get_by_label("Reason").fill("better on holidays")
    faults = faults_of(page, "form")
    form.get_by_role("button", name="Ask for it").click()
    expect(form).to_contain_text(f"You have asked for {installation.model} v2 as champion.")
    form.get_by_role("button", name="Close").last.click()
    installation.settle()

    open_home(page, installation, "ana")
    installation.settle_until(lambda: installation.slack.home_of("ana"))
    expect(home).to_contain_text(f"Approval needed: promote {installation.model} v2 to champion")
    faults += faults_of(page, "home")
    with page.expect_popup() as opened:
        home.get_by_role("link", name="Open the card").first.click()
    card = opened.value.get_by_test_id("message").filter(has_text=f"{installation.model} v2")
    expect(card).to_contain_text("better on holidays")
    expect(card.get_by_role("button", name="Approve")).to_be_visible()
    opened.value.get_by_role("textbox", name="Message").fill(
        f"{mlflow_server.rstrip('/')}/#/models/{installation.model}/versions/2"
    )
    opened.value.get_by_role("button", name="Send").click()
    expect(opened.value.locator(".attachment")).to_contain_text("Request: Approval needed: champion")
    opened.value.close()
    assert faults == []


def test_the_shortcut_opens_the_form(installation: Installation, page: Page) -> None:
    page.goto(installation.settings.slack_api_url.removesuffix("api/") + "?as=cy")
    page.get_by_role("button", name="Shortcuts").click()
    page.get_by_role("button", name="Request a promotion").click()

    expect(page.get_by_test_id("modal").get_by_label("Model")).to_be_focused()
