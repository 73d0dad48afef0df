"""Takes what the docs show from a running demo: `make pictures` whenever the card, the pages or the printed answers change.

The pictures come from a real browser, the texts from the command line. Beside the demo's three versions there is a fourth, which is
better than the champion by too little for the fast track, so that two people decide on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from bot.demo.digest import CHANNEL, end_week, is_delivered
from bot.demo.play import BAD, BETTER, GOOD_ENOUGH, it_passes_by_itself, people_reject
from bot.demo.world import CHANNEL as CARDS
from bot.demo.world import POLICY, World, demo_world, find_card, services_of, train
from bot.sandbox.jira import SandboxUser
from bot.supervisor import COUNTERSIGN
from docs.film import film_of_a_promotion
from docs.glass_pictures import pictures_of_break_glass
from docs.guard_picture import picture_of_refusal

DOCS = Path(__file__).parent
GENTLER = "not-worse-is-enough.yaml"  # the demo's policy, but for the 1 % by which a version must be better
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FOR_A_CARD: ViewportSize = {
    "width": 1064,
    "height": 1700,
}  # as wide as a message in Slack can be, and as high as a whole card
FOR_A_THREAD: ViewportSize = {"width": 1500, "height": 900}
FOR_A_TICKET: ViewportSize = {"width": 1280, "height": 860}
PATIENCE = 120_000.0  # milliseconds, on a busy machine
CITIES = ("berlin", "lisbon", "madrid", "oslo", "paris", "prague", "turin", "vienna")
HARDLY_BETTER = (*BETTER, "train.max_leaf_nodes=24")
BROKEN_GLASS = (*BAD, "train.max_leaf_nodes=23")  # other content than the one that people reject: no one said no to it


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="countersign-pictures-") as home,
        demo_world(Path(home) / "demo", say, change=with_sign_off) as world,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(viewport=FOR_A_CARD, device_scale_factor=1.5)
        page.set_default_timeout(PATIENCE)
        tell_the_story(world, page)
        browser.close()


def with_sign_off(policy: str) -> str:
    """The demo's policy, with digests that a group signs off."""
    grouped = policy.replace("groups:\n", "groups:\n  compliance: {people: [bea@example.com]}\n", 1)
    return grouped.replace('notify: {slack: "#compliance"}', 'notify: {slack: "#compliance"}, sign_off: compliance')


def tell_the_story(world: World, page: Page) -> None:
    model, version = train(world, say, *GOOD_ENOUGH)
    film_of_a_promotion(world, page, model, version, DOCS / "demo.gif")
    page.set_viewport_size(FOR_A_CARD)

    model, version = train(world, say, *BETTER)
    it_passes_by_itself(world, model, version, say)
    picture_of_card(world, page, "Approved by the fast track", "fast-track.png")

    model, version = train(world, say, *BAD)
    world.wait_for("the card", lambda: find_card(world, model, version))
    picture_of_card(world, page, "Approval needed", "card.png")
    picture_of_question(world, page, model, version)
    picture_of_start(world, page)
    people_reject(world, model, version, say)
    picture_of_refusal(page, world.addresses["mlflow"], model, version, DOCS / "guard-refusal.png")
    page.set_viewport_size(FOR_A_CARD)
    keep_answers(world, "policy-explain.txt", ("policy", "explain", f"models:/{model}/{version}"))

    model, version = train(world, say, *HARDLY_BETTER)
    people_decide_in_jira(world, page, model, version)
    picture_of_card(world, page, f"Approved: {model} v{version}", "approved.png")
    page.set_viewport_size(FOR_A_TICKET)
    page.goto(f"{world.addresses['jira']}/browse/{world.jira.issues()[0].key}")
    page.screenshot(path=DOCS / "ticket.png", full_page=True)

    pictures_of_home(world, page, model)
    picture_of_a_link(world, page, model, version)
    pictures_of_pages(world, page, model, version)
    replay = ("policy", "replay", "--since", "1d")
    (world.home / GENTLER).write_text(
        POLICY.read_text().replace("min_relative_change: 0.01", "min_relative_change: 0.0")
    )
    keep_answers(world, "policy-replay.txt", replay, (*replay, "--file", GENTLER))
    keep_digest(world, page)
    picture_of_a_shared_card(world, page, model, version)
    break_the_glass(world, page, model)


