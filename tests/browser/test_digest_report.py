"""The digest's report as a reader sees it: in a real browser, on a wide screen, on a phone, on paper, and read aloud."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

import pypdfium2
import pytest
from playwright.sync_api import Page, expect

from bot.domain.digest.figures import Digest
from bot.domain.evidence.pipeline_graph import BOX_WIDTH
from bot.reports.html import html_of
from tests.browser.test_version_page import TOO_FAINT
from tests.builders.digest import ODD_NAMES, a_crowded_digest, a_digest, a_quiet_digest, an_oddly_named_digest
from tests.builders.long_names import PIPELINE, a_full_digest_of_long_names

pytestmark = pytest.mark.xdist_group("browser")

PICTURES = os.environ.get("DIGEST_PICTURES")  # a directory, to look at the pictures
SECTIONS = [
    "attention",
    "holdings",
    "transitions",
    "waiting",
    "latency",
    "trend",
    "fast-track",
    "changes",
    "rules",
    "people",
    "pipelines",
    "scope",
    "ledger",
    "glossary",
]
LEVELS = "[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))"
UNNAMED = """[...document.querySelectorAll('table')].filter(one => !one.caption).length
  + [...document.querySelectorAll('th:not([scope])')].length
  + [...document.querySelectorAll('svg:not([aria-label]), img:not([alt])')].length"""
CUT_OFF = """[...document.querySelectorAll('th, td')].filter(one => one.scrollWidth > one.clientWidth + 1)
  .map(one => one.textContent)"""


def open_report(page: Page, digest: Digest, directory: Path) -> None:
    path = directory / "report.html"
    path.write_text(html_of(digest), encoding="utf-8")
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto(path.as_uri())


def has_no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def printed(page: Page, paper: str) -> list[str]:
    with pypdfium2.PdfDocument(page.pdf(format=paper)) as document:
        return [" ".join(one.get_textpage().get_text_range().split()) for one in document]


def test_the_report_has_one_title_headings_in_order_and_names_for_all_that_is_drawn(page: Page, tmp_path: Path) -> None:
    open_report(page, a_digest(), tmp_path)

    levels = page.evaluate(LEVELS)
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.evaluate(UNNAMED) == 0
    assert page.evaluate(TOO_FAINT) == []


def test_the_tree_that_is_read_aloud_has_the_headings_the_tables_and_the_pictures_words(
    page: Page, tmp_path: Path
) -> None:
    open_report(page, a_digest(), tmp_path)

    tree = page.locator("body").aria_snapshot()

    for title in ("Model approvals, week 2026-W47", "What needs attention", "Targets", "Ledger"):
        assert re.search(rf'heading "{title}" \[level=[12]\]', tree)
    assert (
        page.locator("section[aria-labelledby]").evaluate_all(
            "all => all.map(one => one.getAttribute('aria-labelledby'))"
        )
        == SECTIONS
    )
    expect(page.get_by_role("table", name="4 targets in use when the week ended")).to_be_visible()
    expect(page.get_by_role("img", name="Time to decision and transitions by week")).to_be_visible()
    expect(page.get_by_role("img", name="prepare needs data/rides.csv.")).to_be_visible()
    expect(page.get_by_role("rowheader", name="bike-demand v7").first).to_be_visible()


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("week", a_digest()),
        ("quiet", a_quiet_digest()),
        ("odd", an_oddly_named_digest()),
        ("long", a_full_digest_of_long_names(8)),
    ],
    ids=["a full week", "a quiet week", "odd names", "long names"],
)
def test_it_fits_a_wide_screen_a_phone_and_paper(page: Page, tmp_path: Path, name: str, digest: Digest) -> None:
    open_report(page, digest, tmp_path)
    assert has_no_sideways_scroll(page)
    picture(page, f"{name}-1200")

    page.set_viewport_size({"width": 380, "height": 800})
    page.emulate_media(color_scheme="dark")
    assert has_no_sideways_scroll(page)
    assert page.evaluate(TOO_FAINT) == []
    picture(page, f"{name}-380")

    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1000})  # what A4 leaves between its margins
    assert has_no_sideways_scroll(page)
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_it_prints_with_page_numbers_and_repeats_the_titles_of_long_tables(
    page: Page, tmp_path: Path, paper: str
) -> None:
    open_report(page, a_crowded_digest(), tmp_path)

    pages = printed(page, paper)

    assert f"Page 1 of {len(pages)}" in pages[0]
    assert f"Page {len(pages)} of {len(pages)}" in pages[-1]
    rows = [one for one in pages if "model-0150 v151" in one or "model-0100 v101" in one]
    assert rows
    assert all("Version Target" in one for one in rows)


def test_no_heading_is_left_behind_at_the_foot_of_a_page(page: Page, tmp_path: Path) -> None:
    open_report(page, a_digest(), tmp_path)

    pages = printed(page, "A4")

    last_words = [re.sub(r" ?Countersign weekly digest|Page \d+ of \d+", "", one).strip() for one in pages]
    titles = page.locator("h2, h3, caption").all_inner_texts()
    assert [words for words in last_words if words.endswith(tuple(titles))] == []


def test_no_name_is_wider_than_its_box_in_a_pipeline(page: Page, tmp_path: Path) -> None:
    open_report(page, a_full_digest_of_long_names(), tmp_path)

    widths = page.locator("svg g text").evaluate_all("all => all.map(one => one.getBBox().width)")

    assert len(widths) == PIPELINE
    assert max(widths) < BOX_WIDTH


def test_names_from_outside_run_nothing_load_nothing_and_turn_nothing_around(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    alerts: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))

    open_report(page, an_oddly_named_digest(), tmp_path)

    assert len(asked) == 1
    assert alerts == []
    assert page.locator("script, main img, iframe").count() == 0
    expect(page.get_by_text(f"{ODD_NAMES[1]} v1 holds champion.")).to_be_visible()
