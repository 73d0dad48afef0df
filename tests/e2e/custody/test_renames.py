"""A watch belongs to the name that serving resolves: a model that is renamed to it arrives there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.events import ModelRenamed, MoveObserved
from bot.domain.model import Kind, State
from bot.engine.lanes import FollowUp, Lane
from handlers.notify.render_context import context_for
from handlers.policy.activation import activate_policy
from handlers.registry.reconcile import defer_look
from tests.fixtures.installation import Installation, policy_text


def with_an_impostor(installation: Installation, observed: str, default: str = "report") -> str:
    """The ruled model has an approved champion; another model, which no rule covers, has its own champion."""
    text = policy_text(installation.model, observed=observed).replace("default: report", f"default: {default}")
    activate_policy(text, "test", installation.s)
    installation.promoted()
    impostor = f"x-{installation.model}"
    installation.register(model=impostor)
    installation.mlflow.set_registered_model_alias(impostor, "champion", "1")
    installation.sweep()
    return impostor


@pytest.mark.parametrize("observed", ["ask", "revert"])
@pytest.mark.parametrize("sweeps", [1, pytest.param(2, marks=pytest.mark.proof)])
def test_a_model_that_is_renamed_onto_a_watched_name_is_asked_about(
    installation: Installation, observed: str, sweeps: int
) -> None:
    """Under revert as well: the lawful holder has gone with its model, so only people can choose."""
    impostor = with_an_impostor(installation, observed, default="ignore")

    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-old")
    if sweeps == 2:
        installation.sweep()
    installation.mlflow.rename_registered_model(impostor, installation.model)
    for _ in range(3):
        installation.sweep()

    moves = [entry for entry in installation.entries(MoveObserved) if entry["model"] == installation.model]
    (asked,) = installation.requests(State.PENDING)
    assert len(installation.entries(ModelRenamed)) == 2
    assert len(moves) == 1
    assert (asked.kind, asked.version.model) == (Kind.OBSERVED, installation.model)
    assert "Moved without an approval" in installation.card(asked).all_text


@pytest.mark.parametrize(("observed", "champion"), [pytest.param("ask", 2, marks=pytest.mark.proof), ("revert", 1)])
def test_a_model_that_is_renamed_out_moved_and_renamed_back_is_noticed(
    installation: Installation, observed: str, champion: int
) -> None:
    with_an_impostor(installation, observed, default="ignore")
    installation.register()
    installation.sweep()

    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-out")
    installation.sweep()
    installation.mlflow.set_registered_model_alias(f"{installation.model}-out", "champion", "2")
    installation.sweep()
    installation.mlflow.rename_registered_model(f"{installation.model}-out", installation.model)
    for _ in range(3):
        installation.sweep()

    assert installation.request(2).kind is Kind.OBSERVED
    assert len([entry for entry in installation.entries(MoveObserved) if entry["model"] == installation.model]) == 1
    assert installation.champion() == champion


def test_a_model_that_is_renamed_out_and_back_unchanged_is_no_news(installation: Installation) -> None:
    with_an_impostor(installation, "revert")

    for before, after in (
        (installation.model, f"{installation.model}-out"),
        (f"{installation.model}-out", installation.model),
    ):
        installation.mlflow.rename_registered_model(before, after)
        installation.sweep()
        installation.sweep()

    assert installation.champion() == 1
    assert [entry for entry in installation.entries(MoveObserved) if entry["model"] == installation.model] == []
    assert installation.requests(State.PENDING, State.REJECTED) == []


@pytest.mark.proof
def test_two_models_that_exchange_their_names_are_both_known(installation: Installation) -> None:
    impostor = with_an_impostor(installation, "ask")

    installation.mlflow.rename_registered_model(installation.model, "between-two-names")
    installation.mlflow.rename_registered_model(impostor, installation.model)
    installation.mlflow.rename_registered_model("between-two-names", impostor)
    for _ in range(3):
        installation.sweep()

    renames = {(entry["before"], entry["after"]) for entry in installation.entries(ModelRenamed)}
    assert renames == {(installation.model, impostor), (impostor, installation.model)}
    (asked,) = installation.requests(State.PENDING)
    assert (asked.kind, asked.version.model, asked.version.version) == (Kind.OBSERVED, installation.model, 1)


def test_the_card_of_a_version_whose_model_was_renamed_says_that_it_holds_and_takes_it_back(
    installation: Installation,
) -> None:
    activate_policy(policy_text(f"{installation.model}*"), "test", installation.s)
    installation.promoted()
    second = installation.promoted(installation.register())
    called = f"{installation.model}-now"
    installation.mlflow.rename_registered_model(installation.model, called)
    installation.sweep()
    with installation.s.store.transaction() as tx:
        tx.defer_for(FollowUp("sync_card", Lane.SLACK), second)
        context = context_for(tx.requests.get(second.id), tx, installation.clock.now())
    installation.settle()

    installation.click("ana", second, "roll_back")
    installation.slack.submit_view("ana", {"reason": "predictions drifted"})
    installation.settle()

    assert (context.holds, context.rolled_back) == (True, "")
    assert context.back_to is not None
    assert (context.back_to.model, context.back_to.version) == (called, 1)
    assert int(installation.mlflow.get_model_version_by_alias(called, "champion").version) == 1


@pytest.mark.parametrize("by", ["a look", "a sweep"])
def test_what_comes_back_by_right_right_after_a_rename_is_not_taken_for_a_changed_row(
    by: str, open_installation: Callable[..., Installation]
) -> None:
    """The entries about the rename, and about what it withdraws and copies, are written when its transaction ends."""
    installation = open_installation()
    for _ in range(3):
        installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    installation.promoted(2)
    installation.move(3)
    name = f"{installation.model}-b"

    installation.mlflow.rename_registered_model(installation.model, name)
    installation.mlflow.set_registered_model_alias(name, "champion", "2")
    if by == "a look":
        with installation.s.store.transaction() as tx:
            defer_look(tx, "default", name)
        installation.settle()
    installation.sweep()

    assert [(one.version.version, one.comment) for one in installation.requests(State.PENDING)] == []


@pytest.mark.parametrize("is_stricter", [False, True])
def test_what_comes_back_by_right_when_the_rule_becomes_stricter_is_not_taken_for_a_changed_row(
    is_stricter: bool, open_installation: Callable[..., Installation]
) -> None:
    stage = {"target": "{stage: Production}"}
    installation = open_installation(**stage)
    for number in (1, 2):
        installation.register()
        installation.stage(number, "Production")
    installation.sweep()
    installation.stage(2, "Archived")
    installation.sweep()

    if is_stricter:
        installation.use_policy(observed="revert", **stage)
    installation.stage(2, "Production")
    installation.sweep()

    assert [(one.version.version, one.comment) for one in installation.requests(State.PENDING)] == []
