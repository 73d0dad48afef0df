"""Everything that can happen in a run, and how often it does."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.sim.people.admins import accept_registry, adopt_all, change_address, change_policy, drop_job, switch
from tests.sim.people.askers import ask_for_rollback, ask_in_words, call_off, press, quorum_presses
from tests.sim.people.engineers import (
    ask_by_alias,
    ask_by_tag,
    copy_by_hand,
    delete_version,
    empty_target,
    move_by_hand,
    move_to_asked,
    odd_name,
    register,
    rename,
    stop_asking,
    swap_names,
)
from tests.sim.people.surroundings import break_evidence, empty_registry, hint, let_time_pass, mend_evidence, sweep
from tests.sim.world import World

Action = Callable[[World, Random], bool]
CHANCES: dict[Action, int] = {
    register: 8,
    ask_by_alias: 8,
    stop_asking: 1,
    ask_by_tag: 3,
    ask_in_words: 6,
    move_by_hand: 6,
    move_to_asked: 4,
    empty_target: 1,
    delete_version: 4,
    rename: 1,
    swap_names: 1,
    copy_by_hand: 3,
    ask_for_rollback: 3,
    press: 16,
    quorum_presses: 11,
    call_off: 3,
    change_policy: 7,
    switch: 1,
    adopt_all: 2,
    change_address: 2,
    drop_job: 2,
    accept_registry: 2,
    empty_registry: 2,
    odd_name: 1,
    break_evidence: 2,
    mend_evidence: 2,
    sweep: 7,
    hint: 1,
    let_time_pass: 4,
}


def act(world: World) -> None:
    """One action that is possible now."""
    random = world.people_random
    names, weights = list(CHANCES), list(CHANCES.values())
    while not random.choices(names, weights)[0](world, random):
        continue
