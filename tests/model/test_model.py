"""The model in short: small worlds to their end, the large ones as far as a few seconds go, and planted bugs. `make model` goes deep."""

from __future__ import annotations

import pytest

from tests.model.explorer import explore, shown
from tests.model.mutants import MUTANTS, Mutant, find
from tests.model.settings import OPEN, SMALL, WORLDS
from tests.model.world import World

QUICK = tuple(mutant for mutant in MUTANTS if mutant.is_quick)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.setting.name)
def test_no_law_is_broken_as_far_as_the_model_is_explored(world: World) -> None:
    few = 100

    found = explore(world, states=few, open_laws=OPEN)

    assert not found.violations, "\n".join(map(shown, found.violations))
    assert found.states > few / 10
    assert found.quiet


@pytest.mark.parametrize("mutant", QUICK, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found_with_the_story_that_leads_to_it(mutant: Mutant) -> None:
    found = find(mutant, states=1_600)

    assert found is not None
    assert found.violations[0].story


def test_what_a_mutant_swaps_is_as_it_was_afterwards() -> None:
    find(MUTANTS[0], states=50)

    found = explore(SMALL[0], states=200, open_laws=OPEN)

    assert not found.violations
