"""The short form: every planted bug still fits the code, and names tests that exist. `make mutants` runs them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.mutants.__main__ import MUTANTS
from tests.mutants.planted import DoesNotApply, Mutant, check_applies
from tests.mutants.running import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_fits_the_code_once_and_its_tests_are_there(mutant: Mutant) -> None:
    check_applies(ROOT, mutant)


def test_there_are_enough_of_them_and_each_has_its_own_name() -> None:
    assert len(MUTANTS) >= 25
    assert max(Counter(mutant.name for mutant in MUTANTS).values()) == 1
    assert {mutant.file.partition("/")[0] for mutant in MUTANTS} == {"bot", "handlers"}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"old": "what is nowhere in it"}, "has the old text 0 times"),
        ({"old": "return"}, "and it must have it once"),
        ({"new": "if :"}, "is not Python with the new text"),
        ({"file": "bot/domain/gone.py"}, "there is no file bot/domain/gone.py"),
        ({"tests": ("tests/domain/request/test_quorum.py::test_gone",)}, "there is no test"),
        ({"tests": ()}, "it names no test"),
    ],
)
def test_one_that_no_longer_fits_says_why(changed: dict[str, object], why: str) -> None:
    with pytest.raises(DoesNotApply, match=why):
        check_applies(ROOT, replace(MUTANTS[0], **changed))  # type: ignore[arg-type]
