"""Links to the bot's pages: valid for one page and for a limited time, and not after any change."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Rejected
from bot.links import KEY_FILE, NO_LINKS, Links, links_for, make_link_key, path_of

URL = "https://countersign.example.com"
NOW = datetime(2026, 11, 1, 15, 30, tzinfo=UTC)
OLD, NEW = "the-old-link-key-of-the-tests-123456", "the-new-link-key-of-the-tests-123456"


def parts(link: str) -> tuple[str, str, str]:
    split = urlsplit(link)
    query = parse_qs(split.query)
    return split.path, query["expires"][0], query["signature"][0]


def refusal(links: Links, path: str, expires: str, signature: str, now: datetime = NOW) -> str:
    with pytest.raises(Rejected) as refused:
        links.check(path, expires, signature, now)
    assert refused.value.status == 403
    return str(refused.value)


def test_a_link_opens_its_page_until_ninety_days_are_over() -> None:
    links = Links(URL, [NEW])

    link = links.to_version("bike-demand", 7, NOW)

    assert link.startswith(f"{URL}/models/bike-demand/7?expires=")
    links.check(*parts(link), NOW)
    links.check(*parts(link), NOW + timedelta(days=90))
    assert "This link ended on 2027-01-31 00:00 UTC." in refusal(links, *parts(link), NOW + timedelta(days=91))


def test_a_link_stays_the_same_all_day() -> None:
    links = Links(f"{URL}/", [NEW])

    morning = links.to_version("bike-demand", 7, NOW.replace(hour=0))
    night = links.to_version("bike-demand", 7, NOW.replace(hour=23))
    next_day = links.to_version("bike-demand", 7, NOW + timedelta(days=1))

    assert morning == night
    assert next_day != night


def test_a_link_opens_no_other_page() -> None:
    links = Links(URL, [NEW])
    _, expires, signature = parts(links.to_version("bike-demand", 7, NOW))

    for path in (path_of("bike-demand", 8), path_of("bike", 7), path_of("bike-demand", 77)):
        assert "was changed" in refusal(links, path, expires, signature)


def test_an_end_that_was_put_off_is_found_out() -> None:
    links = Links(URL, [NEW])
    path, expires, signature = parts(links.to_version("bike-demand", 7, NOW))

    assert "was changed" in refusal(links, path, str(int(expires) + 1), signature)
    assert "was changed" in refusal(links, path, "tomorrow", signature)


@given(expires=st.text(), signature=st.text())
def test_no_made_up_signature_opens_a_page(expires: str, signature: str) -> None:
    assert refusal(Links(URL, [NEW]), path_of("bike-demand", 7), expires, signature)


@given(place=st.integers(0, 42), letter=st.sampled_from("ABab01-_"))
def test_no_letter_of_a_signature_can_be_changed(place: int, letter: str) -> None:
    links = Links(URL, [NEW])
    path, expires, signature = parts(links.to_version("bike-demand", 7, NOW))

    changed = signature[:place] + letter + signature[place + 1 :]

    if changed != signature:
        assert "was changed" in refusal(links, path, expires, changed)


def test_a_link_by_the_old_key_still_opens_while_the_key_changes() -> None:
    before, during, after = Links(URL, [OLD]), Links(URL, [NEW, OLD]), Links(URL, [NEW])

    by_the_old, by_the_new = before.to_version("bike-demand", 7, NOW), during.to_version("bike-demand", 7, NOW)

    during.check(*parts(by_the_old), NOW)
    after.check(*parts(by_the_new), NOW)
    assert "its key is no longer in use" in refusal(after, *parts(by_the_old))


def test_without_an_address_or_a_key_there_are_no_links_and_no_page_opens() -> None:
    without_address, without_key = Links("", [NEW]), Links(URL, [])

    assert without_address.to_version("bike-demand", 7, NOW) == ""
    assert without_key.to_version("bike-demand", 7, NOW) == ""
    assert "COUNTERSIGN_LINK_KEY" in refusal(NO_LINKS, path_of("bike-demand", 7), "1", "x")
    assert "signed link" in refusal(without_address, path_of("bike-demand", 7), "", "")


@pytest.mark.parametrize("model", ["<b>bold</b>", "=1+1", "Räder ☂", "\u202egpj.exe", "a b&c?d#e%2F"])
def test_a_name_of_any_letters_makes_a_link_that_opens(model: str) -> None:
    links = Links(URL, [NEW])

    link = links.to_version(model, 7, NOW)

    assert link.isascii()
    assert parts(link)[0] == path_of(model, 7)
    links.check(*parts(link), NOW)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    make_link_key(tmp_path)
    first = (tmp_path / KEY_FILE).read_text()

    make_link_key(tmp_path)

    assert (tmp_path / KEY_FILE).read_text() == first
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert links_for(URL, (), tmp_path).to_version("bike-demand", 7, NOW)
    assert links_for(URL, (NEW,), tmp_path).to_version("b", 1, NOW) == Links(URL, [NEW]).to_version("b", 1, NOW)
    assert links_for(URL, (), tmp_path / "elsewhere").to_version("bike-demand", 7, NOW) == ""
