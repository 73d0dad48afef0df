"""The moving picture at the top of the README: one promotion in a real browser, from the card to the closed ticket."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Locator, Page, ViewportSize

from bot.demo.world import World, find_card

SCREEN: ViewportSize = {"width": 1000, "height": 700}
COLOURS = 96
LINE, LETTERS = 60, 28  # pixels below each picture, for what happens in it
MOVED = re.compile(r"^\W*Approved: ")  # and not "If approved: "
INK, PAPER = (255, 255, 255), (32, 30, 40)


@dataclass
class Film:
    """Pictures with a sentence and the seconds that each is shown."""

    page: Page
    frames: list[tuple[Image.Image, float]] = field(default_factory=list)

    def take(self, sentence: str, seconds: float) -> None:
        self.page.wait_for_timeout(700)
        shown = Image.open(BytesIO(self.page.screenshot())).convert("RGB")
        frame = Image.new("RGB", (shown.width, shown.height + LINE), PAPER)
        frame.paste(shown)
        place = (16, shown.height + LINE // 2)
        ImageDraw.Draw(frame).text(place, sentence, INK, ImageFont.load_default(LETTERS), anchor="lm")
        self.frames.append((frame, seconds))

    def save(self, path: Path) -> None:
        """All pictures share the colours of one, so that what stays does not flicker."""
        palette = self.frames[0][0].quantize(COLOURS)
        pictures = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame, _ in self.frames]
        lasting = [round(seconds * 1000) for _, seconds in self.frames]
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=lasting, loop=0, optimize=True)


def film_of_a_promotion(world: World, page: Page, model: str, version: int, path: Path) -> None:
    """Two people decide; the second one's vote moves the alias."""
    world.wait_for(f"the card of v{version}", lambda: find_card(world, model, version))
    page.set_viewport_size(SCREEN)
    film = Film(page)
    card = channel_of(world, page, "ana", model, version)
    film.take(f"{model} v{version} asks to become champion. Countersign asks in Slack, with the evidence", 4)
    show(card, "Approve")
    film.take("Its author and who asked may not decide. Ana Ruiz, of ml-leads, may", 3)
    press(page, card)
    film.take("A dialog says what the approval does", 2.5)
    agree(page)
    card.get_by_text("Needs 1 more approval").wait_for()
    film.take("Her vote is recorded and signed. The rule needs one approval of risk, too", 3.5)

    card = channel_of(world, page, "cy", model, version)
    show(card, "Approve")
    film.take("Cy Lindqvist of risk opens the same card", 2.5)
    press(page, card)
    agree(page)
    card.get_by_text(MOVED).first.wait_for()
    world.wait_for("the move", lambda: world.mlflow.get_registered_model(model).aliases.get("champion") == str(version))
    card.scroll_into_view_if_needed()
    film.take("Both groups have approved, so Countersign moves the alias", 4)

    page.goto(f"{world.addresses['jira']}/browse/{world.jira.issues()[0].key}")
    page.locator(".status .lozenge").get_by_text("Done").wait_for()
    film.take("The ticket is closed", 2.5)
    page.get_by_role("heading", name="Comments").evaluate("one => one.scrollIntoView({block: 'start'})")
    film.take("Its comments have the decision, who voted, and what happened to the alias", 4)
    film.save(path)


def channel_of(world: World, page: Page, person: str, model: str, version: int) -> Locator:
    page.goto(f"{world.addresses['slack']}/?as={person}")
    card = page.get_by_test_id("message").filter(has_text=f"{model} v{version}").first
    card.locator("figure img, table").first.wait_for()
    card.evaluate("one => one.scrollIntoView({block: 'start'})")
    return card


def show(card: Locator, button: str) -> None:
    card.get_by_role("button", name=button).scroll_into_view_if_needed()
    card.get_by_role("button", name=button).hover()


def press(page: Page, card: Locator) -> None:
    card.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").wait_for()


def agree(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").wait_for(state="detached")
