"""A passkey in `countersign demo --auto`: Cy Lindqvist makes one, Ana Ruiz confirms it, and Cy's approval is signed with it.

The device is Chromium's virtual authenticator: https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bot.demo.world import CHANNEL, Say, World
from bot.errors import DemoFailed

if TYPE_CHECKING:
    from playwright.sync_api import Page

WITHOUT = "{group: risk, quorum: 1}"
WITH = "{group: risk, quorum: 1, passkey: required}"
LINK = re.compile(r"http://localhost:[0-9]+/(?:passkeys|confirm)/[0-9a-f]{32}\?[\w=&-]+")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
PATIENCE = 60_000  # milliseconds for a page on a busy machine


def chromium() -> str | None:
    """The browser that plays a person's device; None when this machine has none, or no Playwright to drive it."""
    if find_spec("playwright") is None:
        return None
    return shutil.which("chromium") or shutil.which("google-chrome")


def with_passkeys(policy: str) -> str:
    """The demo's policy, in which the approval of `risk` takes a passkey."""
    if WITHOUT not in policy:
        raise DemoFailed(f'the policy has no "{WITHOUT}", so the demo cannot ask for a passkey there')
    return policy.replace(WITHOUT, WITH, 1)


@contextmanager
def device(browser: str) -> Iterator[Page]:
    """A page in a browser whose device keeps passkeys, and whose owner always proves who they are."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=list(QUIET))
        page = opened.new_page()
        page.set_default_timeout(PATIENCE)
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
        yield page
        opened.close()


def make_passkey(world: World, page: Page, say: Say) -> None:
    """Cy asks for the page in Slack and makes a passkey there; Ana confirms it."""
    world.slack.command("cy", "/countersign", "passkey", channel=CHANNEL)
    world.wait_for("the link to the page", lambda: last_link(world, "cy"))
    use(page, last_link(world, "cy"), "Make my passkey", "is recorded")
    say(
        "   Cy Lindqvist (risk) said /countersign passkey and made a passkey on the page, in a browser with a virtual device"
    )
    world.wait_for("the question about the passkey", lambda: _asking(world))
    world.slack.click("ana", CHANNEL, _asking(world), "confirm_passkey")
    world.wait_for("the confirmation", lambda: not _asking(world))
    say("   Ana Ruiz confirmed in Slack that it is Cy's")


def use(page: Page, link: str, button: str, expected: str) -> None:
    """Opens the page and presses its button. Raises DemoFailed when the page says something else than expected."""
    page.goto(link)
    page.get_by_role("button", name=button).click()
    answer = page.locator("#said:not(:empty)")  # no script of ours runs on the page: its policy forbids that
    answer.wait_for()
    said = answer.inner_text()
    if expected not in said:
        raise DemoFailed(f'the page said "{said}" after {button}')


def last_link(world: World, person: str) -> str:
    """In the last message that only this person could see; empty without one."""
    found = LINK.findall(str(world.slack.ephemerals(person)[-1:]))
    return str(found[-1]) if found else ""


def _asking(world: World) -> str:
    """The message that asks for a confirmation, while it does; empty otherwise."""
    asking = [message.ts for message in world.slack.messages(CHANNEL) if "confirm_passkey" in message.buttons]
    return asking[-1] if asking else ""
