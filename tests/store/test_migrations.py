"""`migrate`, on an empty PostgreSQL: once, again, and by several at the same time."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg
import pytest
from alembic import command

from bot.database.connect import alembic_config, connect, create_engine, migrate
from bot.database.schema import needs_migrate

A_REQUEST = """
insert into requests (id, state, workspace, model, version, version_created, target, opened_at, body)
values (%s, 'rejected', 'default', 'bike', 1, now(), 'alias:champion', now(), %s)
"""
MIGRATE = "import sys; from bot.database.connect import migrate; migrate(sys.argv[1])"


def test_a_fresh_database_says_that_migrations_wait(empty_database_url: str) -> None:
    before = needs_migrate(empty_database_url)

    migrate(empty_database_url)

    assert before is True
    assert needs_migrate(empty_database_url) is False


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    migrate(empty_database_url)

    migrate(empty_database_url)

    assert needs_migrate(empty_database_url) is False


def test_four_processes_may_migrate_at_once(empty_database_url: str) -> None:
    migrating = [subprocess.Popen([sys.executable, "-c", MIGRATE, empty_database_url]) for _ in range(4)]

    codes = [process.wait(60) for process in migrating]

    assert codes == [0, 0, 0, 0]
    assert needs_migrate(empty_database_url) is False


def test_the_tables_in_the_code_are_those_that_migrating_makes(database_url: str) -> None:
    config = alembic_config()

    with create_engine(database_url, pooled=False).begin() as connection:
        config.attributes["connection"] = connection

        command.check(config)  # raises, naming the differences


def test_a_statement_that_takes_too_long_is_cut_and_a_plain_connection_has_no_such_limit(database_url: str) -> None:
    engine = create_engine(database_url, pooled=False)

    with engine.connect() as limited, connect(database_url) as plain:
        limits = limited.exec_driver_sql(
            "select current_setting('statement_timeout'), current_setting('lock_timeout')"
        ).one()
        unlimited = plain.execute("select current_setting('statement_timeout')").fetchone()

    assert tuple(limits) == ("15s", "5s")
    assert unlimited == ("0",)


def test_what_the_url_says_wins_over_our_patience(database_url: str) -> None:
    url = f"{database_url}&application_name=payroll&connect_timeout=7"

    with connect(url) as connection:
        name = connection.info.get_parameters()["application_name"]

    assert name == "payroll"


def test_a_database_that_is_not_there_is_an_error_and_not_a_hang(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(psycopg.OperationalError):
        connect(f"postgresql://postgres@/postgres?host={tmp_path_factory.getbasetemp()}")


def test_accounts_and_contents_of_before_are_filled_in(empty_database_url: str) -> None:
    files = {"digest": "sha256:5f1c", "files": 3, "size": 900}
    bodies = {
        "frozen": {"evidence": {"source": "models:/m-1", "run_id": "5d3c", "artifacts": files}},
        "without files": {"evidence": {"source": "models:/m-1", "run_id": None, "artifacts": {**files, "files": 0}}},
        "collecting": {"evidence": None},
    }
    up_to("0005", empty_database_url)
    with connect(empty_database_url) as plain:
        plain.execute("insert into people (id, email, name, account) values ('ana', 'ana@example.com', 'Ana', 'U1')")
        plain.execute("insert into people (id, email, name) values ('ben', 'ben@example.com', 'Ben')")
        for request_id, body in bodies.items():
            plain.execute(A_REQUEST, (request_id, json.dumps(body)))

    migrate(empty_database_url)

    with connect(empty_database_url) as plain:
        accounts = plain.execute("select account, person, how, unbound_at from accounts").fetchall()
        contents = plain.execute("select id, content_digest, content_origin from requests order by id").fetchall()
    assert accounts == [("U1", "ana", "before", None)]
    assert contents == [
        ("collecting", None, None),
        ("frozen", "sha256:5f1c", "models:/m-1 5d3c"),
        ("without files", None, "models:/m-1"),
    ]


def up_to(revision: str, url: str) -> None:
    config = alembic_config()
    with create_engine(url, pooled=False).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
