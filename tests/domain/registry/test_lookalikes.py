"""Names that look like the alias, stage or tag that a rule waits for, and are others to MLflow."""

from __future__ import annotations

import pytest

from bot.domain.model import Ask, AskKind
from bot.domain.registry.lookalikes import Lookalike, lookalikes, looks_like
from tests.builders import a_policy, a_rule


@pytest.mark.parametrize(
    "name",
    [
        "Candidate",
        "CANDIDATE",
        "cаndidate",  # a Cyrillic letter
        "ｃａｎｄｉｄａｔｅ",
        "candidate\u200b",
        " candidate",
        "can-didate",
        "ϲandidate".replace("ϲ", "с"),
    ],
)
def test_a_name_that_looks_the_same_and_is_another_is_found(name: str) -> None:
    assert looks_like(name, "candidate")


@pytest.mark.parametrize("name", ["candidate", "candidates", "candidate2", "champion", ""])
def test_the_name_itself_and_other_words_are_none(name: str) -> None:
    assert not looks_like(name, "candidate")


def test_only_a_name_that_no_rule_uses_is_reported() -> None:
    policy = a_policy(rules=(a_rule(models="bike*", ask_on=(Ask(AskKind.ALIAS, "candidate"),)),))

    found = lookalikes("default", "bike", {"Candidate": 3, "candidate": 2, "champion": 1, "other": 1}, (), policy)

    assert found == (Lookalike(AskKind.ALIAS, "Candidate", "candidate", 3),)
    assert lookalikes("default", "cars", {"Candidate": 3}, (), policy) == ()
