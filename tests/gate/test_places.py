"""The gate asks about the workspace that MLflow's client of the same job would load from, and believes no answer about another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.attestation.gate import GateQuery
from bot.domain.model import Target, VersionId
from bot.errors import NoAnswer, Refused
from bot.gate.places import asker_of
from bot.sandbox.serving import serving
from tests.gate.approvals import answering, gate

SERVER = "https://mlflow.example.com"
THEN = datetime(2026, 11, 29, tzinfo=UTC)


def question(place: str) -> GateQuery:
    return GateQuery(VersionId(place, "bike", 1, THEN), Target.parse("alias:champion"))


@pytest.mark.parametrize(
    ("environ", "place", "asked"),
    [
        ({}, "default", {}),
        ({"MLFLOW_WORKSPACE": "default"}, "default", {}),
        ({"MLFLOW_WORKSPACE": "team-a"}, "default/team-a", {"workspace": "team-a"}),
        ({"COUNTERSIGN_REGISTRY": "eu"}, "eu/default", {"registry": "eu"}),
        ({"COUNTERSIGN_REGISTRY": "default"}, "default", {"registry": "default"}),
        (
            {"COUNTERSIGN_REGISTRY": "eu", "MLFLOW_WORKSPACE": "team-a"},
            "eu/team-a",
            {"registry": "eu", "workspace": "team-a"},
        ),
    ],
)
def test_the_job_s_variables_say_which_place_is_asked_about(environ, place: str, asked: dict[str, str]) -> None:
    asker = asker_of({"MLFLOW_TRACKING_URI": "https://bot:secret@mlflow.example.com/", **environ})

    assert asker.place == place
    assert asker.parameters == {**asked, "tracking_uri": SERVER}


@pytest.mark.parametrize(
    "environ", [{"MLFLOW_WORKSPACE": "a/b"}, {"MLFLOW_WORKSPACE": "../x"}, {"COUNTERSIGN_REGISTRY": "EU"}]
)
def test_what_names_no_place_is_refused(environ) -> None:
    with pytest.raises(Refused):
        asker_of(environ)


@pytest.mark.parametrize(
    ("environ", "answered", "counts"),
    [
        ({}, "default", True),
        ({}, "eu/default", True),
        ({}, "eu/team-a", False),
        ({"MLFLOW_WORKSPACE": "team-a"}, "default", False),
        ({"MLFLOW_WORKSPACE": "team-a"}, "default/team-a", True),
        ({"MLFLOW_WORKSPACE": "team-a"}, "eu/team-a", True),
        ({"MLFLOW_WORKSPACE": "team-a"}, "eu/default", False),
        ({"COUNTERSIGN_REGISTRY": "eu"}, "default", False),
        ({"COUNTERSIGN_REGISTRY": "eu"}, "us/default", False),
        ({"COUNTERSIGN_REGISTRY": "default"}, "eu/default", False),
        ({}, "nonsense in it", False),
    ],
)
def test_an_answer_about_another_place_is_none(environ, answered: str, counts: bool) -> None:
    asker = asker_of(environ)

    if counts:
        assert asker.question_in(answered, question(asker.place)).version.workspace == answered
    else:
        with pytest.raises(NoAnswer):
            asker.question_in(answered, question(asker.place))


@pytest.mark.parametrize("said", [{"workspaces_enabled": False}, {}, {"error_code": "ENDPOINT_NOT_FOUND"}])
def test_a_server_without_workspaces_has_no_answer_about_one_of_them(key: str, said: dict[str, object]) -> None:
    with serving(answering(said)) as url:
        told = gate(url, "check", "models:/bike@champion", "--key", key, environ={"MLFLOW_WORKSPACE": "team-a"})

    assert told.code == 3
    assert "has no workspaces" in told.err
