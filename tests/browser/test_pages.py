"""The pages as an auditor sees them, in a real browser: found by clicking, readable by everyone, on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fixtures.axe import faults_of
from tests.fixtures.installation import Installation
from tests.fixtures.reading import Past, reading_room

HOSTILE = "\u202ejpg<img src=x onerror=alert(1)>"
SHOWN = HOSTILE.replace("\u202e", r"\u202e")
DAY = timedelta(days=1)


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    """Version 1 and then 2 were approved, 3 was rejected, 4 waits; one model has a hostile name, and one is in another registry."""
    with reading_room(database_url, tmp_path) as room:
        past, now = Past(room.s), room.clock.now()
        past.approved(past.asked("bike", 1, now - 60 * DAY), "ben@example.com", now - 59 * DAY)
        past.approved(past.asked("bike", 2, now - 30 * DAY, mae=26.1), "ana@example.com", now - 29 * DAY)
        why = "Twice the error on holidays"
        past.rejected(past.asked("bike", 3, now - 9 * DAY, mae=61.5), "ana@example.com", why, now - 8 * DAY)
        past.asked("bike", 4, now - DAY, mae=25.0)
        past.unreadable(f"bike{HOSTILE}", 1, now - DAY, "the store answers 403")
        past.approved(past.asked("bike", 7, now - 5 * DAY, workspace="eu/team-a"), "ben@example.com", now - 4 * DAY)
        past.closed_week()
        yield room


def sign_in(page: Page, room: Installation) -> None:
    page.goto(f"{room.s.links.url}/")
    page.get_by_role("link", name="Sign in with Slack").click()
    page.get_by_label("You are").select_option("Ana Ruiz")
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{room.s.links.url}/")


def in_spanish(room: Installation, person: str) -> None:
    people, known = room.slack.workspace.people, room.slack.workspace.person(person)
    people[known.id] = replace(known, locale="es-ES")
    room.forget_what_slack_said()


def test_an_auditor_finds_three_decisions_from_the_start_page(room: Installation, page: Page) -> None:
    month_ago = (room.clock.now() - 40 * DAY).date().isoformat()
    sign_in(page, room)

    page.get_by_role("searchbox").fill("bike v2")
    page.get_by_role("button", name="Search").click()
    approved = page.get_by_role("row", name="bike v2").text_content()
    page.get_by_role("searchbox").fill("bike v3")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Rejected").click()
    rejected = page.get_by_role("article").text_content()
    page.get_by_role("link", name="Models").click()
    page.get_by_role("link", name="bike", exact=True).first.click()
    page.get_by_label("What held them on a day").fill(month_ago)
    page.get_by_role("button", name="Show").click()

    assert "Ana Ruiz" in (approved or "")
    assert "Twice the error on holidays" in (rejected or "")
    expect(page.get_by_role("group", name="What holds its targets")).to_contain_text("bike v1")
    expect(page.get_by_role("group", name="What holds its targets")).to_contain_text("approved by Ben Okafor")


def test_every_page_is_readable_by_everyone_wide_narrow_light_and_dark(
    room: Installation, page: Page, browser: Browser
) -> None:
    home, faults = room.s.links.url, []
    stranger = browser.new_page()  # the fixture's page would call a refusal an error
    sign_in(page, room)

    for name, address in {
        "start": "/",
        "search": "/search?q=bike",
        "models": "/models",
        "model": "/models/bike",
        "version": "/models/bike/2",
        "rejected": f"/requests/{3:032x}",
        "unreadable": f"/requests/{5:032x}",
        "ledger": "/ledger",
        "digests": "/digests",
        "digest": "/digests/2026-W47",
    }.items():
        page.goto(home + address)
        faults += faults_of(page, name, in_the_dark=name in ("start", "version", "ledger"))
    for name, address in {"welcome": "/", "refused": "/ledger", "authorize": "/sign-in"}.items():
        stranger.goto(home + address)
        faults += faults_of(stranger, name)
    stranger.close()

    assert faults == [], "\n".join(faults)


@pytest.mark.proof
def test_every_page_is_readable_by_everyone_in_spanish_too(room: Installation, page: Page, browser: Browser) -> None:
    home, faults, languages = room.s.links.url, [], {}
    stranger = browser.new_page(locale="es-MX")  # has no session: the browser's language counts
    sign_in(page, room)
    in_spanish(room, "ana")

    for name, address in {
        "start": "/",
        "search": "/search?q=bike",
        "models": "/models",
        "model": "/models/bike",
        "version": "/models/bike/2",
        "rejected": f"/requests/{3:032x}",
        "unreadable": f"/requests/{5:032x}",
        "ledger": "/ledger",
        "digests": "/digests",
        "digest": "/digests/2026-W47",
    }.items():
        page.goto(home + address)
        languages[name] = page.locator("html").get_attribute("lang")
        faults += faults_of(page, name)
    for name, address in {"welcome": "/", "refused": "/ledger", "unknown": "/no-such-page"}.items():
        stranger.goto(home + address)
        languages[name] = stranger.locator("html").get_attribute("lang")
        faults += faults_of(stranger, name)
    stranger.close()

    assert set(languages.values()) == {"es"}, languages
    assert faults == [], "\n".join(faults)


@pytest.mark.proof
def test_a_name_from_outside_runs_nothing_and_a_keyboard_reaches_everything(room: Installation, page: Page) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    sign_in(page, room)

    page.goto(f"{room.s.links.url}/search?q=jpg")
    page.get_by_role("link", name=f"bike{SHOWN} v1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"bike{SHOWN} v1")
    page.get_by_role("link", name="All versions").click()
    page.keyboard.press("Tab")

    expect(page.get_by_role("heading", level=1)).to_have_text(f"bike{SHOWN}")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    assert page.locator("main img").count() == 0
    assert alerts == []
