"""Some seeds on each run of the tests, more among the proofs, thousands by `make sim`. A failure names the command that shows its story."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress

import pytest

from bot.errors import OutsideError
from tests.sim.runner import run
from tests.sim.world import Database, World

SEEDS, AMONG_THE_PROOFS, AT_ONCE = 15, 50, 5
LOOKED_AT = 12  # seeds in which a planted bug must show itself

Effect = Callable[[str], None]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as opened:
        yield opened


@pytest.mark.parametrize(
    "first",
    [
        *range(0, SEEDS, AT_ONCE),
        *(pytest.param(first, marks=pytest.mark.proof) for first in range(SEEDS, AMONG_THE_PROOFS, AT_ONCE)),
    ],
)
def test_no_seed_breaks_a_law(first: int, database: Database) -> None:
    outcomes = [run(seed, database) for seed in range(first, first + AT_ONCE)]

    broken = [
        f"{violation} (python -m tests.sim --seed {outcome.seed} --trace)"
        for outcome in outcomes
        for violation in outcome.violations
    ]
    assert not broken, "\n".join(broken)


def test_the_same_seed_makes_the_same_ledger_and_another_seed_another(database: Database) -> None:
    once, other, again = (run(seed, database) for seed in (4, 5, 4))

    assert once.entries > 20
    assert (again.head, again.entries, again.turns) == (once.head, once.entries, once.turns)
    assert other.head != once.head


def does_nothing(_: World, __: Effect) -> Effect:
    return lambda subject: None


def posts_each_time(world: World, sync_card: Effect) -> Effect:
    """A card that is posted without being looked for first."""

    def effect(request_id: str) -> None:
        sync_card(request_id)
        for message in [one for one in world.notifier.messages if one.key == f"card:{request_id}"][:1]:
            world.notifier.post(message.channel, message.card, message.key)

    return effect


def moves_as_well(world: World, tell: Effect) -> Effect:
    """An effect of Slack's that touches the registry."""

    def effect(request_id: str) -> None:
        with world.store.transaction() as tx:
            version = tx.requests.get(request_id).version
        with suppress(OutsideError):
            world.registry.set_alias(version.model, "champion", version.version)
        tell(request_id)

    return effect


PLANTED: Mapping[str, tuple[str, Callable[[World, Effect], Effect], str]] = {
    "a card is posted again": ("sync_card", posts_each_time, "a message was posted twice"),
    "no card is posted": ("sync_card", does_nothing, "a request waits without a card"),
    "no ticket is opened": ("sync_ticket", does_nothing, "a request has no ticket"),
    "nothing is moved": ("sync_target", does_nothing, "an approval is neither applied nor held"),
    "nobody looks": ("look_at", does_nothing, "a foreign move was not recorded"),
    "a message moves the target": ("tell", moves_as_well, "moved by a job that has no business with it"),
}


@pytest.mark.proof
@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, database: Database) -> None:
    effect, plant, law = PLANTED[bug]

    laws: set[str] = set()
    for seed in range(LOOKED_AT):
        laws |= {violation.partition(":")[0] for violation in run(seed, database, planted={effect: plant}).violations}
        if law in laws:
            break

    assert law in laws
