"""Moves by hand that come before the bot looks: just before it acts on a decision, or just before a policy is put in force."""

from __future__ import annotations

import pytest

from bot.domain.events import MoveObserved
from bot.domain.model import Kind, State
from bot.domain.registry.watch_events import WatchBegun
from tests.fixtures.installation import Installation


def handlings(installation: Installation) -> list[str]:
    return [entry["handling"] for entry in installation.entries(MoveObserved)]


@pytest.mark.proof
def test_a_move_into_a_stage_before_its_approval_is_recorded_although_we_move_the_former_holder_out(
    installation: Installation,
) -> None:
    installation.use_policy(target="{stage: Production}", ask_on="[{alias: candidate}]")
    first, second = (installation.register() for _ in range(2))
    for number in (first, second):
        installation.ask(number)
        installation.sweep()
        if number == second:
            installation.stage(second, "Production")
        installation.approve(installation.request(number, "stage:Production"))

    assert installation.request(second, "stage:Production").state is State.APPLIED
    assert handlings(installation) == ["approved"]


@pytest.mark.proof
def test_a_move_back_by_hand_before_its_approval_is_recorded(installation: Installation) -> None:
    installation.promoted()
    installation.register()
    installation.move(2)
    observed = installation.request(2)
    installation.promoted()

    installation.mlflow.set_registered_model_alias(installation.model, "champion", "2")
    installation.approve(observed)
    installation.settle_all()

    assert installation.reread(observed).state is State.APPLIED
    assert handlings(installation) == ["ask", "approved"]


def test_a_target_that_is_emptied_by_hand_before_its_put_back_is_told(installation: Installation) -> None:
    installation.promoted()
    installation.register()
    installation.move(2)
    observed = installation.request(2)

    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.reject(observed, "Nobody looked at it.")
    installation.sweep()

    assert [entry["version"] is None for entry in installation.entries(MoveObserved)] == [False, True]


def test_a_copy_into_a_new_model_is_judged_although_another_policy_comes_into_force_before_the_next_sweep(
    installation: Installation,
) -> None:
    rule = {"target": '{model: "prod.{name}"}', "ask_on": "[{alias: candidate}]"}
    installation.use_policy(**rule)
    installation.register()
    installation.sweep()

    prod = f"prod.{installation.model}"
    installation.mlflow.copy_model_version(f"models:/{installation.model}/1", prod)
    installation.use_policy(**rule, reason="always")
    installation.sweep()

    with installation.s.store.transaction() as tx:
        (asked,) = tx.requests.find(workspace="default", model=prod)
    assert (asked.kind, asked.state) == (Kind.OBSERVED, State.PENDING)
    assert installation.entries(WatchBegun) == []
