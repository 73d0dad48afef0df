"""No text makes a parser fail with anything but an error of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.readers import READERS, refuses_or_reads
from tests.fuzz.seeds import READER_SEEDS, mutations

DEEP = 100_000


@pytest.mark.parametrize("name", READERS)
@given(st.data())
def test_any_text_is_read_or_refused(name: str, data: st.DataObject) -> None:
    text = data.draw(st.text(max_size=200) | mutations(READER_SEEDS[name]))

    assert refuses_or_reads(READERS[name], text) in (True, False)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "\ud800",
        "[" * DEEP,
        "{" * DEEP,
        '{"a":' * DEEP,
        "- " * DEEP,
        "a: " * 1000,
        "1" * 5_000,
        "&a [*a]",
        "\x1b]0;x\x07",
        "\N{RIGHT-TO-LEFT OVERRIDE}",
    ],
    ids=range(12),
)
def test_texts_that_break_parsers_are_read_or_refused(name: str, text: str) -> None:
    assert refuses_or_reads(READERS[name], text) in (True, False)


@pytest.mark.parametrize("name", READERS)
def test_every_seed_is_read(name: str) -> None:
    """Else the mutations would start from what is refused at once, and find nothing."""
    assert all(refuses_or_reads(READERS[name], seed) for seed in READER_SEEDS[name])


def test_the_check_itself_would_notice() -> None:
    with pytest.raises(ZeroDivisionError):
        refuses_or_reads(lambda text: 1 / len(text), "")