def break_the_glass(world: World, page: Page, model: str) -> None:
    """At the end, under a policy that allows it: before, the cards would have one more button."""
    asked = (world.home / "policy.yaml").read_text()
    lines = "break_glass: {group: risk, review: {group: ml-leads, within: 2d}}"
    allowing = world.home / "break-glass.yaml"
    allowing.write_text(asked.replace("    approve:\n", f"    {lines}\n    approve:\n", 1))
    environment = {**os.environ, **world.environment}
    words = ("policy", "activate", str(allowing))
    subprocess.run([*COUNTERSIGN, *words], cwd=world.home, env=environment, check=True)
    _, version = train(world, say, *BROKEN_GLASS)
    world.wait_for("the card", lambda: find_card(world, model, version))

    def settle() -> None:
        world.wait_for("the move", lambda: _champion(world, model) == version)
        world.wait_for("the note about it", lambda: _says_since(world))

    pictures_of_break_glass(page, world.addresses["slack"], model, version, DOCS, settle)


def _champion(world: World, model: str) -> int:
    return int(world.mlflow.get_registered_model(model).aliases.get("champion", 0))


def _says_since(world: World) -> bool:
    """The card says that the version has moved."""
    said = [message.all_text for message in world.slack.messages(CARDS) if not message.is_reply]
    return any("Promoted by breaking the glass" in text and "has been champion since" in text for text in said)


def picture_of_a_shared_card(world: World, page: Page, model: str, version: int) -> None:
    """The list that requests for the models of several cities share when they come at once."""
    registry = world.mlflow
    for city in CITIES:
        registry.copy_model_version(f"models:/{model}/{version}", f"bike-{city}")
    for city in CITIES:
        registry.set_registered_model_alias(f"bike-{city}", "candidate", "1")
    world.wait_for("the shared card", lambda: _shared_card(world))
    page.set_viewport_size(FOR_A_CARD)
    page.goto(f"{world.addresses['slack']}/?as=ana")
    card = page.get_by_test_id("message").filter(has_text=f"{len(CITIES)} requests")
    page.wait_for_timeout(1500)
    card.screenshot(path=DOCS / "shared-card.png", style=".reply, .message.private { display: none }")


def _shared_card(world: World) -> bool:
    """Once every line says what it needs."""
    said = [message.all_text for message in world.slack.messages(CARDS) if not message.is_reply]
    return any(f"Waiting for votes: {len(CITIES)} of {len(CITIES)}" in text for text in said)


def people_decide_in_jira(world: World, page: Page, model: str, version: int) -> None:
    """Eve may not decide, and is refused. Ana votes, and the ticket comes back for Cy, whose vote decides."""
    world.jira.site.people += (SandboxUser("eve", "Eve Stranger", "eve@example.net"),)
    world.wait_for("the card", lambda: find_card(world, model, version))
    world.wait_for("the ticket", lambda: f"v{version} " in world.jira.issues()[0].summary)
    issue = world.jira.issues()[0]
    page.set_viewport_size(FOR_A_TICKET)
    page.goto(f"{world.addresses['jira']}/browse/{issue.key}")
    for person, said in (("Eve Stranger", "only members of"), ("Ana Ruiz", "Approval recorded")):
        page.get_by_label("Acting as").select_option(person)
        page.get_by_role("button", name="Approve").click()
        page.locator(".talks").get_by_text(said).wait_for()
        page.locator(".status .lozenge", has_text="To Do").wait_for()
    page.screenshot(path=DOCS / "ticket-decision.png", full_page=True)
    page.get_by_label("Acting as").select_option("Cy Lindqvist")
    page.get_by_role("button", name="Approve").click()
    world.wait_for("the move of the alias", lambda: "approve" not in _buttons(world, model, version))
    page.set_viewport_size(FOR_A_CARD)


def _buttons(world: World, model: str, version: int) -> frozenset[str]:
    card = find_card(world, model, version)
    return frozenset(card.buttons) if card else frozenset()


def picture_of_card(world: World, page: Page, title: str, name: str, channel: str = "") -> None:
    """The card alone, once its table is there, or the digest's chart."""
    page.goto(f"{world.addresses['slack']}/?as=ana")
    if channel:
        page.get_by_role("button", name=channel).click()
    card = page.get_by_test_id("message").filter(has_text=title)
    if not channel:  # the digest's card has no picture
        card.locator("figure img, table").first.wait_for()
    page.wait_for_timeout(1500)
    card.screenshot(path=DOCS / name, style=".reply, .shortcut, .message.private { display: none }")


def picture_of_question(world: World, page: Page, model: str, version: int) -> None:
    """A card with an open question, and its thread beside it."""
    page.set_viewport_size(FOR_A_THREAD)
    page.goto(f"{world.addresses['slack']}/?as=ana")
    card = page.get_by_test_id("message").filter(has_text=f"promote {model} v{version} to").first
    card.get_by_role("button", name="Ask").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("Were the winter weeks left out on purpose?")
    page.get_by_role("dialog").get_by_role("button", name="Ask").click()
    card.get_by_text("Ana Ruiz asks:").wait_for()
    card.locator(".replies").click()
    page.get_by_test_id("thread").get_by_role("button", name="Answer").wait_for()
    page.wait_for_timeout(1500)
    page.screenshot(path=DOCS / "ask.png", style=".reply, .shortcut, .message.private { display: none }")
    page.set_viewport_size(FOR_A_CARD)


