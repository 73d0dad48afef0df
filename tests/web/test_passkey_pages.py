"""The pages that use passkeys, in a real Chromium with a virtual authenticator."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bot.domain.model import State
from tests.fixtures.browser import virtual_authenticator
from tests.fixtures.enrolment import Keys, link_in
from tests.fixtures.installation import OWN, Installation


@pytest.fixture
def keys(open_installation: Callable[..., Installation]) -> Keys:
    """Under a rule that takes the passkey of a member of ml-leads."""
    ready = open_installation(public_url=OWN, all_of="[{group: ml-leads, quorum: 1, passkey: required}]")
    ready.sweep()
    return Keys(ready)


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


def test_pressing_approve_leads_to_the_page_where_the_passkey_signs_and_the_version_moves(
    page: Page, keys: Keys
) -> None:
    installation = keys.installation
    with virtual_authenticator(page):
        make_passkey(page, keys, "ana")
        keys.press("ben", keys.all()[0])
        request = installation.asked()
        installation.click("ana", request, "approve")
        before = installation.reread(request).votes

        page.goto(link_in(installation.told_privately("ana")))
        shown = page.locator("main").inner_text()
        page.get_by_role("button", name="Approve with my passkey").click()
        expect(page.get_by_role("status")).to_contain_text("Signed and recorded")
        installation.settle()

    now = installation.reread(request)
    (vote,) = now.votes
    assert before == ()
    assert vote.passkey is not None
    assert vote.passkey.credential == keys.all()[0].credential
    assert (now.state, installation.champion()) == (State.APPLIED, request.version.version)
    with installation.s.store.transaction() as tx:
        kept = tx.passkeys.pending_of(request.id, vote.passkey.statement)
    assert kept is not None
    digest = hashlib.sha256(kept.statement.encode()).hexdigest()
    evidence = "I approve that " + f"{request.version} takes alias:champion, on the evidence named here"
    for part in (
        request.id,
        request.version.model,
        "Ana Ruiz",
        "You vote for\nml-leads",
        "mae",
        "31.5",
        evidence,
        f"sha256:{digest}",
    ):
        assert part in shown


def test_a_device_without_the_persons_passkey_signs_nothing(page: Page, keys: Keys) -> None:
    installation = keys.installation
    keys.enrolled("ana", "ben")  # on another device
    request = installation.asked()
    installation.click("ana", request, "approve")

    with virtual_authenticator(page):
        make_passkey(page, keys, "bea")
        page.goto(link_in(installation.told_privately("ana")))
        page.get_by_role("button", name="Approve with my passkey").click()
        expect(page.get_by_role("status")).to_contain_text("this device has none of your confirmed passkeys")

    installation.settle()
    assert installation.reread(request).votes == ()
    expect(page.get_by_role("button", name="Approve with my passkey")).to_be_enabled()
