"""Every link of the pages leads to a file that exists, and to a heading that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name_of

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PATH = re.compile(r"`((?:bot|handlers|config|tests|docs|examples)/[\w./-]*)`")
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, punctuation removed, spaces as hyphens."""
    headings = HEADING.findall(BLOCK.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[Path, str]]:
    """The local files that a page links to, each with the anchor in it."""
    split = [link.partition("#") for link in LINK.findall(page.read_text()) if "://" not in link]
    return [((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in split]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [str(target) for target, _ in links(page) if not target.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_anchor_is_a_heading(page: Path) -> None:
    missing = [f"{target.name}#{anchor}" for target, anchor in links(page) if anchor and anchor not in anchors(target)]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_of_this_repository_exists(page: Path) -> None:
    named = PATH.findall(page.read_text())

    assert [path for path in named if not (ROOT / path).exists() and not (page.parent / path).exists()] == []


def test_there_are_links_to_check() -> None:
    assert sum(len(links(page)) for page in PAGES) > 40
