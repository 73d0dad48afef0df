"""What is proposed to a team, from what its registry, Slack and Jira hold. A proposal that could be wrong is left to a person."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from bot.clients.slack.checkup import MemberSeen
from bot.domain.model import Metric
from bot.init.metric_directions import greater_is_better
from bot.init.proposals import (
    ask_among,
    near_name,
    patterns_for,
    people_for,
    prefixes_of,
    resolutions_among,
    statuses_among,
    stores_for,
    target_among,
    thresholds_for,
)

ANA = MemberSeen("ana", "Ana Ruiz", "ana@example.com")
BEN = MemberSeen("ben.okafor", "Ben Okafor", "b.okafor@example.com")
OTHER_ANA = MemberSeen("ruiz", "Ana Ruiz", "ana@elsewhere.example")


@pytest.mark.parametrize(
    ("models", "patterns"),
    [
        ([], ()),
        (["bike-demand"], ("bike-demand",)),
        (["bike-demand", "bike-duration"], ("bike-*",)),
        (["team.a.churn", "team.a.ltv"], ("team.a.*",)),
        (["churn", "churn-eu"], ("churn*",)),
        (["churn", "charge"], ("charge", "churn")),
        (["a-1", "a-2"], ("a-1", "a-2")),
        (["odd[1]", "x*"], ("odd[[]1]", "x[*]")),
        ([f"{name}-model" for name in "abcdef"], ()),
    ],
)
def test_models_are_matched_by_what_they_share_or_by_name_or_a_person_chooses(
    models: list[str], patterns: tuple[str, ...]
) -> None:
    assert patterns_for(models) == patterns


def test_many_models_are_shown_by_how_they_begin() -> None:
    models = [f"team-{number % 3}_{number}" for number in range(500)] + [f"bike.{number}" for number in range(9)]

    assert prefixes_of(models) == [("team-*", 500), ("bike.*", 9)]


@pytest.mark.parametrize(
    ("aliases", "target", "ask"),
    [
        ([], "champion", "candidate"),
        (["prod", "challenger"], "prod", "challenger"),
        (["champion", "prod", "prod"], "champion", "candidate"),
        (["blue", "green"], "champion", "candidate"),
    ],
)
def test_the_aliases_are_those_that_the_registry_uses(aliases: list[str], target: str, ask: str) -> None:
    assert (target_among(aliases), ask_among(aliases)) == (target, ask)


@pytest.mark.parametrize("user", ["ana", "ANA", "ana@example.com"])
def test_a_user_of_mlflow_is_the_one_member_with_that_name(user: str) -> None:
    people, unknown = people_for([user], [ANA, BEN])

    assert [(one.email, one.mlflow_user) for one in people] == [("ana@example.com", user)]
    assert unknown == []


@pytest.mark.parametrize(
    ("users", "members"),
    [
        (["ana"], [ANA, OTHER_ANA]),  # it could be two people
        (["root", "jupyter", "airflow"], [ANA, BEN]),
        (["ana"], [MemberSeen("ana", "Ana Ruiz", "")]),  # without an address no one can be named
        (["okafor"], [BEN]),  # a part of a name is not a name
        (["ana\n"], [MemberSeen("ana\n", "Ana", "ana@example.com")]),  # the policy takes no such text
    ],
)
def test_a_user_who_could_be_two_people_or_none_is_left_to_a_person(
    users: list[str], members: list[MemberSeen]
) -> None:
    people, unknown = people_for(users, members)

    assert (people, unknown) == ([], users)


def test_a_second_user_of_one_person_is_left_to_a_person() -> None:
    people, unknown = people_for(["ana", "ana@example.com"], [ANA])

    assert [one.mlflow_user for one in people] == ["ana"]
    assert unknown == ["ana@example.com"]


def metric(name: str, value: float) -> Metric:
    return Metric(name, value, "run", None, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "greater"),
    [
        ("mae", False),
        ("val_loss", False),
        ("test/RMSE", False),
        ("mean_absolute_error", False),
        ("log_loss", False),
        ("roc_auc", True),
        ("f1", True),
        ("r2", True),
        ("accuracy_score", True),
        ("accuracy_error", None),
        ("n_rows", None),
        ("", None),
    ],
)
def test_which_way_a_metric_is_better_is_read_from_its_parts_or_not_known(name: str, greater: bool | None) -> None:
    assert greater_is_better(name) is greater


@pytest.mark.parametrize(
    ("value", "name", "threshold"),
    [
        (31.4159, "mae", 31.5),
        (0.91237, "auc", 0.912),
        (0.0, "mae", 0.0),
        (-0.5321, "r2", -0.533),
        (123456.0, "rmse", 124000.0),
        (1e-9, "mse", 1e-9),
    ],
)
def test_the_champion_itself_reaches_its_rounded_threshold(value: float, name: str, threshold: float) -> None:
    (one,), _ = thresholds_for([metric(name, value)])

    assert one.value == pytest.approx(threshold)
    assert one.value >= value if not one.greater_is_better else one.value <= value


def test_what_says_nothing_about_new_data_or_has_no_direction_gets_no_threshold() -> None:
    figures = [
        metric("train_mae", 1.0),
        metric("rows", 9.0),
        metric("mae", math.nan),
        metric("auc", math.inf),
        metric("f1", 0.8),
    ]

    thresholds, undirected = thresholds_for(figures)

    assert [one.metric for one in thresholds] == ["f1"]
    assert undirected == ("rows",)


def test_what_a_person_said_comes_first() -> None:
    figures = [metric("train_mae", 1.0), metric("rows", 9.0), metric("f1", 0.8)]

    thresholds, undirected = thresholds_for(figures, {"rows": True, "train_mae": False})

    assert {one.metric: one.greater_is_better for one in thresholds} == {"train_mae": False, "rows": True}
    assert undirected == ()


@pytest.mark.parametrize(
    ("final", "statuses"),
    [
        (["Done", "Won't Do"], ("Done", "Won't Do")),
        (["Closed", "Rejected"], ("Closed", "Rejected")),
        (["Done"], ("Done", "Done")),
        (["Erledigt", "Abgelehnt"], ("", "")),
        (["Resolved", "Closed", "Declined"], ("", "Declined")),
        ([], ("", "")),
    ],
)
def test_statuses_are_proposed_only_where_their_names_say_it(final: list[str], statuses: tuple[str, str]) -> None:
    assert statuses_among(final) == statuses


def test_resolutions_tell_decisions_apart_only_where_two_do() -> None:
    assert resolutions_among(["Done", "Won't Do", "Duplicate"]) == ("Done", "Won't Do")
    assert resolutions_among(["Done"]) is None
    assert resolutions_among(["Fertig", "Nein"]) is None


@pytest.mark.parametrize(
    ("locations", "stores"),
    [
        (["mlflow-artifacts:/1", "mlflow-artifacts:/2"], ("mlflow-artifacts:",)),
        (
            ["s3://models/mlflow/1", "s3://models/mlflow/2", "gs://other/x"],
            ("mlflow-artifacts:", "gs://other/", "s3://models/"),
        ),
        (["/mlruns/1", "file:///mlruns/1", "mlflow-artifacts://host/1"], ("mlflow-artifacts:",)),
    ],
)
def test_evidence_is_read_from_mlflow_and_its_buckets_and_from_no_folder(
    locations: list[str], stores: tuple[str, ...]
) -> None:
    assert stores_for(locations) == stores


@pytest.mark.parametrize(
    ("said", "near"),
    [
        ("chrn", "churn"),
        ("Churn", "churn"),
        ("churn", ""),
        ("chrn*", ""),
        ("churn-eu", ""),
        ("bike-v3", ""),
        ("bkie-v2", "bike-v2"),
        ("fraud", ""),
    ],
)
def test_a_name_is_near_a_models_when_it_may_be_a_typo_and_not_another_model_to_come(said: str, near: str) -> None:
    assert near_name(said, ("churn", "bike-v2")) == near
