"""Ways around the laws that an enemy with write access to the registry, or bad luck, would take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.clients.mlflow import prompts
from bot.domain.events import ModelReadable, ModelUnreadable
from bot.domain.model import Kind, State, TransitionRequest, VersionId
from bot.errors import Permanent
from bot.store import custody
from handlers.request import adopting
from handlers.request.calling_off import call_off
from tests.fixtures.installation import Installation, policy_text

pytestmark = pytest.mark.proof

FROZEN = {
    "extra": "freezes: [release]",
    "top": "freezes: {release: {deny: [{from: '2026-01-01 00:00', until: '2036-01-01 00:00'}]}}",
}


def moved_while_its_approval_waits(installation: Installation, observed: str) -> TransitionRequest:
    """v1 is champion by approval; v2 is approved, held by a freeze, and moved there by hand meanwhile."""
    installation.use_policy(observed=observed)
    installation.promoted()
    installation.use_policy(observed=observed, **FROZEN)
    request = installation.promoted()
    assert request.frozen_by == "release"
    installation.move(2)
    assert installation.champion() == 2
    return installation.reread(request)


@pytest.mark.parametrize(("observed", "champion", "state"), [("ask", 2, State.PENDING), ("revert", 1, State.REJECTED)])
def test_a_version_moved_by_hand_is_judged_once_its_waiting_approval_is_called_off(
    installation: Installation, observed: str, champion: int, state: State
) -> None:
    request = moved_while_its_approval_waits(installation, observed)
    with installation.s.store.transaction() as tx:
        ana = tx.people.get_or_add("ana@example.com", "Ana Ruiz")

    call_off(request.id, ana, "It drifts.", installation.s)
    installation.sweep()
    installation.settle_all()

    last = installation.request(2)
    assert (last.kind, last.state) == (Kind.OBSERVED, state)
    assert installation.champion() == champion


def test_a_version_moved_by_hand_goes_back_when_its_stale_approval_is_not_given_again(
    installation: Installation,
) -> None:
    moved_while_its_approval_waits(installation, "ask")
    installation.use_policy(observed="ask")  # another rule than was decided under
    installation.settle()
    installation.sweep()

    (fresh,) = installation.requests(State.PENDING)
    installation.reject(fresh, "Not under this rule.")
    installation.settle_all()

    assert installation.champion() == 1


def test_a_move_by_hand_just_before_a_rule_becomes_stricter_is_still_asked_about(installation: Installation) -> None:
    installation.use_policy(observed="ask")
    installation.promoted()
    installation.register()
    installation.sweep()

    installation.ask(2, "champion")
    installation.use_policy(observed="revert")
    for _ in range(2):
        installation.sweep()

    (asked,) = installation.requests(State.PENDING)
    assert (asked.kind, asked.version.version) == (Kind.OBSERVED, 2)
    installation.reject(asked, "Nobody asked for it.")
    installation.settle_all()
    assert installation.champion() == 1


class DiesAfterTheCopy:
    """The registry, for a worker that dies as soon as it has made a copy."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def copy_version(self, *told: Any) -> VersionId:
        self._registry.copy_version(*told)
        raise Permanent("the worker died")


@pytest.mark.parametrize("ended", [State.STALE, State.CALLED_OFF])
def test_a_copy_is_judged_when_its_approval_ends_after_it_was_made(installation: Installation, ended: State) -> None:
    installation.use_policy(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    installation.register()
    installation.ask(1)
    installation.sweep()
    (request,) = installation.requests(State.PENDING)
    alive, installation.s = installation.s, replace(installation.s, registry=DiesAfterTheCopy(installation.s.registry))  # type: ignore[arg-type]
    installation.approve(request)
    installation.s = alive
    if ended is State.STALE:
        installation.mlflow.log_metric(installation.run_of(1), "mae", 99.0)
    else:
        installation.mlflow.delete_registered_model_alias(installation.model, "candidate")

    for _ in range(3):
        installation.sweep()

    assert installation.reread(request).state is ended
    with alive.store.transaction() as tx:
        about = tx.requests.find(workspace="default", model=f"prod.{installation.model}")
    assert [(one.kind, one.version.version, one.state) for one in about] == [(Kind.OBSERVED, 1, State.PENDING)]


@pytest.mark.parametrize("is_emptied", [True, False])
def test_the_way_back_is_known_however_many_requests_came_to_nothing_since(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, is_emptied: bool
) -> None:
    """A model that is trained every hour has a hundred of them in four days."""
    monkeypatch.setattr(custody, "READ_BACK", 2)
    installation.use_policy(observed="revert")
    installation.promoted()
    for _ in range(3):
        installation.asked()

    if is_emptied:
        installation.mlflow.delete_registered_model_alias(installation.model, "champion")
        installation.sweep()
    else:
        installation.move(2)
    installation.settle()

    assert installation.champion() == 1


@pytest.mark.parametrize("hidden", ["the version", "the model"])
def test_what_is_hidden_as_a_prompt_is_put_back_as_any_other(installation: Installation, hidden: str) -> None:
    """MLflow's searches leave out whatever has the tag of prompts, and load the version all the same."""
    installation.use_policy(observed="revert")
    installation.promoted()
    installation.register()
    installation.sweep()
    plain = installation.mlflow._get_registry_client()
    if hidden == "the version":
        plain.set_model_version_tag(installation.model, "2", "mlflow.prompt.is_prompt", "true")
    else:
        plain.set_registered_model_tag(installation.model, "mlflow.prompt.is_prompt", "true")
    plain.set_registered_model_alias(installation.model, "champion", "2")

    installation.sweep()
    installation.settle_all()

    assert plain.get_registered_model(installation.model).aliases["champion"] == "1"
    assert (installation.request(2).kind, installation.request(2).state) == (Kind.OBSERVED, State.REJECTED)


def test_a_move_is_put_back_where_too_many_versions_are_hidden_to_read_them_all(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "ONE_BY_ONE", 3)
    installation.use_policy(observed="revert")
    installation.promoted()
    for _ in range(5):
        installation.register()
    installation.sweep()
    plain = installation.mlflow._get_registry_client()
    plain.set_model_version_tag(installation.model, "6", "mlflow.prompt.is_prompt", "true")
    plain.set_registered_model_alias(installation.model, "champion", "2")

    for _ in range(2):
        installation.sweep()
        installation.settle_all()

    assert plain.get_registered_model(installation.model).aliases["champion"] == "1"
    (announced,) = installation.entries(ModelUnreadable)
    assert "Delete the tag mlflow.prompt.is_prompt" in announced["reason"]
    plain.delete_model_version_tag(installation.model, "6", "mlflow.prompt.is_prompt")
    installation.sweep()
    assert len(installation.entries(ModelReadable)) == 1


def test_baseline_that_people_rejected_does_not_come_back_by_hand_unasked(installation: Installation) -> None:
    installation.activate(policy_text("another-model"))
    installation.register()
    installation.register()
    installation.ask(1, "champion")
    installation.use_policy(reason="always")  # the first whose rule covers the model, so that version 1 is baseline
    installation.sweep()
    (adopted,) = adopting.adopt(installation.s)
    installation.settle()
    installation.reject(adopted, "Never ship it.")
    assert installation.champion() == 1

    installation.move(2)
    installation.move(1)

    (asked,) = installation.requests(State.PENDING)
    assert (asked.kind, asked.version.version) == (Kind.OBSERVED, 1)
