"""The end of `countersign demo --auto`: where a version comes from, the gate with two forgeries, the ledger against a ticket's checkpoint.

Each runs the command that a user types, in a separate process with only what a CI job has. Every answer is checked.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from bot.demo.world import Say, World
from bot.errors import DemoFailed

COLUMNS = "workspace, name, key, value"
TAGS = "model_version_tags WHERE name = ? AND version = ? AND key LIKE 'countersign.%'"
ALLOWED, DENIED = 0, 1


def walk_back(world: World, model: str, say: Say) -> None:
    """What `countersign describe` prints, without the tables of parameters and metrics."""
    uri = f"models:/{model}@champion"
    say(f"6. Where the champion comes from: countersign describe {uri}")
    told = run(world, ["describe", uri], world.environment).stdout.splitlines()
    witnesses = [line for line in told if line.split()[:1] in (["signed"], ["witnessed"])]
    _show([*told[: told.index("Parameters")], *witnesses], say)
    if not witnesses or any("not verified" in line for line in witnesses):
        raise DemoFailed(f"the approval of {uri} cannot be verified")
    say(f"checked: every signature about {uri} verifies")


def at_the_gate(world: World, model: str, champion: int, rejected: int, say: Say) -> None:
    """The champion passes; its approval copied to another version does not, nor does the champion with one byte changed."""
    key = world.home / "countersign.pub"
    say("7. The gate, with nothing but the public key: countersign gate check")
    _ask(world, ["check", f"models:/{model}@champion"], key, ALLOWED, say)

    say(f"   Somebody copies the champion's approval to v{rejected}, which was rejected, in MLflow's own database:")
    with _approval_copied(world, model, champion, rejected):
        _ask(world, ["check", f"models:/{model}/{rejected}", "--target", "alias:champion"], key, DENIED, say)

    say("   Somebody changes one byte of the champion where MLflow keeps it, and it is to be served:")
    with _byte_swapped(world, model, champion):
        _ask(world, ["serve", f"models:/{model}@champion"], key, DENIED, say)


def the_ledger_holds(world: World, say: Say) -> None:
    """Verifies against the checkpoint in the newest ticket that has one, which the bot cannot change."""
    comments = [comment.text for issue in world.jira.issues() for comment in world.jira.comments(issue.key)]
    witness = world.home / "ticket.txt"
    witness.write_text(next(text for text in comments if text.startswith("Checkpoint")))
    say(
        "8. The ledger, against a checkpoint that was taken out of a ticket: countersign audit verify --checkpoint ticket.txt"
    )
    done = run(world, ["audit", "verify", "--checkpoint", str(witness)], world.environment)
    _show(done.stdout.splitlines(), say)
    if done.returncode:
        raise DemoFailed(f"the ledger does not verify: {done.stderr.strip()}")


def _ask(world: World, words: list[str], key: Path, expected: int, say: Say) -> None:
    done = run(world, ["gate", *words, "--key", str(key)], {})
    _show(done.stderr.splitlines(), say)
    if done.returncode != expected:
        raise DemoFailed(f"countersign gate {' '.join(words)} answered {done.returncode} instead of {expected}")


def run(world: World, words: list[str], more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a command as in another user's shell, with only MLflow's address and `more` from the demo."""
    outside = {name: text for name, text in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    environment = {**outside, "MLFLOW_TRACKING_URI": world.addresses["mlflow"], **more}
    command = [sys.executable, "-m", "bot", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _show(lines: list[str], say: Say) -> None:
    for line in lines:
        if line.strip():
            say(f"   {line}")


@contextmanager
def _approval_copied(world: World, model: str, approved: int, other: int) -> Iterator[None]:
    """Copies the tags while the block runs, in the database of MLflow: its guard refuses that over the API."""
    with closing(sqlite3.connect(world.home / "mlflow" / "mlflow.db", timeout=60)) as database:
        before = database.execute(f"SELECT {COLUMNS} FROM {TAGS}", (model, other)).fetchall()
        copied = [(*tag, other) for tag in database.execute(f"SELECT {COLUMNS} FROM {TAGS}", (model, approved))]
        _put_tags(database, model, other, copied)
        try:
            yield
        finally:
            _put_tags(database, model, other, [(*tag, other) for tag in before])


def _put_tags(database: sqlite3.Connection, model: str, version: int, tags: list[tuple[object, ...]]) -> None:
    with database:
        database.execute(f"DELETE FROM {TAGS}", (model, version))
        database.executemany(f"INSERT INTO model_version_tags ({COLUMNS}, version) VALUES (?, ?, ?, ?, ?)", tags)


@contextmanager
def _byte_swapped(world: World, model: str, version: int) -> Iterator[None]:
    """Changes the last byte of the version's largest file while the block runs."""
    model_id = str(world.mlflow.get_model_version(model, str(version)).source).rpartition("/")[2]
    folder = next((world.home / "mlflow" / "artifacts").rglob(model_id))
    largest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    before = largest.read_bytes()
    largest.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        yield
    finally:
        largest.write_bytes(before)
