"""What the benchmarks say of a figure, and that the fault script counts what goes wrong. The figures themselves: `make bench`."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from mlflow import MlflowClient

import bot
from tests.bench.alternatives.contenders import contenders
from tests.bench.alternatives.script import (
    WHAT,
    it_is_down_while_somebody_asks,
    play,
    slacks_answer_is_lost,
    the_one_who_trained_it_approves,
)
from tests.bench.bars import BARS, HOLDS, NOT_YET, Bar, Figure, figure
from tests.bench.pages import Ran, write
from tests.bench.promotion import Call, Vendors
from tests.bench.workers import Side, one_and_two
from tests.chaos.contestants import Contestant, worker_of
from tests.chaos.program import MARKS

PAGE = "# Figures\n\n<!-- figures: begin -->\n<!-- figures: end -->\n\nThe end.\n"


@pytest.mark.parametrize(
    ("samples", "holds", "verdict", "fails"),
    [
        ((1.0, 2.0, 9.0), HOLDS, "met", False),
        ((1.0, 2.1, 2.1), HOLDS, "MISSED", True),
        ((1.0, 2.1, 2.1), NOT_YET, "not met", False),
        ((1.0, 2.0, 9.0), NOT_YET, "met, though not promised", False),
    ],
)
def test_the_median_counts_and_only_a_bar_that_holds_fails_the_run(
    samples: tuple[float, ...], holds: bool, verdict: str, fails: bool
) -> None:
    one = Figure(Bar("z", "something", 2.0, holds=holds), samples)

    assert (one.verdict, one.fails) == (verdict, fails)


def test_a_time_measured_beside_other_work_is_neither_met_nor_missed_and_a_ratio_is() -> None:
    time, ratio = (Figure(Bar("z", "something", 2.0, unit), (3.0,), slowdown=9.0) for unit in ("ms", "x"))

    assert (time.verdict, time.fails) == ("machine too busy", False)
    assert (ratio.verdict, ratio.fails) == ("MISSED", True)


def test_a_rate_must_be_at_least_its_bar() -> None:
    assert figure("pace share", 0.95).is_met
    assert not figure("pace share", 0.94).is_met


def test_a_page_gets_the_new_figures_and_keeps_those_that_were_not_measured_again(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"
    page.write_text(PAGE)

    write(page, Ran([figure("ask jobs", 14), figure("pace share", 0.9)], 0.5, 1.0))
    write(page, Ran([figure("ask jobs", [11, 12, 14])], 1.5, 1.0))

    lines = [line for line in page.read_text().splitlines() if line.startswith(("| counts", "| j "))]
    assert [("12 effects [11 to 14]" in lines[0]), ("0.9 of the rate" in lines[1])] == [True, True]
    assert len(lines) == 2
    assert page.read_text().endswith("The end.\n")


def test_a_page_without_markers_is_not_written(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"
    page.write_text("# Figures\n")

    with pytest.raises(ValueError, match="figures: begin"):
        write(page, Ran([figure("ask jobs", 14)], 0.5, 1.0))

    assert page.read_text() == "# Figures\n"


def test_each_bar_has_a_description_of_its_own() -> None:
    assert len({bar.what for bar in BARS.values()}) == len(BARS)


def test_the_page_says_why_of_each_row_with_a_bar_that_is_not_met_and_of_no_other() -> None:
    page = (Path(bot.__file__).parents[1] / "docs" / "benchmarks.md").read_text()
    _, _, rest = page.partition("## Not met")

    explained = re.findall(r"^- \*\*(\S+)\*\*: ", rest.partition("## ")[0], re.MULTILINE)

    assert explained == list(dict.fromkeys(bar.row for bar in BARS.values() if not bar.holds))


def test_vendors_that_are_at_work_at_the_same_time_count_once_in_the_time_that_they_explain() -> None:
    times = ((4.0, 5.0), (0.0, 2.0), (1.0, 3.0), (1.5, 1.75))

    assert Vendors.of(Call("/", "GET", began, ended) for began, ended in times) == Vendors(sum=5.25, at_work=4.0)


def test_two_workers_run_each_job_once_and_each_round_has_a_ratio_of_its_own() -> None:
    scaling, doubled = one_and_two(rounds=2, jobs=20)

    assert (scaling.bar, doubled.bar) == (BARS["workers"], BARS["workers doubled"])
    assert len(scaling.samples) == 2
    assert min(scaling.samples) > 0
    assert doubled.samples == (0.0,)


def test_a_job_that_ran_twice_counts_and_so_do_those_that_did_not_come_to_their_end(
    empty_database_url: str, tmp_path: Path
) -> None:
    worker = worker_of(tmp_path, "ours", empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(MARKS.encode())
        connection.execute(
            "insert into marks (subject, worker, is_done) values ('1', 7, true), ('2', 7, true), ('2', 8, true), ('3', 8, false)"
        )

    side = Side(Contestant("ours", empty_database_url, worker), (worker,), deferred=5)

    assert side.wrong() == 1 + 3


@pytest.mark.proof
def test_the_same_faults_find_what_the_usual_ways_lose_double_and_let_through_and_nothing_of_ours(
    database_url: str, mlflow_server: str, model_name: str, tmp_path: Path
) -> None:
    names = ("webhook relay", "state in the button", "Countersign")
    scenes = (it_is_down_while_somebody_asks, slacks_answer_is_lost, the_one_who_trained_it_approves)
    mlflow = MlflowClient(mlflow_server, registry_uri=mlflow_server)

    with contenders(names, mlflow_server, database_url, model_name, tmp_path) as bots:
        found = play(bots, mlflow, model_name, scenes=scenes)

    counted = {name: [found.total(name, what) for what in WHAT] for name in names}
    assert counted == {"webhook relay": [1, 1, 1], "state in the button": [1, 1, 1], "Countersign": [0, 0, 0]}
