"""Names and text from outside: what can be kept, and how it is shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.names import all_storable, shown, storable, why_not_watched
from tests.builders import an_evidence

ANY_TEXT = st.text(alphabet=st.characters(), max_size=40) | st.text(alphabet="\0\n\r\t\ud800\udfff\u202ea", max_size=20)


@given(ANY_TEXT)
def test_what_is_shown_is_one_line_of_letters_that_can_be_seen(name: str) -> None:
    assert shown(name).isprintable()


def test_plain_names_are_shown_as_they_are() -> None:
    assert shown("bike demand é 自転車") == "bike demand é 自転車"


def test_a_line_break_or_a_turned_direction_is_shown_as_its_escape() -> None:
    assert shown("bike\n*Approved by Ana*\u202e") == r"bike\n*Approved by Ana*\u202e"


@given(ANY_TEXT)
def test_what_is_storable_is_taken_by_utf8_and_keeps_its_length(text: str) -> None:
    kept = storable(text)

    assert len(kept) == len(text)
    assert "\0" not in kept
    assert "\\u0000" not in json.dumps(kept.encode().decode())


@pytest.mark.parametrize("name", ["bike\0demand", "bike\ud800", "x" * 257])
def test_a_name_that_cannot_be_stored_is_not_watched_and_says_why(name: str) -> None:
    assert "Rename it" in why_not_watched(name)


@pytest.mark.parametrize("name", ["bike\ndemand", "x" * 256, "é" * 250, "bike\u2028demand"])
def test_any_other_name_is_watched(name: str) -> None:
    assert why_not_watched(name) == ""


def test_every_text_in_evidence_is_made_storable() -> None:
    evidence = an_evidence(description="a\0b", params={"k\0": "v\ud800"}, tags={"note": "\0"})

    kept = all_storable(evidence)

    assert (kept.description, kept.params, kept.tags) == ("a\ufffdb", {"k\ufffd": "v\ufffd"}, {"note": "\ufffd"})
    assert kept.metrics == evidence.metrics
