"""Shell patterns against each other: which rule hides another, and which name two patterns share."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.policy import read_policy
from config.policy.patterns import common_name, covers
from tests.builders.policies import SMALL, mistakes_of, rule_for


@pytest.mark.parametrize("models", ["bike-*", "bike-small", "bike-small-*", "bike-?", "bike-[sml]"])
def test_a_rule_behind_a_wider_one_can_never_hold(models: str) -> None:
    (mistake,) = mistakes_of(SMALL + rule_for(models))

    assert mistake.startswith(f'policy.yaml line 10: rule "{models}" for alias:champion can never hold')


@pytest.mark.parametrize(
    "rule",
    [
        rule_for("*"),
        rule_for("car-*"),
        rule_for("bike-*", alias="shadow"),
        rule_for("bike-*", workspace="lab"),
        rule_for("[bc]*"),
    ],
)
def test_a_rule_that_holds_for_something_more_may_follow(rule: str) -> None:
    policy = read_policy(SMALL + rule)

    assert len(policy.rules) == 2


patterns = st.text("ab-*?", min_size=1, max_size=6) | st.text("ab[]!-*", min_size=1, max_size=8)
words = st.text("ab-]", min_size=1, max_size=6)


@given(patterns, patterns)
def test_a_common_name_is_matched_by_both(first: str, second: str) -> None:
    name = common_name(first, second)

    assert name is None or (fnmatchcase(name, first) and fnmatchcase(name, second))


@given(patterns, patterns, words)
def test_where_there_is_no_common_name_no_word_is_matched_by_both(first: str, second: str, word: str) -> None:
    both = fnmatchcase(word, first) and fnmatchcase(word, second)

    assert not both or common_name(first, second) is not None


@given(patterns, patterns, words)
def test_what_a_pattern_covers_it_matches(wide: str, narrow: str, word: str) -> None:
    assert not covers(wide, narrow) or not fnmatchcase(word, narrow) or fnmatchcase(word, wide)


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("bike-*", "*-demand", "bike-demand"),
        ("bike-*", "car-*", None),
        ("*", "*", "x"),
        ("[ab]?", "b[!a]", "bx"),
        ("x-?", "x-[0-9]", "x-0"),
        ("a[", "a*", "a["),
        ("[!a-z]", "[!0-9]", "-"),
        ("?", "??", None),
    ],
)
def test_common_names_are_short_and_likely(first: str, second: str, shared: str | None) -> None:
    assert common_name(first, second) == shared
