"""What people see of the evidence before they decide, in a real browser: the table, the plot, who is called, and the way back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from bot.domain.model import Kind, TransitionRequest
from tests.browser.test_cards import open_channel
from tests.fixtures.installation import Installation

AT_MOST_30 = "metrics: {mae: {threshold: 30, greater_is_better: false}}"
SHADOW = f"fast_track: {{mode: shadow, {AT_MOST_30}}}"
ON = f"fast_track: {{mode: 'on', {AT_MOST_30}, undo_for: 1h}}"
REMINDING = "remind_after: 1h"
OPEN_ALL_WEEK = "calendar: {timezone: UTC, days: [mon, tue, wed, thu, fri, sat, sun], hours: '00:00-24:00'}"


def card_on(page: Page, installation: Installation, version: int) -> Locator:
    return page.get_by_test_id("message").filter(
        has_text=re.compile(f"{re.escape(installation.model)} v{version} (→|to) champion")
    )


def candidate_beside_champion(installation: Installation) -> TransitionRequest:
    """v1 was approved and holds champion; v2 is better on mae, worse on r2, and misses the threshold."""
    installation.use_policy(extra=SHADOW)
    installation.approve(installation.asked(installation.register(metrics={"mae": 41.25, "r2": 0.81})))
    request = installation.asked(installation.register(metrics={"mae": 31.5, "r2": 0.75}))
    installation.settle_all()
    return request


def test_the_table_shows_the_candidate_beside_the_champion_with_the_threshold_and_its_mark(
    installation: Installation, page: Page
) -> None:
    candidate_beside_champion(installation)
    open_channel(page, installation)

    table = card_on(page, installation, 2).get_by_role("table")

    expect(table.get_by_role("columnheader")).to_have_text(
        ["Metric", "v2 (candidate)", "v1 (champion)", "Difference", "Threshold"]
    )
    expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_text(
        ["mae", "31.5", "41.25", "-9.75, better", "✗ ≤ 30"]
    )
    expect(table.get_by_role("row")).to_have_count(2)  # r2 is in the thread, because no threshold names it


def test_the_plot_is_drawn_and_says_in_words_what_it_shows(installation: Installation, page: Page) -> None:
    installation.draws = True
    installation.slack.workspace.takes_charts = False
    request = candidate_beside_champion(installation)
    open_channel(page, installation)

    card_on(page, installation, 2).get_by_role("button", name="2 replies").click()
    plot = page.get_by_test_id("thread").get_by_role("img", name=f"mae over versions 1 to 2 of {installation.model}")

    shown = installation.reread(request).plot
    assert shown is not None
    expect(plot).to_be_visible()
    expect(plot).to_have_js_property("naturalWidth", 1200)
    expect(plot).to_have_attribute("alt", shown.alt)
    expect(page.get_by_test_id("thread").locator("figcaption")).to_contain_text("candidate v2 31.5, limit: at most 30")
    expect(page.get_by_test_id("messages").get_by_role("button", name="Approve")).to_be_in_viewport()


def test_a_reminder_is_one_direct_message_to_a_person_whose_vote_is_missing(
    installation: Installation, page: Page
) -> None:
    installation.use_policy(extra=REMINDING, top=OPEN_ALL_WEEK)
    installation.asked()
    installation.clock.ahead += timedelta(hours=2)
    installation.sweep("remind_people")
    installation.settle_all()
    open_channel(page, installation)

    page.locator("#directs").get_by_role("button").click()
    reminder = page.get_by_test_id("message").last

    expect(reminder).to_contain_text("waits for you")
    expect(reminder).to_contain_text(f"{installation.model} v1 → champion")


def test_undo_asks_why_and_takes_back_what_the_fast_track_let_through(installation: Installation, page: Page) -> None:
    installation.use_policy(extra=ON)
    installation.approve(installation.asked(installation.register(metrics={"mae": 41.25})))
    passed = installation.asked(installation.register(metrics={"mae": 24.5}))
    installation.settle_until(lambda: "roll_back" in installation.card(passed).buttons)
    open_channel(page, installation)

    card = card_on(page, installation, 2)
    expect(card).to_contain_text("Approved by the fast track")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    card.get_by_role("button", name="Undo").click()
    form = page.get_by_role("dialog")
    expect(form).to_contain_text(f"champion goes back from {installation.model} v2 to {installation.model} v1.")
    form.get_by_role("textbox").fill("It has never seen snow")
    form.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle_until(lambda: installation.champion() == 1)

    (back,) = [request for request in installation.requests() if request.kind is Kind.ROLLBACK]
    expect(card.get_by_role("button", name="Undo")).to_have_count(0)
    expect(page.get_by_test_id("message").filter(has_text="Restored by a rollback:")).to_contain_text(
        "It has never seen snow"
    )
    assert (back.follows, back.comment) == (passed.id, "It has never seen snow")


@pytest.mark.proof
def test_a_rule_that_always_wants_a_reason_asks_for_it_in_a_form_that_says_what_happens(
    installation: Installation, page: Page
) -> None:
    installation.use_policy(reason="always")
    installation.asked()
    open_channel(page, installation)

    card = card_on(page, installation, 1)
    card.get_by_role("button", name="Approve").click()
    form = page.get_by_role("dialog", name="Approve")
    expect(form).to_contain_text(f"{installation.model} v1 becomes champion.")
    form.get_by_role("button", name="Approve").click()
    expect(form.get_by_text("Please complete this required field.")).to_be_visible()
    form.get_by_role("textbox").fill("It knows the holidays")
    form.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    installation.settle_until(lambda: installation.champion() == 1)

    expect(card).to_contain_text("Reason: It knows the holidays")
