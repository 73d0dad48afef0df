"""The picture of docs/guard.md: MLflow's own page, on which somebody gives a governed alias to a version and is refused."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, ViewportSize

SCREEN: ViewportSize = {"width": 1280, "height": 760}
ALIASES = '[title="Add aliases"], [title="Edit aliases"]'  # the same button, of a version without aliases and of one with them


def picture_of_refusal(page: Page, mlflow: str, model: str, version: int, path: Path) -> None:
    """`mlflow` is the address of a server with the guard, and somebody else's version is the champion."""
    page.set_viewport_size(SCREEN)
    page.goto(f"{mlflow}/#/models/{model}/versions/{version}")
    page.locator(ALIASES).click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").fill("champion")
    page.keyboard.press("Enter")
    form.get_by_text("alias is also being used").click()  # closes the menu, which covers the button
    form.get_by_role("button", name="Save aliases").click()
    form.get_by_text("is governed by Countersign").wait_for()
    page.wait_for_timeout(700)  # until the page has moved the form into its place
    page.screenshot(path=path)
