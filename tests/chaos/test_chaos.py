"""The short form of `make chaos`: one fault, one round before and after it, and every job runs. How fast says nothing here."""

from __future__ import annotations

import random
from pathlib import Path

import procrastinate
import psycopg

from tests.chaos.__main__ import Outcome, held, run
from tests.chaos.contestants import Arena, Contestant, worker_of
from tests.fixtures.workers import PATIENCE
from tests.soak.processes import Keeper


def test_the_engine_runs_every_job_when_its_connections_are_ended(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(empty_database_url) as connection:
        app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=empty_database_url))
        connection.execute(app.schema_manager.get_schema().encode())
    ours = Contestant("ours", database_url, worker_of(tmp_path, "ours", database_url))
    bare = Contestant("bare", empty_database_url, worker_of(tmp_path, "bare", empty_database_url))
    control = Contestant("control", empty_database_url, bare.worker)
    keeper = Keeper([ours.worker, bare.worker])
    patience = {"ours": PATIENCE, "bare": 0.0}
    keeper.start()
    try:
        (outcome,) = run(
            Arena(tmp_path, keeper, ours, bare, control), ["backend_kill"], 1, 10, random.Random(1), patience
        )
    finally:
        keeper.stop()

    assert outcome.recovered["ours"] is not None
    assert outcome.ratios["ours"] > 0


def test_a_rate_below_the_bar_and_a_job_that_never_ran_are_missed() -> None:
    good = Outcome("crash", {"ours": 0.97, "bare": 0.5}, {"ours": 13.0, "bare": None}, 300.0)
    slow = Outcome("crash", {"ours": 0.94, "bare": 1.0}, {"ours": 13.0, "bare": 1.0}, 300.0)
    lost = Outcome("crash", {"ours": 1.0, "bare": 1.0}, {"ours": None, "bare": 1.0}, 300.0)

    assert [held(one) for one in (good, slow, lost)] == [True, False, False]
