"""The pages are written in plain English: words that slow a reader down stay out. The generated reference has the code's own texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REFERENCE, name_of

MANNERED = re.compile(
    r"""\b(
    nobody(?:'s)? | whoever | whomever | whatever | whichever | told | tells? | telling | mend(?:s|ed|ing)? | speaks?\ (?:of|for)
    | stands? | standing | stood | brought\ along | brings?\ along | wish(?:es|ed)? | in\ so\ many\ words | of\ (?:its|their|his|her)\ own
    | deeds? | thaws? | whispers? | nought | glances? | hitherto | thereof | lies | upon | besides | in\ vain | anew | at\ hand
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
WRITTEN = [page for page in PAGES if page != REFERENCE]


def mannered(text: str) -> list[str]:
    return [found.group() for found in MANNERED.finditer(CODE.sub("", text))]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_a_page_has_no_mannered_words(page: Path) -> None:
    assert mannered(page.read_text()) == []


def test_names_in_code_are_no_prose() -> None:
    assert mannered("The effect `tell` runs once.\n```sh\nwhatever\n```\n") == []
    assert mannered("Nobody mends it, whoever is told.") == ["Nobody", "mends", "whoever", "told"]
