"""A usual request on the sandbox's page: the whole card with its buttons is seen without scrolling, and whom it calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bot.clients.slack.notifier import SlackNotifier
from bot.domain.card.card import Card
from bot.domain.card.metric_history import chart_of
from bot.domain.card.request_card import request_card
from bot.language import SPANISH
from bot.language.catalogues import in_language
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox
from tests.builders.usual import USUAL, usual_history, usual_request

HIGHEST = 500  # pixels
PICTURES = os.environ.get("CARD_PICTURES")  # a directory, to look at the pictures
RECORD = "https://countersign.example.com/v/1"


@pytest.fixture
def slack() -> Iterator[SlackSandbox]:
    sandbox = SlackSandbox()
    with serving(sandbox) as url:
        sandbox.public_url = url
        yield sandbox


def post(slack: SlackSandbox, card: Card) -> None:
    notifier = SlackNotifier(slack.app.bot_token, api_url=f"{slack.public_url}/api/", clock=lambda: 0.0)
    notifier.post("#model-approvals", card, "key")


def test_a_usual_card_is_seen_whole_with_its_buttons_and_whom_it_calls(slack: SlackSandbox, page: Page) -> None:
    post(slack, request_card(usual_request(), USUAL, RECORD, calls=True))
    page.goto(f"{slack.public_url}/?as=ana")

    card = page.get_by_test_id("message").filter(has_text="Approval needed")
    expect(card.get_by_role("button", name="Approve")).to_be_visible()
    box = card.bounding_box()

    assert box is not None
    assert box["height"] <= HIGHEST
    expect(card.locator(".mention")).to_have_text(["@ml-leads", "@risk"])
    expect(card.locator(".block time")).to_have_count(1)


def test_a_card_in_spanish_shows_its_moments_in_the_readers_zone_and_is_no_higher(
    slack: SlackSandbox, page: Page
) -> None:
    with in_language(SPANISH):
        post(slack, request_card(usual_request(), USUAL, RECORD, calls=True))
    page.goto(f"{slack.public_url}/?as=ana")

    expect(page.get_by_text("Faltan 2 aprobaciones, 1 de cada:")).to_be_visible()
    card = page.get_by_test_id("message").filter(has_text="Falta aprobación: promover bike-demand v7 a champion")
    expect(card.get_by_role("button", name="Aprobar")).to_be_visible()
    box = card.bounding_box()

    assert box is not None
    assert box["height"] <= HIGHEST
    expect(card.locator(".block time")).to_have_count(1)
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / "card-spanish.png", full_page=True)


def test_the_chart_is_drawn_with_its_lines_and_says_in_words_what_it_shows(slack: SlackSandbox, page: Page) -> None:
    chart = chart_of(usual_history())
    post(slack, Card("History", "History", paragraphs=(chart.words,), chart=chart))
    page.goto(f"{slack.public_url}/?as=ana")

    drawn = page.get_by_test_id("message").get_by_role("group", name="mae by version")

    expect(drawn.locator("polyline")).to_have_count(3)
    expect(drawn.locator(".legend")).to_contain_text("limit 40")
    expect(page.get_by_text(chart.words)).to_be_visible()
