"""The clock process ticks on a machine whose clock is wrong, and goes on when somebody sets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fixtures.clock_program import EFFECT
from tests.fixtures.workers import eventually

HOUR = 3600
ROOT = Path(__file__).parents[2]


def ticked_at(engine: sa.Engine) -> object:
    """By the database's clock; None before the first tick."""
    with engine.connect() as connection:
        return connection.execute(sa.text("select at from clock_ticks where kind = :kind"), {"kind": EFFECT}).scalar()


@pytest.mark.parametrize(
    ("off", "later"), [(-HOUR, -HOUR), (HOUR, -2 * HOUR), (0, 2 * HOUR)], ids=["behind", "ahead, set back", "set ahead"]
)
def test_it_ticks_at_once_and_goes_on(
    off: int, later: int, database_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.fixtures.clock_program", database_url, str(off), str(later)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            eventually(lambda: ticked_at(engine))
            (tmp_path / "set").touch()
            eventually(lambda: not (tmp_path / "set").exists())
            for _ in range(2):
                before = ticked_at(engine)
                eventually(lambda before=before: ticked_at(engine) != before)  # type: ignore[misc]
            eventually(lambda: "clock_was_set" in (tmp_path / "log").read_text())
        finally:
            process.kill()
            process.wait()
