"""The bot destroys nothing that it did not see arrive: baseline, approved copies, adopted holders, and what a rule may delete."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
import sqlalchemy as sa

from bot.domain.events import MoveObserved, TargetPutBack
from bot.domain.model import Kind, State, Target, TransitionRequest
from bot.domain.registry.custody import Basis, custody_of
from bot.domain.registry.watch_events import WatchBegun
from bot.store.custody import READ_BACK
from handlers.custody.facts import Place, on_record
from handlers.registry.renames import forget
from handlers.request import adopting
from tests.fixtures.installation import API_TOKEN, CHANNEL, Installation

MODEL = {"target": '{model: "prod.{name}"}', "ask_on": "[{alias: candidate}]"}
DELETES = "revert: {copies: delete}"


def prod(installation: Installation) -> str:
    return f"prod.{installation.model}"


def copies(installation: Installation) -> list[int]:
    return sorted(int(v.version) for v in installation.mlflow.search_model_versions(f"name = '{prod(installation)}'"))


def to_model(installation: Installation) -> None:
    number = installation.register()
    installation.ask(number)
    installation.sweep()
    request = installation.request(number, f"model:{prod(installation)}")
    installation.approve(request)
    assert installation.reread(request).state is State.APPLIED


def about_copies(installation: Installation) -> list[TransitionRequest]:
    with installation.s.store.transaction() as tx:
        return tx.requests.find(workspace="default", model=prod(installation))


def gate(installation: Installation, version: int) -> tuple[bool, list[str]]:
    answer = requests.get(
        f"{installation.url}/gate/{prod(installation)}/{version}",
        params={"target": f"model:{prod(installation)}"},
        headers={"Authorization": f"Bearer {API_TOKEN}"},
        timeout=10,
    ).json()
    return answer["allowed"], answer["reasons"]


# What is in a place when it begins to be watched


@pytest.mark.parametrize("observed", ["revert", "ask"])
def test_a_rule_that_begins_to_cover_a_target_model_leaves_its_versions_alone(
    installation: Installation, observed: str
) -> None:
    for _ in range(3):
        installation.register(model=prod(installation))
    installation.sweep()

    installation.use_policy(**MODEL, observed=observed)
    installation.mlflow.set_registered_model_alias(prod(installation), "live", "3")
    installation.sweep()
    installation.settle_all()

    assert copies(installation) == [1, 2, 3]
    assert about_copies(installation) == []
    with installation.s.store.transaction() as tx:
        assert len(tx.custody.baseline("default", prod(installation), Target.parse(f"model:{prod(installation)}"))) == 3


def test_an_asking_alias_that_a_new_policy_makes_a_target_keeps_its_holder(installation: Installation) -> None:
    installation.use_policy(ask_on="[{alias: staging}]")
    number = installation.register()
    installation.ask(number, "staging")
    installation.sweep()
    installation.approve(installation.request(number))

    installation.use_policy(target="{alias: staging}", ask_on="[{alias: candidate}]", observed="revert")
    installation.register()
    installation.sweep()
    installation.settle_all()

    assert installation.champion("staging") == 1
    assert [entry["holders"][0]["version"] for entry in installation.entries(WatchBegun)] == [1]


@pytest.mark.proof
def test_what_was_moved_by_hand_under_report_stays_when_the_rule_becomes_revert_but_is_no_place_to_go_back_to(
    installation: Installation,
) -> None:
    installation.use_policy(observed="report")
    installation.promoted()
    installation.register()
    installation.register()
    installation.move(2)

    installation.use_policy(observed="revert")
    installation.sweep()
    stayed = installation.champion()
    installation.move(3)

    assert stayed == 2
    assert installation.champion() == 1  # the last that was approved


def test_a_move_that_no_look_saw_before_the_rule_became_stricter_is_told_and_left_alone(
    installation: Installation,
) -> None:
    installation.use_policy(observed="report")
    installation.promoted()
    installation.register()
    installation.settle_all()

    installation.mlflow.set_registered_model_alias(installation.model, "champion", "2")
    installation.use_policy(observed="revert")
    installation.sweep()

    assert installation.champion() == 2
    assert [entry["handling"] for entry in installation.entries(MoveObserved)] == ["report"]
    assert [entry["holders"][0]["version"] for entry in installation.entries(WatchBegun)][-1] == 2


# Copies


@pytest.mark.proof
def test_deleting_the_newest_copy_by_hand_leaves_the_approved_older_ones_alone(installation: Installation) -> None:
    installation.use_policy(**MODEL, observed="revert", extra=DELETES)
    for _ in range(3):
        to_model(installation)
    installation.sweep()

    installation.mlflow.delete_model_version(prod(installation), "3")
    for _ in range(3):
        installation.sweep()

    assert copies(installation) == [1, 2]
    assert about_copies(installation) == []
    assert (
        f"v3 left model:{prod(installation)} of {prod(installation)} without a request"
        in installation.slack.messages(CHANNEL)[-1].all_text
    )


def test_a_foreign_copy_under_revert_is_tagged_and_denied_at_the_gate(installation: Installation) -> None:
    installation.use_policy(**MODEL, observed="revert")
    to_model(installation)
    installation.sweep()

    installation.register(model=prod(installation))
    installation.sweep()
    installation.settle_all()

    (observed,) = about_copies(installation)
    tags = installation.mlflow.get_model_version(prod(installation), "2").tags
    assert copies(installation) == [1, 2]
    assert tags["countersign.denied"].startswith(observed.id)
    assert "tagged countersign.denied, and the gate denies it" in installation.card(observed).all_text
    assert gate(installation, 2)[0] is False
    assert gate(installation, 1)[0] is True
    assert adopting.adopt(installation.s) == []


def test_a_foreign_copy_is_deleted_only_by_a_rule_that_says_so(installation: Installation) -> None:
    installation.use_policy(**MODEL, observed="revert", extra=DELETES)
    to_model(installation)
    installation.sweep()

    installation.register(model=prod(installation))
    installation.sweep()
    installation.settle_all()

    (observed,) = about_copies(installation)
    assert copies(installation) == [1]
    assert installation.entries(TargetPutBack)[-1]["moved"] is True
    assert f"was deleted from model {prod(installation)}" in installation.card(observed).all_text


@pytest.mark.proof
def test_a_copy_by_hand_of_what_was_approved_is_not_even_deleted_by_such_a_rule(installation: Installation) -> None:
    installation.use_policy(**MODEL, observed="revert", extra=DELETES)
    to_model(installation)
    installation.sweep()

    installation.mlflow.copy_model_version(f"models:/{installation.model}/1", prod(installation))
    installation.sweep()
    installation.settle_all()

    assert copies(installation) == [1, 2]
    assert gate(installation, 2)[0] is False


@pytest.mark.parametrize("name", ["the same", pytest.param("a new", marks=pytest.mark.proof)])
def test_no_copy_is_deleted_of_which_the_ledger_says_that_it_was_there_before_whatever_the_rows_say(
    name: str, installation: Installation
) -> None:
    for _ in range(2):
        installation.register(model=prod(installation))
    installation.sweep()
    installation.use_policy(**MODEL, observed="revert", extra=DELETES)
    installation.sweep()
    if name == "a new":
        for before, after in (("", "-b"), ("-b", "")):
            installation.mlflow.rename_registered_model(f"{prod(installation)}{before}", f"{prod(installation)}{after}")
            installation.sweep()
    with installation.s.store.engine.begin() as connection:
        for statement in (
            "delete from baselines where target = :target",
            "delete from placements where target = :target",
            "update watches set since = since - interval '1 day' where target = :target",
        ):
            connection.execute(sa.text(statement), {"target": f"model:{prod(installation)}"})

    installation.register(model=prod(installation))
    installation.sweep()
    installation.settle_all()

    assert copies(installation)[:2] == [1, 2]
    assert {str(one.version.version) for one in about_copies(installation)} >= {"1", "2"}


def test_what_was_approved_is_known_to_be_however_many_requests_came_since(installation: Installation) -> None:
    """Only the newest requests about a place are read, and those about the versions that a step may touch."""
    installation.use_policy(**MODEL, observed="revert", extra=DELETES)
    to_model(installation)
    installation.sweep()
    (first,) = installation.requests()
    with installation.s.store.transaction() as tx:
        for number in range(READ_BACK + 1):
            later = replace(
                first,
                id=f"later-{number}",
                state=State.WITHDRAWN,
                version=replace(first.version, version=1_000 + number),
            )
            tx.requests.insert(replace(later, opened_at=first.opened_at + timedelta(seconds=1), copies=()))

    installation.mlflow.copy_model_version(f"models:/{installation.model}/1", prod(installation))
    installation.sweep()
    installation.settle_all()

    (observed,) = about_copies(installation)
    assert installation.reread(observed).state is State.REJECTED
    assert copies(installation) == [1, 2]


def test_a_version_whose_copy_is_the_newest_is_not_copied_again(installation: Installation) -> None:
    installation.use_policy(**MODEL)
    to_model(installation)

    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()
    installation.ask(1)
    installation.sweep()

    assert installation.requests(State.PENDING) == []
    assert copies(installation) == [1]


# Adopted holders and absences


def test_rejecting_an_adopted_holder_moves_nothing_also_when_the_request_was_opened_again(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    (adopted,) = [one for one in adopting.adopt(installation.s) if one.version.model == installation.model]
    installation.settle()
    installation.click("ana", installation.reread(adopted), "approve")
    installation.mlflow.log_metric(installation.run_of(1), "mae", 12.5, step=1)
    installation.settle()
    (fresh,) = installation.requests(State.PENDING)

    installation.reject(fresh, "Not good enough.")
    installation.settle_all()

    assert (fresh.kind, fresh.is_adopted) == (Kind.OBSERVED, True)
    assert installation.champion() == 1


def test_what_is_known_of_a_model_outlasts_its_absence(installation: Installation) -> None:
    """A registry that was emptied for a sweep: its rows come back with the same identities."""
    installation.use_policy(observed="revert")
    installation.promoted()
    with installation.s.store.transaction() as tx:
        forget("default", installation.model, "the registry looks empty", tx, installation.clock.now())

    installation.sweep()
    installation.settle_all()

    assert installation.champion() == 1
    assert installation.happened(MoveObserved) == []
    place = Place("default", installation.model, Target.parse("alias:champion"))
    with installation.s.store.transaction() as tx:
        custody = custody_of(on_record(place, tx, installation.clock.now()))
    assert [one.basis for one in custody.holdings] == [Basis.APPROVED]


def test_a_model_that_comes_back_asks_for_nothing_that_was_decided_before(
    open_installation: Callable[..., Installation],
) -> None:
    """The fast track would pass the older version once more, and take the target from the newer one."""
    fast_track = "fast_track: {mode: on, metrics: {mae: {threshold: 40, greater_is_better: false}}}"
    installation = open_installation(ask_on="[{new_version: true}]", extra=fast_track)
    installation.sweep()
    for number in (1, 2):
        installation.register(metrics={"mae": 30.0})
        installation.sweep()
        installation.settle_until(lambda number=number: installation.champion() == number)
    before = installation.champion(), len(installation.requests())
    with installation.s.store.transaction() as tx:
        forget("default", installation.model, "the registry looks empty", tx, installation.clock.now())

    installation.sweep()
    installation.settle_until(lambda: not installation.requests(State.COLLECTING, State.PENDING, State.APPROVED))

    assert before == (2, 2)
    assert (installation.champion(), len(installation.requests())) == before


@pytest.mark.proof
def test_what_was_moved_to_a_lawful_version_while_its_model_was_away_is_recorded(
    open_installation: Callable[..., Installation],
) -> None:
    """The version may be there, and who looks at the ledger must find how it came there."""
    installation = open_installation()
    installation.register()
    installation.ask(1, "champion")
    installation.sweep()  # v1 is baseline
    installation.ask(installation.register(), "champion")
    installation.sweep()

    with installation.s.store.transaction() as tx:
        forget("default", installation.model, "the registry looks empty", tx, installation.clock.now())
    installation.ask(1, "champion")
    installation.sweep()

    with installation.s.store.transaction() as tx:
        moves = [json.loads(entry.body) for entry in tx.ledger.entries(MoveObserved.__name__)]
    assert [(one["version"]["version"], one["previous"]["version"]) for one in moves] == [(2, 1), (1, 2)]


def test_a_new_target_model_that_is_emptied_before_it_is_first_looked_at_is_recorded(
    open_installation: Callable[..., Installation],
) -> None:
    """Our own copy made the model."""
    installation = open_installation(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    installation.sweep()
    number, prod = installation.register(), f"prod.{installation.model}"
    installation.ask(number)
    installation.sweep()
    installation.approve(installation.request(number, f"model:{prod}"))

    installation.mlflow.delete_model_version(prod, "1")
    installation.sweep()

    with installation.s.store.transaction() as tx:
        (move,) = [json.loads(entry.body) for entry in tx.ledger.entries(MoveObserved.__name__)]
    assert (move["model"], move["version"], move["previous"]["version"]) == (prod, None, 1)


@pytest.mark.parametrize("is_changed", [False, True])
def test_no_copy_is_deleted_that_was_moved_there_while_that_was_only_reported(
    is_changed: bool, installation: Installation
) -> None:
    """The row of the watch may say that the rule was as strict as now when it came."""
    installation.use_policy(**MODEL, observed="report")
    to_model(installation)
    installation.sweep()
    installation.register(model=prod(installation))
    installation.sweep()
    installation.settle_all()

    installation.use_policy(**MODEL, observed="revert", extra=DELETES)
    if is_changed:
        with installation.s.store.engine.begin() as connection:
            for statement in (
                "update watches set handling = 'revert' where target = :target",
                "delete from placements where target = :target and version = 2",
            ):
                connection.execute(sa.text(statement), {"target": f"model:{prod(installation)}"})
    installation.sweep()
    installation.settle_all()

    assert copies(installation) == [1, 2]
