"""What commands load: one that reads needs no web server, no MLflow, no migrations, no key service, and none of the effects."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = {"flask", "slack_bolt", "mlflow", "alembic", "jinja2", "boto3", "google", "pkcs11", "azure", "hvac"}
AT_FIRST_USE = {"webauthn", "mlflow", "matplotlib", "alembic", "boto3"}
OURS = {"bot.app", "handlers.effects"}
CLIENTS = {"bot.clients", "slack_sdk", "jira", "requests"}
OF_RECORDS = (["list"], ["requests", "list"], ["history", "bike-demand"], ["fast-track", "report"])
READING = (
    *OF_RECORDS,
    ["describe", "models:/bike-demand/1"],
    ["policy", "replay"],
    ["jobs", "list"],
    ["people", "list"],
)
RUN = """
import sys
import click
from bot.__main__ import main
for words in {commands!r}:
    try:
        main(words, standalone_mode=False)
    except click.ClickException as refusal:
        print(words, refusal.message)
print(*sys.modules, file=sys.stderr)
"""
PROCESSES = """
import sys
import bot.commands.processes, bot.assembly, handlers.doors.clock, bot.supervisor
print(*sys.modules, file=sys.stderr)
"""
WEB = """
import sys
import bot.commands.processes, bot.commands.web_server
print(*sys.modules, file=sys.stderr)
"""
WORKER = """
import sys
import bot.commands.processes, bot.assembly, handlers.effects
print(*sys.modules, file=sys.stderr)
"""
ENDING = """
import atexit, gc
from bot.__main__ import main
atexit.register(lambda: print("objects", len(gc.get_objects())))  # comes after what a command has registered
main(["--help"])
"""


def loaded_by(program: str, **environment: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    names = set(done.stderr.splitlines()[-1].split())
    return names | {name.partition(".")[0] for name in names}


def test_commands_that_read_load_only_what_reads(database_url: str, tmp_path: object) -> None:
    loaded = loaded_by(RUN.format(commands=READING), DATABASE_URL=database_url, COUNTERSIGN_HOME=str(tmp_path))

    assert "bot.store.requests" in loaded
    assert loaded & (HEAVY | OURS) == set()


def test_commands_that_read_only_what_is_recorded_load_no_vendors_client(database_url: str, tmp_path: object) -> None:
    loaded = loaded_by(RUN.format(commands=OF_RECORDS), DATABASE_URL=database_url, COUNTERSIGN_HOME=str(tmp_path))

    assert "bot.store.requests" in loaded
    assert loaded & CLIENTS == set()


def test_processes_that_only_start_or_defer_load_no_web_server_and_no_effects() -> None:
    loaded = loaded_by(PROCESSES)

    assert "bot.engine.jobs" in loaded
    assert loaded & (HEAVY | OURS) == set()


def test_a_worker_loads_no_web_server_and_no_doors() -> None:
    loaded = loaded_by(WORKER)

    assert "handlers.registry.apply" in loaded
    assert loaded & {"flask", "werkzeug", "waitress", "slack_bolt", "bot.app", "handlers.doors"} == set()


@pytest.mark.parametrize("program", [WEB, WORKER], ids=["web", "worker"])
def test_no_process_loads_what_only_some_installations_use(program: str) -> None:
    loaded = loaded_by(program)

    assert "bot.passkeys" in loaded
    assert loaded & AT_FIRST_USE == set()


def test_a_command_that_ends_does_not_go_through_all_that_was_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=True)

    assert int(done.stdout.rpartition("objects")[2]) < 1_000  # there are some twenty thousand
