"""The pages that use passkeys, in a real Chromium with a virtual authenticator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.browser import virtual_authenticator
from tests.fixtures.enrolment import Keys
from tests.fixtures.installation import OWN, Installation


@pytest.fixture
def keys(open_installation: Callable[..., Installation]) -> Keys:
    return Keys(open_installation(public_url=OWN))


def make_passkey(page: Page, keys: Keys, person: str, label: str = "my phone") -> None:
    page.goto(keys.link_for(person))
    page.get_by_label("A name for it").fill(label)
    page.get_by_role("button", name="Make my passkey").click()
    expect(page.get_by_role("status")).to_contain_text("is recorded")
    keys.installation.settle()


def test_a_person_makes_a_passkey_and_another_approver_confirms_it(page: Page, keys: Keys, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})  # a phone's
    with virtual_authenticator(page):
        make_passkey(page, keys, "ana")

        keys.press("ben", keys.all()[0])

    (made,) = keys.all()
    assert (made.label, made.counts, made.rp_id) == ("my phone", True, "localhost")
    assert page.get_by_role("status").inner_text().startswith(f"Your passkey {made.short_id} is recorded.")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_device_that_has_the_persons_passkey_makes_no_second_one(page: Page, keys: Keys) -> None:
    with virtual_authenticator(page):
        make_passkey(page, keys, "ana")
        page.goto(keys.link_for("ana"))

        page.get_by_role("button", name="Make my passkey").click()

        expect(page.get_by_role("status")).to_contain_text("This device has a passkey of yours already")
    assert len(keys.all()) == 1


def test_two_people_make_passkeys_of_their_own_on_one_device(page: Page, keys: Keys) -> None:
    with virtual_authenticator(page):
        make_passkey(page, keys, "ana")
        make_passkey(page, keys, "ben")

    first, second = keys.all()
    assert first.person != second.person
    assert first.public_key != second.public_key


def test_a_browser_without_passkeys_says_what_to_do(page: Page, keys: Keys) -> None:
    page.add_init_script("delete window.PublicKeyCredential")

    page.goto(keys.link_for("ana"))

    expect(page.get_by_text("This browser has no passkeys")).to_be_visible()
    expect(page.get_by_role("button", name="Make my passkey")).to_be_disabled()
