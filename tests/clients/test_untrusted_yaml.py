"""YAML from outside can at worst be refused: it ends no process and takes no minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import untrusted_yaml

LARGE = untrusted_yaml.LARGEST


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{" * 200_000,
        "- " * 100_000,
        "? " * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "&a [*a]",
        "*a",
        "\0",
        "%",
        "x" * (LARGE + 1),
        "é" * LARGE,
    ],
    ids=range(11),
)
def test_hostile_text_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"YAML|KiB"):
        untrusted_yaml.load(text)


def test_values_are_texts_lists_and_mappings_only() -> None:
    found = untrusted_yaml.load("a: [1, true, 2026-11-28, ~, !!python/name:os.system x]\nb: {c: 1e3}")

    assert found == {"a": ["1", "true", "2026-11-28", "~", "x"], "b": {"c": "1e3"}}


def test_as_many_levels_as_allowed_are_read() -> None:
    depth = untrusted_yaml.DEEPEST

    assert untrusted_yaml.load("[" * depth + "]" * depth) is not None


@given(st.text(alphabet="[]{}:,-? &*!|>'\"\n a1", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = untrusted_yaml.load(text)
    except ValueError:
        return
    assert found is None or isinstance(found, str | list | dict)
