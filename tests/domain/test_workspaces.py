"""Places as one text: written short for what was there before, and never taken for another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import VersionId
from bot.domain.workspaces import (
    Registry,
    Workspace,
    in_workspace,
    is_covered,
    of_subject,
    option_for,
    pattern_of,
    same_server,
    subject_of,
    watched,
)
from bot.errors import Refused

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)
PLACES = st.builds(Workspace, NAMES, NAMES)


@pytest.mark.parametrize(
    ("text", "place", "written"),
    [
        ("default", Workspace(), "default"),
        ("default/default", Workspace(), "default"),
        ("team-a", Workspace("default", "team-a"), "default/team-a"),
        ("eu/default", Workspace("eu", "default"), "eu/default"),
        (" eu/team-a ", Workspace("eu", "team-a"), "eu/team-a"),
    ],
)
def test_a_place_is_written_as_its_registry_and_its_workspace(text: str, place: Workspace, written: str) -> None:
    read = Workspace.parse(text)

    assert (read, str(read)) == (place, written)


@pytest.mark.parametrize(
    "text", ["", "/", "eu/", "/team-a", "EU/team-a", "eu/Team", "a/b/c", "eu/team a", "-eu/x", "eu/*", "../x"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not a workspace"):
        Workspace.parse(text)


@given(PLACES)
def test_a_place_is_read_as_it_was_written(place: Workspace) -> None:
    assert Workspace.parse(str(place)) == place


@given(PLACES, PLACES)
def test_two_places_are_never_written_alike(one: Workspace, other: Workspace) -> None:
    assert (str(one) == str(other)) is (one == other)


@given(PLACES, st.text(min_size=1))
def test_a_job_s_subject_names_one_model_of_one_place(place: Workspace, model: str) -> None:
    assert of_subject(subject_of(str(place), model)) == (str(place), model)


@given(st.text(min_size=1))
def test_jobs_of_earlier_releases_are_about_the_default_place(model: str) -> None:
    assert of_subject(f"default/{model}") == ("default", model)
    assert subject_of("default", model) == f"default/{model}"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com/x@mlflow.example.com",
        "https://evil.example.com?@mlflow.example.com",
        "https://evil.example.com#@mlflow.example.com",
        "https://evil.example.com\\@mlflow.example.com",
    ],
)
def test_an_at_sign_after_the_host_makes_no_address_that_of_another_server(address: str) -> None:
    assert same_server(address) == address
    assert same_server("https://bot:p@ss@MLFLOW.example.com:443/") == "https://mlflow.example.com"


@pytest.mark.parametrize(
    ("pattern", "covered", "other"),
    [
        ("default", ["default"], ["default/team-a", "eu/default", "eu/team-a"]),
        ("*", ["default", "default/team-a"], ["eu/default", "eu/team-a"]),
        ("team-*", ["default/team-a"], ["default", "eu/team-a"]),
        ("eu/default", ["eu/default"], ["default", "eu/team-a", "default/team-a"]),
        ("eu/*", ["eu/default", "eu/team-a"], ["default", "us/team-a", "default/eu"]),
        ("*/team-a", ["default/team-a", "eu/team-a"], ["default", "eu/default", "eu/team-ab"]),
        ("default eu/team-a", ["default", "eu/team-a"], ["default/team-a", "eu/default"]),
    ],
)
def test_a_pattern_covers_the_places_that_it_names(pattern: str, covered: list[str], other: list[str]) -> None:
    assert [place for place in [*covered, *other] if is_covered(place, pattern)] == covered


@given(PLACES, PLACES)
def test_a_rule_for_one_place_covers_no_other(one: Workspace, other: Workspace) -> None:
    assert is_covered(str(other), pattern_of(one.registry, [one.name])) is (one == other)


def test_a_rule_of_earlier_releases_keeps_its_text_and_so_its_hash() -> None:
    assert pattern_of("default", ["default"]) == "default"
    assert pattern_of("default", ["lab-*"]) == "lab-*"


def test_the_default_registry_is_watched_without_being_named() -> None:
    eu = Registry("eu", ("default", "team-a"), "https://eu.example.com")

    assert watched(()) == (Registry("default"),)
    assert [place for one in watched([eu]) for place in one.places] == ["default", "eu/default", "eu/team-a"]
    assert [place for one in watched([eu, Registry("default", ("b",))]) for place in one.places][:1] == ["default/b"]


def test_only_another_place_than_the_default_one_is_shown() -> None:
    version = VersionId("eu/team-a", "bike", 3, datetime(2026, 11, 29, tzinfo=UTC))

    assert (in_workspace("default"), option_for("default")) == ("", "")
    assert str(version) == "bike v3 in eu/team-a"
    assert option_for("eu/team-a") == " --workspace eu/team-a"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://mlflow.example.com", "https://MLflow.example.com/"),
        ("https://mlflow.example.com", "https://bot:secret@mlflow.example.com:443"),
        ("http://mlflow:80/x/", "http://mlflow/x"),
    ],
)
def test_one_server_is_recognised_under_each_spelling_of_its_address(one: str, other: str) -> None:
    assert same_server(one) == same_server(other)


@pytest.mark.parametrize(
    "other", ["http://mlflow.example.com", "https://mlflow.example.com:8443", "https://mlflow.example.com/b"]
)
def test_another_scheme_port_or_path_is_another_server(other: str) -> None:
    assert same_server("https://mlflow.example.com") != same_server(other)
