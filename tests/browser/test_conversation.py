"""The third answer by clicks, in a real browser on the local Slack: asked, answered, and then approved."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.test_cards import open_channel
from tests.fixtures.axe import faults_of
from tests.fixtures.installation import Installation

WHY = "Why are the winter weeks missing?"


def card_in_channel(page: Page, installation: Installation) -> Locator:
    """An open thread shows it once more."""
    in_channel = page.get_by_test_id("messages").get_by_test_id("message")
    return in_channel.filter(has_text=f"{installation.model} v1").filter(has_text="Trained by")


def test_a_question_is_asked_answered_and_the_version_approved_by_clicks(
    installation: Installation, page: Page
) -> None:
    request = installation.asked()
    open_channel(page, installation)
    card = card_in_channel(page, installation)
    card.get_by_role("button", name="Ask").click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox").fill(WHY)
    form.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle()
    expect(card).to_contain_text(f"Ana Ruiz asks: {WHY}")

    open_channel(page, installation, "bea")
    card.locator(".replies").click()
    thread = page.get_by_test_id("thread")
    thread.get_by_role("button", name="Answer").click()
    form.get_by_role("textbox").fill("They were too short.")
    form.get_by_role("button", name="Answer").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle()
    expect(thread).to_contain_text("Bea Baker answers: They were too short.")
    expect(thread.get_by_role("button", name="Answer", exact=True)).to_have_count(0)
    faults = faults_of(page, "slack")

    open_channel(page, installation)
    expect(page.get_by_test_id("messages")).to_contain_text("Replied to a thread")
    card.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    installation.settle_until(lambda: installation.champion() == 1)

    assert faults == []
    assert installation.reread(request).conversation.unanswered == ()


def test_a_request_is_handed_over_and_a_reply_put_on_record_by_clicks(installation: Installation, page: Page) -> None:
    request = installation.asked()
    open_channel(page, installation)
    card = card_in_channel(page, installation)
    card.get_by_label("More actions").select_option("Hand over")
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").select_option("Ben Okafor")
    form.get_by_role("textbox").fill("You know the winter rides.")
    form.get_by_role("button", name="Hand over").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle()
    expect(card).to_contain_text("Ana Ruiz asked Ben Okafor to decide")

    installation.slack.say(
        "bea", "model-approvals", "Checked on the winter rides", thread_ts=installation.card(request).ts
    )
    card.locator(".replies").click()
    reply = page.get_by_test_id("thread").get_by_test_id("message").filter(has_text="Checked on the winter rides")
    reply.hover()
    reply.get_by_role("button", name="Add to the record").click()

    expect(page.get_by_text("Added to the record of the request").first).to_be_visible()
    assert [one.text for one in installation.reread(request).conversation.comments] == ["Checked on the winter rides"]
