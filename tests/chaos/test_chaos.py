"""The short form of `make chaos`: one fault, one round before and after it, and every job runs. How fast says nothing here."""

from __future__ import annotations

import random
from pathlib import Path

import procrastinate
import psycopg

from tests.chaos.__main__ import Outcome, Rates, Ratio, ratio, run, verdict
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
    keeper = Keeper([ours.worker, bare.worker])
    patience = {"ours": PATIENCE, "bare": 0.0}
    keeper.start()
    try:
        (outcome,) = run(Arena(tmp_path, ours, bare), ["backend_kill"], 1, 10, random.Random(1), patience)
    finally:
        keeper.stop()

    assert outcome.recovered["ours"] is not None
    assert outcome.ratios["ours"].median > 0


def test_a_rate_below_the_bar_and_a_job_that_never_ran_are_missed() -> None:
    assert verdict(outcome(Ratio(1.0, 0.96, 1.04))) == "ok"
    assert verdict(outcome(Ratio(0.97, 0.93, 1.01))) == "undecided"
    assert verdict(outcome(Ratio(0.9, 0.86, 0.94))) == "MISSED"
    assert verdict(outcome(Ratio(1.0, 0.96, 1.04), recovered=None)) == "MISSED"


def test_the_interval_is_narrow_for_rates_that_agree_and_wide_for_those_that_scatter() -> None:
    steady, scattered = Rates({"ours": [1.0] * 12, "bare": []}), Rates({"ours": [0.5, 1.0, 1.5] * 4, "bare": []})

    assert ratio(steady, steady, "ours", random.Random(1)) == Ratio(1.0, 1.0, 1.0)
    wide = ratio(steady, scattered, "ours", random.Random(1))
    assert wide.low < wide.median < wide.high


def outcome(ours: Ratio, recovered: float | None = 13.0) -> Outcome:
    return Outcome("crash", {"ours": ours, "bare": ours}, {"ours": recovered, "bare": 1.0}, 300.0)
