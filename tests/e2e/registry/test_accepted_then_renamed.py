"""What an admin accepted after a restore stays accepted when its model gets a name back that it had before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.events import ModelRenamed
from bot.domain.model import Kind, State
from config.policy import read_policy
from handlers.ledger.audit import audit
from handlers.policy.kill_switch import person_named
from handlers.registry.restored import begin_again
from handlers.registry.sweeps import accept_registry
from tests.e2e.custody.test_vouched_baselines import champion_of, move, parked
from tests.fixtures.installation import Installation, policy_text

Open = Callable[..., Installation]


def other_name(installation: Installation) -> str:
    return f"{installation.model}-b"


def with_a_champion(open_installation: Open, observed: str) -> Installation:
    """v2 of 4 is approved."""
    installation = open_installation(observed=observed)
    for _ in range(4):
        installation.register()
    installation.sweep()
    installation.promoted(2)
    return installation


def rename(before: str, after: str, installation: Installation) -> None:
    installation.mlflow.rename_registered_model(before, after)
    installation.sweep()
    installation.sweep()


def accept(installation: Installation) -> None:
    accept_registry("as decided", person_named("ana@example.com", installation.s), installation.s)
    installation.settle()
    installation.sweep()


def check_held(version: int, model: str, installation: Installation) -> None:
    """By right: another that comes by hand gives way to it."""
    assert installation.requests(State.PENDING) == []
    assert champion_of(model, installation) == version
    installation.use_policy(observed="revert")
    installation.sweep()
    move(installation, 1, model)
    assert champion_of(model, installation) == version
    assert parked(installation) == []
    audit(installation.s.store.engine, read_policy=read_policy)


@pytest.mark.parametrize(
    ("observed", "accepted"),
    [
        ("revert", 2),
        pytest.param("ask", 2, marks=pytest.mark.proof),
        pytest.param("revert", 3, marks=pytest.mark.proof),
        pytest.param("ask", 3, marks=pytest.mark.proof),
    ],
)
def test_what_was_accepted_under_a_later_name_holds_by_right_under_the_earlier_one(
    observed: str, accepted: int, open_installation: Open
) -> None:
    """Whether it was approved before the backup, or brought there since."""
    installation = with_a_champion(open_installation, observed)
    first, second = installation.model, other_name(installation)
    rename(first, second, installation)
    begin_again(installation.clock.now(), installation.s)
    installation.mlflow.set_registered_model_alias(second, "champion", str(accepted))
    accept(installation)

    rename(second, first, installation)

    check_held(accepted, first, installation)


@pytest.mark.proof
def test_what_was_accepted_stays_so_when_the_names_go_back_and_forth(open_installation: Open) -> None:
    installation = with_a_champion(open_installation, "revert")
    first, second = installation.model, other_name(installation)
    rename(first, second, installation)
    begin_again(installation.clock.now(), installation.s)
    accept(installation)

    for _ in range(2):
        rename(second, first, installation)
        rename(first, second, installation)

    check_held(2, second, installation)


@pytest.mark.parametrize("observed", ["revert", pytest.param("ask", marks=pytest.mark.proof)])
def test_a_rename_that_the_acceptance_sees_first_is_recorded(observed: str, open_installation: Open) -> None:
    installation = with_a_champion(open_installation, observed)
    first, second = installation.model, other_name(installation)
    begin_again(installation.clock.now(), installation.s)
    installation.mlflow.rename_registered_model(first, second)

    accept(installation)
    (renamed,) = installation.entries(ModelRenamed)
    rename(second, first, installation)

    assert (renamed["before"], renamed["after"]) == (first, second)
    check_held(2, first, installation)


@pytest.mark.proof
def test_what_was_accepted_of_another_model_is_not_accepted_under_a_name_that_it_never_had(
    open_installation: Open,
) -> None:
    installation = with_a_champion(open_installation, "revert")
    first, other = installation.model, f"{installation.model}-other"
    installation.register(model=other)
    begin_again(installation.clock.now(), installation.s)
    installation.mlflow.set_registered_model_alias(other, "champion", "1")
    accept(installation)

    rename(first, f"{first}-old", installation)
    rename(other, first, installation)

    (asked,) = installation.requests(State.PENDING)
    assert (asked.kind, asked.version.model, asked.version.version) == (Kind.OBSERVED, first, 1)


def use_two_rules(installation: Installation, observed: str) -> None:
    """`observed` holds for the other name."""
    other = policy_text(other_name(installation), observed=observed)
    rule = other[other.index("  - models:") : other.index("default:")]
    installation.activate(policy_text(installation.model).replace("default:", f"{rule}default:", 1))
    installation.sweep()


@pytest.mark.proof
def test_what_came_to_a_later_name_after_the_acceptance_is_not_accepted_under_the_earlier_one(
    open_installation: Open,
) -> None:
    installation = with_a_champion(open_installation, "ask")
    first, second = installation.model, other_name(installation)
    use_two_rules(installation, "report")
    rename(first, second, installation)
    begin_again(installation.clock.now(), installation.s)
    accept(installation)
    move(installation, 3, second)
    use_two_rules(installation, "ask")  # is stricter, so that v3 is baseline under the later name
    assert installation.requests(State.PENDING) == []

    rename(second, first, installation)

    (asked,) = installation.requests(State.PENDING)
    assert (asked.kind, asked.version.model, asked.version.version) == (Kind.OBSERVED, first, 3)
