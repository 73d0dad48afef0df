"""From how many cards on a rule's requests share one."""

from __future__ import annotations

import pytest

from config.policy import read_policy
from tests.builders.policies import SMALL, mistakes_of, replaced

CHANNEL = '"#models"'


def with_group_above(value: str) -> str:
    return replaced(SMALL, f"slack: {CHANNEL}", f"slack: {CHANNEL}, group_above: {value}")


@pytest.mark.parametrize(("said", "above"), [("12", 12), ("1", 1), ("never", 0)])
def test_a_rule_says_how_many_or_never(said: str, above: int) -> None:
    (rule,) = read_policy(with_group_above(said)).rules

    assert rule.group_above == above
    assert read_policy(SMALL).rules[0].group_above == 5


@pytest.mark.parametrize("said", ["0", "-1", "1001", "true", "often", "2.5", "[3]", '"5"'])
def test_anything_else_is_refused_in_one_sentence_with_its_line(said: str) -> None:
    (sentence,) = mistakes_of(with_group_above(said))

    assert "line 8: " in sentence
    assert "notify.group_above must be a whole number from 1 to 1,000, or never, not " in sentence


def test_it_voids_no_vote_because_it_says_nothing_of_who_decides() -> None:
    one, other = read_policy(SMALL), read_policy(with_group_above("never"))

    assert one.hashes(one.rules[0]) == other.hashes(other.rules[0])
