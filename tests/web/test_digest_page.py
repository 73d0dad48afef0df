"""The page of a closed digest: who signed it off, and the form for a member of the policy's group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest

from bot.domain.digest.sign_off import REMARK_LIMIT
from bot.domain.events import DigestSignedOff
from tests.fixtures.installation import Installation
from tests.fixtures.readers import HIDDEN, ReadersBrowser
from tests.fixtures.reading import Past, reading_room

DIGEST = 'digest: {cron: "0 9 * * mon", timezone: Europe/Madrid, notify: {slack: "#compliance"}, sign_off: compliance}'


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    with reading_room(database_url, tmp_path) as room:
        room.use_policy(top=DIGEST, groups="compliance: {people: [ana@example.com]}")
        yield room


@pytest.fixture
def reader_called(room: Installation) -> Iterator[Callable[[str], ReadersBrowser]]:
    opened: list[ReadersBrowser] = []

    def signed_in(person: str) -> ReadersBrowser:
        opened.append(ReadersBrowser(room))
        opened[-1].sign_in(person)
        return opened[-1]

    yield signed_in
    for one in opened:
        one.close()


def form_on(page: str) -> dict[str, str]:
    """What the browser would send: the second form of the page, after the one to sign out."""
    return dict(HIDDEN.findall(page.partition('/sign-off">')[2]))


def test_a_member_signs_a_digest_off_on_its_page_with_a_remark_in_any_script(
    room: Installation, reader_called: Callable[[str], ReadersBrowser]
) -> None:
    week = Past(room.s).closed_week()
    ana, page = reader_called("ana"), f"/digests/{week}"
    before, remark = ana.open(page).text, "\U0001f6b2" * REMARK_LIMIT

    answers = [ana.submit(f"{page}/sign-off", {**form_on(before), "remark": remark}) for _ in range(2)]
    after, report = ana.open(page).text, ana.open(f"{page}/countersign-{week}.html").text

    (entry,) = room.entries(DigestSignedOff)
    assert f"Sign off {week}</button>" in before
    assert f'maxlength="{REMARK_LIMIT}"' in before
    assert [(one.status_code, one.headers["Location"]) for one in answers] == [(303, page), (303, page)]
    assert (entry["week"], entry["remark"]) == (week, remark)
    assert "Signed off by Ana Ruiz on " in after
    assert "Signed off by Ana Ruiz on " in unescape(report)
    assert "/sign-off" not in after


def test_a_sign_off_that_cannot_be_is_a_page_that_says_why_and_leads_back(
    room: Installation, reader_called: Callable[[str], ReadersBrowser]
) -> None:
    week = Past(room.s).closed_week()
    ana, ben, page = reader_called("ana"), reader_called("ben"), f"/digests/{week}"
    form = form_on(ana.open(page).text)
    outside = ben.open(page).text

    refused = {
        "read another digest": ana.submit(f"{page}/sign-off", {**form, "digest": "0" * 64}),
        "Shorten it": ana.submit(f"{page}/sign-off", {**form, "remark": "a" * (REMARK_LIMIT + 1)}),
        "Only members of the group": ben.submit(f"{page}/sign-off", {**form, "form_key": ben.form_key()}),
    }
    forged = ana.submit(f"{page}/sign-off", {**form, "form_key": ben.form_key()})

    assert "Waits for the sign-off by a member of <bdi>compliance</bdi>" in outside
    assert "/sign-off" not in outside
    assert {why: (one.status_code, why in one.text) for why, one in refused.items()} == dict.fromkeys(
        refused, (409, True)
    )
    assert all("<h1>Not signed off</h1>" in one.text and f'href="{page}"' in one.text for one in refused.values())
    assert forged.status_code == 403
    assert room.entries(DigestSignedOff) == []


def test_a_digest_that_no_group_is_to_sign_off_has_no_form(
    room: Installation, reader_called: Callable[[str], ReadersBrowser]
) -> None:
    room.use_policy(top=DIGEST.replace(", sign_off: compliance", ""))

    shown = reader_called("ana").open(f"/digests/{Past(room.s).closed_week()}")

    assert (shown.status_code, "ign-off" in shown.text) == (200, False)
