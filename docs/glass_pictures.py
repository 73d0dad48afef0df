"""The pictures of docs/break-glass.md: the form that asks again, and the card that calls for a review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

BREAKS, READS = "cy", "ana"  # Cy may break the glass, and the group of the review has Ana
WHY = "The old model has returned wrong figures since 02:10"
SCREEN: ViewportSize = {"width": 1064, "height": 1700}  # as wide as a message in Slack can be
HIDDEN = ".reply, .shortcut, .message.private { display: none }"


def pictures_of_break_glass(
    page: Page, slack: str, model: str, version: int, folder: Path, settle: Callable[[], None]
) -> None:
    """`slack` is the address of the sandbox's Slack; `settle` waits until the version is the champion."""
    page.set_viewport_size(SCREEN)
    page.goto(f"{slack}/?as={BREAKS}")
    page.get_by_label("Message", exact=True).fill(f"/countersign break-glass {model} {version} champion {WHY}")
    page.keyboard.press("Enter")
    form = page.get_by_test_id("modal")
    form.get_by_text("goes to champion at once").wait_for()
    form.screenshot(path=folder / "break-glass-form.png")
    form.get_by_role("button", name="Break the glass").click()
    form.get_by_text("has to review it").wait_for()
    form.get_by_role("button", name="Close").last.click()
    settle()

    page.goto(f"{slack}/?as={READS}")
    card = page.get_by_test_id("message").filter(has_text="Promoted by breaking the glass")
    card.get_by_role("button", name="Review: confirm").wait_for()
    page.wait_for_timeout(1500)
    card.screenshot(path=folder / "break-glass.png", style=HIDDEN)
