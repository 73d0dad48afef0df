"""Takes the pictures in the docs from a running demo, in a real browser: `make pictures` whenever the card or the pages change."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bot.demo import World, demo_world, find_card, train

DOCS = Path(__file__).parent
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="countersign-pictures-") as home,
        demo_world(Path(home) / "demo", say) as world,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(viewport={"width": 1280, "height": 860}, device_scale_factor=2)
        approve_a_version(world, page)
        model, version = train(world, say, "train.learning_rate=0.1", "train.max_iter=120")
        world.wait_for("the second card", lambda: find_card(world, model, version))
        open_channel(world, page)
        page.screenshot(path=DOCS / "card.png")
        press_approve(page, model, version)
        world.wait_for("the ticket's end", lambda: all(i.status.name == "Done" for i in world.jira.issues()))
        open_channel(world, page)
        page.screenshot(path=DOCS / "approved.png")
        page.goto(f"{world.addresses['jira']}/browse/{world.jira.issues()[0].key}")
        page.screenshot(path=DOCS / "ticket.png", full_page=True)
        browser.close()


def approve_a_version(world: World, page: Page) -> None:
    model, version = train(world, say)
    world.wait_for("the first card", lambda: find_card(world, model, version))
    open_channel(world, page)
    press_approve(page, model, version)
    world.wait_for("the first ticket's end", lambda: [i.status.name for i in world.jira.issues()] == ["Done"])


def open_channel(world: World, page: Page) -> None:
    page.goto(f"{world.addresses['slack']}/?as=ana")
    page.get_by_test_id("message").last.wait_for()
    page.wait_for_timeout(1500)


def press_approve(page: Page, model: str, version: int) -> None:
    card = page.get_by_test_id("message").filter(has_text=f"{model} v{version} →")
    card.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").wait_for(state="detached")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
