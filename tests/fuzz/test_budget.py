"""When a run of the fuzzer ends."""

from __future__ import annotations

import pytest

from tests.fuzz.budget import SECONDS, Budget, budget_for, read_budget


def test_each_target_has_a_minute_unless_a_number_of_inputs_is_asked_for() -> None:
    by_default, a_night = budget_for(20, SECONDS, None), budget_for(30, SECONDS, 10_000_000)

    assert (by_default, a_night) == (Budget(60), Budget(None, 333_334))
    assert [by_default.is_spent(60.0, 10**9), by_default.is_spent(60.1, 0)] == [False, True]
    assert [a_night.is_spent(10**9, 333_333), a_night.is_spent(0, 333_334)] == [False, True]


@pytest.mark.parametrize("budget", [Budget(60), Budget(None, 5)])
def test_the_process_that_fuzzes_reads_what_it_is_given(budget: Budget) -> None:
    assert read_budget(*budget.words) == budget
