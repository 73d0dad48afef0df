"""A database of another release: each command and each process says so and what to do, and nothing is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from click.testing import CliRunner, Result
from psycopg import sql

from bot.__main__ import main
from bot.database.connect import alembic_config, connect, create_engine
from bot.database.schema import needs_migrate

COMMANDS = (
    ["requests", "list"],
    ["audit", "verify"],
    ["jobs", "replay", "--all"],
    ["policy", "activate", "POLICY"],
    ["keys", "list"],
)
PROCESSES = (["web", "--host", "127.0.0.1"], ["worker"], ["clock"], ["socket"])
NEWER = "the database was migrated by a newer release (schema 9999; this one knows up to"
OLDER = "the database has the schema of an older release (0005; this one needs"


def newer(url: str) -> None:
    with connect(url) as plain:
        plain.execute("update alembic_version set version_num = '9999'")


def older(url: str) -> None:
    """As release 0.1.0 left it."""
    with connect(url) as plain:
        plain.execute("drop schema public cascade; create schema public")
    config = alembic_config()
    with create_engine(url, pooled=False).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")


def everything(url: str) -> dict[str, int]:
    """How many rows each table has, and which there are."""
    with connect(url) as plain:
        tables = plain.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        return {
            name: (plain.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(name))).fetchone() or (0,))[0]
            for (name,) in tables
        }


def run(url: str, home: Path, words: list[str]) -> Result:
    policy = home / "policy.yaml"
    policy.write_text(
        "version: 1\ngroups: {risk: {people: [cy@example.com]}}\nrules:\n  - models: '*'\n    target: {alias: champion}\n"
        "    notify: {slack: '#models'}\n    approve: {all_of: [{group: risk, quorum: 1}]}\n"
    )
    environ = {
        "DATABASE_URL": url,
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_POLICY": str(policy),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "SLACK_BOT_TOKEN": "xoxb-1-2-abc",
        "SLACK_SIGNING_SECRET": "8f742231b10e8888abcd99",
        "SLACK_APP_TOKEN": "xapp-1-2-abc",
        "PORT": "8099",
    }
    given = [str(policy) if word == "POLICY" else word for word in words]
    return CliRunner().invoke(main, given, env=environ)


@pytest.mark.parametrize("words", [*COMMANDS, *PROCESSES, ["migrate"]], ids=" ".join)
def test_a_database_of_a_newer_release_is_left_alone(database_url: str, tmp_path: Path, words: list[str]) -> None:
    newer(database_url)
    before = everything(database_url)

    result = run(database_url, tmp_path, words)

    assert result.exit_code == 2, result.output
    assert NEWER in result.output
    assert "restore the backup" in result.output
    assert everything(database_url) == before


@pytest.mark.parametrize("words", [*COMMANDS, *PROCESSES], ids=" ".join)
def test_a_database_of_an_older_release_is_left_alone_until_it_is_migrated(
    database_url: str, tmp_path: Path, words: list[str]
) -> None:
    older(database_url)
    before = everything(database_url)

    result = run(database_url, tmp_path, words)

    assert result.exit_code == 2, result.output
    assert OLDER in result.output
    assert "countersign migrate" in result.output
    assert everything(database_url) == before


def test_an_empty_database_is_said_to_be_one(empty_database_url: str, tmp_path: Path) -> None:
    result = run(empty_database_url, tmp_path, ["requests", "list"])

    assert result.exit_code == 2
    assert "no tables of Countersign yet. Run `countersign migrate`" in result.output


@pytest.mark.parametrize(("changed", "waits"), [(newer, False), (older, True), (lambda url: None, False)])
def test_a_process_that_runs_on_while_a_newer_release_migrates_stays_ready(
    database_url: str, changed: Callable[[str], None], waits: bool
) -> None:
    changed(database_url)

    assert needs_migrate(database_url) is waits
