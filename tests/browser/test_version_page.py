"""The page of a model version as a reader sees it: in a real browser, on a wide screen, on a phone, on paper."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bot.domain.names import shown
from bot.links import Links
from tests.fixtures.installation import Installation
from tests.fixtures.version_page import served_pages

PICTURES = os.environ.get("VERSION_PAGE_PICTURES")  # a directory, to look at the pictures
HOSTILE = "<img src=x onerror=alert(1)> \u202egpj"
LOCK = """
schema: '2.0'
stages:
  prepare:
    cmd: python src/prepare.py
    deps:
    - {path: data/raw.csv, hash: md5, md5: 1b0c3f7a9d2e4b5c6d7e8f9012345678, size: 567588}
    - {path: src/prepare.py, hash: md5, md5: 2b0c3f7a9d2e4b5c6d7e8f9012345678, size: 1200}
    outs:
    - {path: data/processed, hash: md5, md5: 3b0c3f7a9d2e4b5c6d7e8f9012345678.dir, size: 560000, nfiles: 2}
  train:
    cmd: python src/train.py
    deps:
    - {path: data/processed/train.csv, hash: md5, md5: 4b0c3f7a9d2e4b5c6d7e8f9012345678, size: 480000}
    - {path: src/train.py, hash: md5, md5: 5b0c3f7a9d2e4b5c6d7e8f9012345678, size: 2400}
    outs:
    - {path: mlflow_run.json, hash: md5, md5: 6b0c3f7a9d2e4b5c6d7e8f9012345678, size: 45}
  evaluate:
    cmd: python src/evaluate.py
    deps:
    - {path: data/processed/test.csv, hash: md5, md5: 7b0c3f7a9d2e4b5c6d7e8f9012345678, size: 80000}
    - {path: mlflow_run.json, hash: md5, md5: 6b0c3f7a9d2e4b5c6d7e8f9012345678, size: 45}
    outs:
    - {path: metrics.json, hash: md5, md5: 8b0c3f7a9d2e4b5c6d7e8f9012345678, size: 60}
"""

# Text whose contrast with what is behind it is below 4.5:1, as WCAG 2 counts it for level AA.
TOO_FAINT = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('main *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .filter(e => !e.closest('svg')).filter(e => { const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05) < 4.5; }).map(e => e.outerHTML.slice(0, 80)); }"""


@pytest.fixture
def links(installation: Installation) -> Iterator[Links]:
    with served_pages(installation) as links:
        yield links


def two_versions(installation: Installation) -> None:
    """The second is better, and has a pipeline that is known."""
    installation.approve(installation.asked())
    version = installation.register(metrics={"mae": 26.1, "r2": 0.86})
    run = installation.mlflow.get_model_version(installation.model, str(version)).run_id
    installation.mlflow.log_text(run, LOCK, "lineage/dvc.lock")
    for name, value in {"train.learning_rate": "0.05", "train.max_iter": "240", "seed": "7"}.items():
        installation.mlflow.log_param(run, name, value)
    installation.approve(installation.asked(version))


def open_page(page: Page, installation: Installation, links: Links, version: int = 2, model: str = "") -> None:
    page.goto(links.to_version(model or installation.model, version, installation.clock.now()))


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def has_no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_the_page_shows_who_decided_where_it_comes_from_and_that_the_signatures_hold(
    installation: Installation, links: Links, page: Page
) -> None:
    two_versions(installation)

    open_page(page, installation, links)

    expect(page.get_by_role("heading", level=1)).to_have_text(f"{installation.model} v2")
    expect(page.locator(".lead")).to_contain_text("Holds alias:champion since")
    expect(page.locator(".lead")).to_contain_text("approved by Ana Ruiz")
    expect(page.get_by_role("img", name="prepare needs data/raw.csv and src/prepare.py.")).to_be_visible()
    expect(page.get_by_role("img", name="mae over versions 1 to 2")).to_be_visible()
    expect(page.get_by_text("✓ verified")).to_have_count(2)
    expect(page.get_by_role("row", name="data/raw.csv")).to_contain_text("567,588")
    expect(page.locator(".timeline li").last).to_contain_text("moved alias:champion")
    assert page.evaluate(TOO_FAINT) == []
    assert has_no_sideways_scroll(page)
    picture(page, "wide")
    page.set_viewport_size({"width": 360, "height": 740})
    assert has_no_sideways_scroll(page)
    picture(page, "phone")
    page.set_viewport_size({"width": 794, "height": 1123})
    page.emulate_media(media="print")
    assert has_no_sideways_scroll(page)
    picture(page, "paper")


def test_the_link_to_the_json_opens_with_the_same_signature(
    installation: Installation, links: Links, page: Page
) -> None:
    installation.asked()
    open_page(page, installation, links, 1)

    address = page.get_by_role("link", name="All of this as JSON").evaluate("link => link.href")
    answer = page.request.get(address)

    assert answer.ok
    assert answer.json()["description"]["is_registered"] is True


def test_names_from_outside_run_nothing_and_turn_nothing_around(
    installation: Installation, links: Links, page: Page
) -> None:
    name = f"{installation.model}{HOSTILE}"
    installation.register(model=name, user="<script>alert(2)</script>")
    installation.mlflow.set_registered_model_alias(name, "candidate", "1")
    installation.sweep()
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))

    open_page(page, installation, links, 1, name)

    expect(page.get_by_role("heading", level=1)).to_have_text(f"{shown(name)} v1")
    expect(page.get_by_text("<script>alert(2)</script>").first).to_be_visible()
    assert page.locator("main img, main script").count() == 0
    assert alerts == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert has_no_sideways_scroll(page)
    picture(page, "hostile")


def test_a_link_that_was_changed_shows_a_sentence_and_nothing_else(
    installation: Installation, links: Links, browser: Browser
) -> None:
    installation.asked()
    page = browser.new_page()  # the fixture's own would call the 403 an error

    page.goto(f"{links.to_version(installation.model, 1, installation.clock.now())[:-4]}AAAA")

    expect(page.get_by_role("heading", name="No page without its link")).to_be_visible()
    expect(page.get_by_text("This link was changed")).to_be_visible()
    picture(page, "refused")
    page.close()
