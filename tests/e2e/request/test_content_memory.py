"""A no holds: what people rejected, rolled back or called off passes by no other number, name or asking; only their votes let it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.model import Ask, AskKind, DecidedBy, State, Target
from handlers.request.rollbacks import roll_back
from tests.e2e.request.test_fast_track import track
from tests.fixtures.installation import Installation

pytestmark = pytest.mark.proof


def again(installation: Installation, version: int, model: str | None = None) -> int:
    """The same source and run, registered once more."""
    old, name = installation.mlflow.get_model_version(installation.model, str(version)), model or installation.model
    if model is not None:
        installation.mlflow.create_registered_model(name)
    return int(installation.mlflow.create_model_version(name, old.source, old.run_id, await_creation_for=0).version)


def test_what_people_rejected_does_not_pass_the_fast_track_registered_again(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    installation.sweep()
    rejected = installation.asked(installation.register(metrics={"mae": 30.0}))
    installation.reject(rejected, "This model leaks the target. Never ship it.")
    installation.use_policy(extra=track("on"))

    request = installation.asked(again(installation, 1))

    assert (request.state, installation.champion()) == (State.PENDING, None)
    card = installation.card(request).all_text
    assert f"{installation.model} v1 was rejected for champion by Ana Ruiz on" in card
    assert "This model leaks the target. Never ship it" in card


def test_nor_when_the_same_version_is_asked_for_again(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation()
    installation.sweep()
    installation.reject(installation.asked(installation.register(metrics={"mae": 30.0})), "It leaks.")
    installation.use_policy(extra=track("on"))

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    request = installation.asked(1)

    assert (request.state, installation.champion()) == (State.PENDING, None)


def test_nor_under_another_model_of_the_same_rule(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation()
    installation.sweep()
    installation.reject(installation.asked(installation.register(metrics={"mae": 30.0})), "It leaks.")
    installation.use_policy(extra=track("on"))
    twin = f"{installation.model}-twin"

    number = again(installation, 1, twin)
    installation.mlflow.set_registered_model_alias(twin, "candidate", str(number))
    installation.sweep()

    (request,) = [one for one in installation.requests() if one.version.model == twin]
    assert request.state is State.PENDING
    assert [objection.reason for objection in request.objections] == ["It leaks."]


def test_what_was_rolled_back_does_not_pass_the_fast_track_registered_again(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(extra=track("on"))
    installation.sweep()
    installation.asked(installation.register(metrics={"mae": 33.0}))
    second = installation.asked(installation.register(metrics={"mae": 30.0}))
    installation.click("ana", second, "roll_back")
    installation.slack.submit_view("ana", {"reason": "predictions drifted"})
    installation.settle()
    assert installation.champion() == 1

    request = installation.asked(again(installation, 2))

    assert (request.state, installation.champion()) == (State.PENDING, 1)
    assert "was rolled back for champion by Ana Ruiz on" in installation.card(request).all_text


@pytest.mark.parametrize("is_renamed_first", [True, False])
def test_nor_what_was_rolled_back_when_its_model_was_renamed(
    open_installation: Callable[..., Installation], is_renamed_first: bool
) -> None:
    """Before the rollback, or after it: the version, and what took it back, then stand in the ledger under different names."""
    installation = open_installation(extra=track("on"))
    installation.sweep()
    installation.asked(installation.register(metrics={"mae": 33.0}))
    installation.asked(installation.register(metrics={"mae": 30.0}))
    renamed, before = f"{installation.model}-renamed", installation.model

    def rename() -> None:
        installation.mlflow.rename_registered_model(before, renamed)
        installation.sweep()

    if is_renamed_first:
        rename()
    name = renamed if is_renamed_first else before
    target, ask = Target.parse("alias:champion"), Ask(AskKind.ROLLBACK)
    roll_back(name, target, 1, "predictions drifted", "ana@example.com", ask, installation.s)
    installation.settle()
    if not is_renamed_first:
        rename()

    old = installation.mlflow.get_model_version(renamed, "2")
    installation.mlflow.create_model_version(renamed, old.source, old.run_id, await_creation_for=0)
    installation.mlflow.set_registered_model_alias(renamed, "candidate", "3")
    installation.sweep()

    request = installation.request(3)
    assert request.state is State.PENDING
    assert [objection.reason for objection in request.objections] == ["predictions drifted"]


def test_people_may_approve_it_all_the_same_with_a_reason_and_that_settles_it(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    installation.sweep()
    installation.reject(installation.asked(installation.register(metrics={"mae": 30.0})), "It leaks.")
    installation.use_policy(extra=track("on"))
    second = installation.asked(again(installation, 1))

    installation.click("ben", second, "approve")
    installation.slack.submit_view("ben", {"reason": "It does not: that column is known before."})
    installation.settle()
    third = installation.asked(again(installation, 1))

    assert (installation.reread(second).state, installation.reread(second).decided_by) == (
        State.APPLIED,
        DecidedBy.PEOPLE,
    )
    assert (third.state, third.decided_by, third.objections) == (State.APPLIED, DecidedBy.FAST_TRACK, ())


def test_the_sample_is_not_drawn_again_for_the_same_content(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation(extra=track("on", more=", sample_to_people: 0.5"))
    installation.sweep()
    first = installation.asked(installation.register(metrics={"mae": 30.0}))
    held = bool(first.judgement and first.judgement.held_back)

    for _ in range(6):
        request = installation.asked(again(installation, 1))
        assert request.judgement is not None
        assert bool(request.judgement.held_back) is held


def test_what_was_rolled_back_as_a_copy_does_not_pass_as_what_it_was_copied_from(
    open_installation: Callable[..., Installation],
) -> None:
    """The rollback names another model's version, and without files only the origin says that the two are the same."""
    installation = open_installation()
    installation.sweep()
    rule = {"target": '{model: "prod.{name}"}', "ask_on": "[{alias: candidate}]"}
    installation.use_policy(**rule)
    prod = f"prod.{installation.model}"
    target = Target.parse(f"model:{prod}")
    lawful = installation.register(metrics={"mae": 30.0})
    installation.ask(lawful)
    installation.sweep()
    installation.approve(installation.request(lawful, str(target)))
    by_hand = installation.register(metrics={"mae": 31.0})
    installation.mlflow.copy_model_version(f"models:/{installation.model}/{by_hand}", prod)
    installation.sweep()
    with installation.s.store.transaction() as tx:
        (observed,) = tx.requests.find(workspace="default", model=prod)
    installation.approve(observed)
    asked = Ask(AskKind.ROLLBACK)
    roll_back(installation.model, target, lawful, "it drifts", "ben@example.com", asked, installation.s)
    installation.settle_all()

    installation.use_policy(**rule, extra=track("on"))
    installation.ask(by_hand)
    installation.sweep()

    request = installation.request(by_hand, str(target))
    assert request.state is State.PENDING
    assert [objection.reason for objection in request.objections] == ["it drifts"]
