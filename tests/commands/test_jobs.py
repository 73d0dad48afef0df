"""`countersign jobs`: what it prints of errors, which come from outside."""

from __future__ import annotations

import inspect
import json

import pytest

from bot.commands.operating.job_rows import OF_REQUESTS
from bot.database.connect import create_engine
from bot.engine.jobs import Jobs
from bot.errors import Permanent
from handlers.effects import EFFECTS
from tests.fixtures.command_line import countersign

STEERING = "refused \x1b[2J\x1b]0;all is well\x07 by \x9b31mMLflow\r\nid status"


def run_jobs(url: str, *words: str) -> str:
    no_one = {"GIT_DIR": "/nowhere", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = countersign("jobs", *words, DATABASE_URL=url, **no_one)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def parked(database_url: str) -> tuple[str, int]:
    """The database, and a job in it that was parked with a text that would steer the terminal."""

    def refuse(_: str) -> None:
        raise Permanent(STEERING)

    engine, jobs = create_engine(database_url), Jobs(database_url)
    with engine.begin() as connection:
        jobs.defer(connection, "sync_target", "r1", lane="registry:default/bike")
    jobs.drain({"sync_target": refuse})
    engine.dispose()
    return database_url, jobs.listing()[0].id


def test_no_error_steers_the_terminal(parked: tuple[str, int]) -> None:
    url, job_id = parked

    printed = {words: run_jobs(url, *words) for words in (("list",), ("show", str(job_id)))}

    for words, text in printed.items():
        assert [letter for letter in text if not letter.isprintable() and letter != "\n"] == [], words
        assert "refused" in text
        assert "MLflow  id status" in text


def test_json_escapes_what_would_steer_the_terminal_and_keeps_the_text(parked: tuple[str, int]) -> None:
    url, job_id = parked

    printed = run_jobs(url, "show", str(job_id), "--json")

    assert printed.isascii()
    assert "\x1b" not in printed
    assert json.loads(printed)["errors"][0]["error"] == STEERING


def test_only_parked_jobs_are_listed_and_one_is_dropped_with_its_reason(parked: tuple[str, int]) -> None:
    url, job_id = parked
    listed = json.loads(run_jobs(url, "list", "--status", "parked", "--json"))

    said = run_jobs(url, "drop", str(job_id), "--reason", "the channel is gone", "--yes")

    assert [row["id"] for row in listed] == [job_id]
    assert listed[0]["created_at"]
    assert f"job {job_id} (sync_target) dropped." in said
    assert [row["id"] for row in json.loads(run_jobs(url, "list", "--status", "dropped", "--json"))] == [job_id]
    dropped = json.loads(run_jobs(url, "show", str(job_id), "--json"))
    assert dropped["status"] == "dropped"
    assert dropped["errors"][-1]["error"] == "dropped: the channel is gone"


def test_housekeeping_is_listed_when_it_is_asked_for(database_url: str) -> None:
    engine, jobs = create_engine(database_url), Jobs(database_url)
    with engine.begin() as connection:
        jobs.defer(connection, "sweep_models", "", lane="clock:sweep_models")
    engine.dispose()

    assert run_jobs(database_url, "list") == "No jobs.\n"
    assert "sweep_models" in run_jobs(database_url, "list", "--all")


def test_the_effects_whose_subject_is_shown_as_a_request_are_those_that_take_one() -> None:
    assert {
        name for name, effect in EFFECTS.items() if next(iter(inspect.signature(effect).parameters)) == "request_id"
    } == OF_REQUESTS


def test_a_subject_that_is_no_request_is_not_listed_as_one(database_url: str) -> None:
    engine, jobs = create_engine(database_url), Jobs(database_url)
    of_request, of_person = "a" * 32, "b" * 32
    with engine.begin() as connection:
        jobs.defer(connection, "sync_card", of_request, lane="card:1")
        jobs.defer(connection, "bind_person", of_person, lane="people")
        jobs.defer(connection, "announce", "12", lane="announce")
    engine.dispose()

    rows = json.loads(run_jobs(database_url, "list", "--json"))

    assert {(row["effect"], row["request"], row["subject"]) for row in rows} == {
        ("sync_card", "aaaaaaaa", of_request),
        ("bind_person", None, of_person),
        ("announce", None, "12"),
    }
