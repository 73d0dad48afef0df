"""A lineage check has one word for its state, wherever people read of it."""

from __future__ import annotations

import pytest

from bot.domain.card.changes import change_facts
from bot.domain.card.sentences import CardContext
from bot.domain.evidence.lineage import check_may_approve, checks_text, missing, state_of
from bot.domain.model import LineageCheck
from bot.domain.policy.rules import LineageDemand
from bot.errors import Refused
from tests.builders import a_request, a_rule, an_evidence
from tests.domain.queries.test_description import a_description, text_of


@pytest.mark.parametrize(
    ("sentence", "state"),
    [
        ("the tree was not clean. Commit first.", "failed"),
        ("not checked: no git remote is configured. Fix: name one.", "not checked"),
        ("not checked: whether the run finished, because there is no run.", "not checked"),
        ("not known: run 5d3c does not say whether all was committed.", "not checked"),
    ],
)
def test_card_terminal_digest_and_refusal_use_the_same_word(sentence: str, state: str) -> None:
    checks = (LineageCheck("L01", True, "run 5d3c"), LineageCheck("L14", False, sentence, blocks=True))
    evidence = an_evidence(lineage=checks)

    card = [fact.value for fact in change_facts(a_request(evidence=evidence), CardContext({}, None))]
    terminal = text_of(a_description(evidence=evidence))

    assert state_of(checks[1]) == state
    assert any(f"commit on the remote ({state})" in str(value) for value in card)
    assert f"1 of 2 lineage checks passed, 1 {state}" in terminal
    assert f"lineage L14        {state}: " in terminal
    assert any(f"L14 {state}: " in gap for gap in missing(evidence))
    with pytest.raises(Refused, match=f"L14 {state}: "):
        check_may_approve(a_request(evidence=evidence), a_rule(lineage=LineageDemand(block=("L14",))))


def test_checks_are_counted_by_state() -> None:
    found = [LineageCheck("L01", True, "run")] * 16
    failed, open_ = LineageCheck("L04", False, "not clean"), LineageCheck("L14", False, "not checked: no git remote")

    assert checks_text(found) == "16 of 16 lineage checks passed"
    assert checks_text([*found, open_, open_, open_]) == "16 of 19 lineage checks passed, 3 not checked"
    assert checks_text([*found, failed, open_]) == "16 of 18 lineage checks passed, 1 failed, 1 not checked"
