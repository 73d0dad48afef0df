"""The short form of `make soak`: one web process and one worker, each killed once, and every bar but those of time."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fixtures.workers import PATIENCE, eventually
from tests.soak.bars import Measured, bar_of, behind, table, verdict
from tests.soak.troubles import a_web_process, kill_at
from tests.soak.world import Servers, Size, running_world

SMALL = Size(webs=1, workers=1, clocks=0, channels=2, every=0.1, most=3, cloud=False, quick=True)


def test_nothing_is_lost_or_doubled_when_a_worker_and_the_web_process_are_killed(
    database_url: str, mlflow_server: str, tmp_path: Path
) -> None:
    with running_world(tmp_path, random.Random(1), SMALL, Servers(database_url, mlflow_server)) as world:
        killed = kill_at("after post", world, PATIENCE)
        eventually(lambda: len(world.book.wishes) == SMALL.most)
        a_web_process(world, random.Random(1))
        eventually(lambda: all(wish.voted_at or not wish.to_decide for wish in world.book.wishes))
        eventually(lambda: behind(world, world.book.wishes) == ([], []))

        bars = verdict(world, Measured())

    assert killed == "kill -9 after post"
    assert all(bar.holds for bar in bars if not bar.bar.endswith(" s")), table(bars)
    assert world.kept("web")[0].starts == world.kept("worker")[0].starts == 2


def test_a_bar_that_is_missed_or_not_measured_is_no_ok() -> None:
    bars = [
        bar_of("tickets twice", "0", "1: ticket GOV-1 x2", holds=False),
        bar_of("jobs parked", "0", "0", holds=True),
        bar_of("gone after SIGTERM", "10 s", "longest 0.0 s of 0", holds=True, samples=0),
    ]

    assert [line.split()[-1] for line in table(bars).splitlines()] == ["measured", "MISSED", "ok", "-"]
    assert [bar.holds for bar in bars] == [False, True, True]
