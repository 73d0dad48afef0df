"""A rename brings along what was approved, and neither a baseline of another place nor an approval by fewer votes than the rule wants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.events import MoveObserved
from bot.domain.model import Kind, State
from bot.errors import Permanent
from handlers.policy.activation import activate_policy
from tests.fixtures.installation import Installation, policy_text

pytestmark = pytest.mark.proof


def swap_in(installation: Installation, other: str) -> None:
    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-old")
    installation.mlflow.rename_registered_model(other, installation.model)
    for _ in range(3):
        installation.sweep()


def test_the_baseline_of_another_model_is_none_under_a_watched_name(installation: Installation) -> None:
    installation.promoted()
    other = f"{installation.model}-other"
    installation.activate(policy_text(installation.model))
    installation.register(model=other)
    installation.mlflow.set_registered_model_alias(other, "champion", "1")
    installation.use_policy(observed="revert")  # the first whose rule covers the other: its holder is baseline
    installation.sweep()
    assert installation.requests(State.PENDING) == []

    swap_in(installation, other)

    moves = [entry for entry in installation.entries(MoveObserved) if entry["model"] == installation.model]
    (asked,) = installation.requests(State.PENDING)
    assert len(moves) == 1
    assert (asked.kind, asked.version.model) == (Kind.OBSERVED, installation.model)


def test_a_baseline_stays_one_under_a_new_name(installation: Installation) -> None:
    installation.activate(policy_text("another-model"))
    installation.register()
    installation.ask(1, "champion")
    installation.use_policy(observed="revert")
    installation.sweep()

    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-new")
    installation.sweep()
    installation.register(model=f"{installation.model}-new")
    installation.mlflow.set_registered_model_alias(f"{installation.model}-new", "champion", "2")
    for _ in range(3):
        installation.sweep()

    held = installation.mlflow.get_registered_model(f"{installation.model}-new").aliases
    assert int(held["champion"]) == 1


@pytest.mark.parametrize("observed", ["ask", "revert"])
def test_an_approval_by_fewer_votes_counts_for_nothing_under_a_name_whose_rule_wants_more(
    installation: Installation, observed: str
) -> None:
    strict = policy_text(installation.model, observed=observed, quorum=2)
    lax = policy_text(f"{installation.model}*")
    lax_rule = lax[lax.index("  - models:") : lax.index("default:")]
    activate_policy(strict.replace("default: report", f"{lax_rule}default: report"), "test", installation.s)
    installation.register()
    installation.asked(1)
    other = f"{installation.model}-lax"
    installation.register(model=other)
    installation.mlflow.set_registered_model_alias(other, "candidate", "1")
    installation.sweep()
    (lenient,) = [one for one in installation.requests(State.PENDING) if one.version.model == other]
    installation.approve(lenient)
    assert installation.reread(lenient).state is State.APPLIED

    swap_in(installation, other)

    observed_moves = [one for one in installation.requests() if one.kind is Kind.OBSERVED]
    assert [one.version.model for one in observed_moves] == [installation.model]


def test_what_was_approved_under_another_name_of_the_same_rule_is_told_when_it_takes_a_watched_name(
    installation: Installation,
) -> None:
    installation.promoted()
    other = f"{installation.model}-other"
    installation.register(model=other)
    installation.mlflow.set_registered_model_alias(other, "candidate", "1")
    installation.sweep()
    (asked,) = installation.requests(State.PENDING)
    installation.approve(asked)
    assert installation.reread(asked).state is State.APPLIED

    swap_in(installation, other)

    (moved,) = installation.entries(MoveObserved)
    assert (moved["model"], moved["handling"]) == (installation.model, "approved")


@pytest.mark.parametrize("observed", ["ask", "revert"])
def test_a_model_that_no_rule_covered_arrives_under_a_name_that_a_rule_covers(
    installation: Installation, observed: str
) -> None:
    installation.use_policy(observed=observed)
    other = f"other-{installation.model}"
    installation.register(model=other)
    installation.mlflow.set_registered_model_alias(other, "champion", "1")
    installation.sweep()
    installation.mlflow.rename_registered_model(other, installation.model)
    for _ in range(2):
        installation.sweep()

    moves = [entry for entry in installation.entries(MoveObserved) if entry["model"] == installation.model]
    assert [entry["handling"] for entry in moves] == [observed]


class Refuses:
    """The registry, for a bot that may not set an alias any more."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def set_alias(self, *told: Any) -> None:
        raise Permanent("403")


def test_another_version_of_the_number_that_we_were_about_to_bring_is_no_move_of_ours(
    installation: Installation,
) -> None:
    installation.promoted()
    approved = installation.asked()
    able, installation.s = installation.s, replace(installation.s, registry=Refuses(installation.s.registry))  # type: ignore[arg-type]
    installation.approve(approved)
    installation.s = able
    other = f"other-{installation.model}"
    for _ in range(2):
        installation.register(model=other)
    installation.mlflow.set_registered_model_alias(other, "champion", "2")

    swap_in(installation, other)

    asked = installation.request(2)
    assert (asked.kind, asked.state) == (Kind.OBSERVED, State.PENDING)
    assert asked.version != approved.version