def picture_of_start(world: World, page: Page) -> None:
    """What a reader sees after signing in, while a request waits."""
    bot = world.environment["COUNTERSIGN_URL"]
    page.set_viewport_size({"width": 1280, "height": 600})
    page.goto(f"{bot}/")
    page.get_by_role("link", name="Sign in with Slack").click()
    page.get_by_label("You are").select_option("Ana Ruiz")
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{bot}/")
    page.screenshot(path=DOCS / "pages.png")
    page.set_viewport_size(FOR_A_CARD)


def pictures_of_pages(world: World, page: Page, model: str, version: int) -> None:
    """For the reader who has signed in: a model's versions on a phone, and a version in the dark."""
    bot = world.environment["COUNTERSIGN_URL"]
    page.set_viewport_size({"width": 380, "height": 900})
    page.goto(f"{bot}/models/{model}")
    page.get_by_role("heading", name="Versions").evaluate("one => one.scrollIntoView({block: 'start'})")
    page.screenshot(path=DOCS / "pages-phone.png")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="dark")
    page.goto(f"{bot}/models/{model}/{version}")
    page.screenshot(path=DOCS / "pages-dark.png")
    page.emulate_media(color_scheme="light")


def pictures_of_home(world: World, page: Page, model: str) -> None:
    """Ana's own page in Slack, and the form with its menus."""
    page.set_viewport_size({"width": 1180, "height": 1000})
    page.goto(f"{world.addresses['slack']}/?as=ana")
    page.get_by_role("button", name="Countersign", exact=True).click()
    page.get_by_role("button", name="Home", exact=True).click()
    home, form = page.get_by_test_id("home"), page.get_by_test_id("modal")
    home.get_by_text("In production now").wait_for()
    page.screenshot(path=DOCS / "home.png")

    home.get_by_role("button", name="Request a promotion").click()
    form.get_by_label("Model").fill(model)
    form.get_by_role("option", name=model, exact=True).click()
    form.get_by_label("Version").fill("v")
    form.get_by_role("option").first.wait_for()
    form.screenshot(path=DOCS / "home-form.png")
    while form.is_visible():  # it would cover Ana's next pictures. The first Escape closes the menu alone
        page.keyboard.press("Escape")
        page.wait_for_timeout(2000)


def picture_of_a_link(world: World, page: Page, model: str, version: int) -> None:
    """What Slack shows below a link to the version in MLflow that somebody posts beside its card."""
    page.set_viewport_size(FOR_A_CARD)
    page.goto(f"{world.addresses['slack']}/?as=ana")
    page.get_by_role("textbox", name="Message").fill(f"{world.addresses['mlflow']}/#/models/{model}/versions/{version}")
    page.get_by_role("button", name="Send").click()
    posted = page.get_by_test_id("message").filter(has=page.locator(".attachment"))
    posted.get_by_text("Holds").first.wait_for()
    page.wait_for_timeout(1500)
    posted.screenshot(path=DOCS / "link-preview.png", style=".reply, .shortcut, .message.private { display: none }")


def keep_answers(world: World, name: str, *commands: tuple[str, ...]) -> None:
    """Each command as one would type it, and what it answered."""
    environment = {**os.environ, **world.environment}
    told = []
    for words in commands:
        done = subprocess.run(
            [*COUNTERSIGN, *words], cwd=world.home, env=environment, capture_output=True, text=True, check=True
        )
        told.append(f"$ countersign {' '.join(words)}\n{done.stdout}")
    (DOCS / name).write_text("\n".join(told))


def keep_digest(world: World, page: Page) -> None:
    """Of the week in which all of this happened: the card in Slack, and the report as a page and for paper."""
    with services_of(world) as services:
        week = end_week(services)
        world.wait_for("the digest's delivery", lambda: is_delivered(week, services))
    page.set_viewport_size(FOR_A_CARD)
    picture_of_card(world, page, "Model approvals", "digest.png", channel=CHANNEL)

    environment = {**os.environ, **world.environment}
    with tempfile.TemporaryDirectory(prefix="countersign-digest-") as out:
        words = ("digest", "--week", week, "--out", out)
        subprocess.run([*COUNTERSIGN, *words], cwd=world.home, env=environment, check=True)
        for ending in ("html", "pdf"):
            (report,) = Path(out).glob(f"countersign-*.{ending}")
            shutil.copyfile(report, DOCS / f"digest.{ending}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
