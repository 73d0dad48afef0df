"""The pages are written in plain English: words that slow a reader down stay out. The generated reference has the code's own texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.mannered import mannered
from tests.docs.pages import PAGES, REFERENCE, name_of

WRITTEN = [page for page in PAGES if page != REFERENCE]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_a_page_has_no_mannered_words(page: Path) -> None:
    assert mannered(page.read_text()) == []


def test_names_in_code_are_no_prose() -> None:
    assert mannered("The effect `tell` runs once.\n```sh\nwhatever\n```\n") == []
    assert mannered("Nobody mends it, whoever is told.") == ["Nobody", "mends", "whoever", "told"]
