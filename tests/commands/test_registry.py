"""`countersign registry` on the command line: what it shows, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from bot.__main__ import main
from bot.database.connect import create_engine
from bot.store.trust import RegistryRow, TrustRows, UnreadableModel

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOST = "3 of 4 registered models are missing"


def countersign(url: str, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, words, env={"DATABASE_URL": url}, catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture
def doubted(database_url: str) -> str:
    engine = create_engine(database_url, pooled=False)
    with engine.begin() as connection:
        TrustRows(connection).put(RegistryRow("default", "born 2025-01-01 at mlflow-artifacts:/0", NOON, LOST))
        TrustRows(connection).put_unreadable("default", UnreadableModel("bike-demand", NOON, None))
    return database_url


def test_it_shows_since_when_and_why_the_registry_is_doubted_and_what_cannot_be_read(doubted: str) -> None:
    code, printed = countersign(doubted, "registry", "show", "--json")

    registry, model = json.loads(printed)
    assert code == 0
    assert registry == {"what": "registry", "state": "doubted", "since": "2026-03-02T12:00:00+00:00", "why": LOST}
    assert (model["what"], model["state"]) == ("bike-demand", "unreadable")


def test_it_shows_which_registry_is_believed(database_url: str) -> None:
    engine = create_engine(database_url, pooled=False)
    with engine.begin() as connection:
        TrustRows(connection).put(RegistryRow("default", "born 2025-01-01 at mlflow-artifacts:/0"))

    code, printed = countersign(database_url, "registry", "show")

    assert code == 0
    assert "believed" in printed
    assert "born 2025-01-01" in printed


def test_accepting_wants_a_reason_and_a_name(doubted: str) -> None:
    code, said = countersign(doubted, "registry", "accept", "--by", "ana@example.com")

    assert code == 2
    assert "--reason" in said


def test_the_help_says_that_approvals_stay(database_url: str) -> None:
    _, said = countersign(database_url, "registry", "accept", "--help")

    assert "what was approved stays approved" in " ".join(said.split())


def test_a_dry_run_shows_what_changed_and_accepts_nothing(doubted: str) -> None:
    done = CliRunner().invoke(
        main,
        ["registry", "accept", "--dry-run"],
        env={"DATABASE_URL": doubted, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"},
        catch_exceptions=False,
    )

    assert "on record" in done.output or "127.0.0.1:9" in done.output
    _, printed = countersign(doubted, "registry", "show", "--json")
    assert json.loads(printed)[0]["state"] == "doubted"
