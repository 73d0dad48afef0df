"""Workers that are killed, stopped, or left without their database: no job is lost, and none blocks its lane for good."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.database import embedded
from bot.database.connect import migrate
from bot.engine.rows import JobStatus
from bot.engine.worker import CUT_SHORT, NO_DATABASE, NO_SCHEMA, STOPPED
from tests.fixtures.workers import PATIENCE, Bench, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for a PostgreSQL that the test may stop and kill."""
    home = Path(tempfile.mkdtemp(prefix="countersign-home-"))
    yield home
    embedded.stop(home)
    shutil.rmtree(home)


@pytest.fixture
def own_bench(home: Path) -> Iterator[Bench]:
    url = embedded.start(home)
    migrate(url)
    bench = Bench(url)
    bench.prepare()
    yield bench
    bench.end()


def test_a_job_of_a_killed_worker_is_run_by_one_that_lives(bench: Bench) -> None:
    job_id = bench.defer("hang")
    killed = bench.worker("hanging")
    eventually(bench.marks)
    survivor = bench.worker()

    killed.kill()
    job = bench.done(job_id)

    assert [pid for pid, _, _ in bench.marks()] == [killed.pid, survivor.pid]
    assert [error.error for error in job.errors] == ["the worker died or lost the database while it ran this job"]


def test_a_job_of_a_killed_worker_is_run_by_the_one_that_is_started_again(bench: Bench) -> None:
    job_id = bench.defer("hang")
    killed = bench.worker("hanging")
    eventually(bench.marks)
    killed.kill()
    killed.wait()

    successor = bench.worker()
    bench.done(job_id)

    assert [pid for pid, _, _ in bench.marks()] == [killed.pid, successor.pid]


def test_the_lane_of_a_killed_workers_job_goes_on_in_its_order(bench: Bench) -> None:
    bench.defer("hang", "first")
    last = bench.defer("mark", "second")
    killed = bench.worker("hanging")
    eventually(bench.marks)

    killed.kill()
    bench.worker()
    bench.done(last)

    assert [request_id for _, request_id, _ in bench.marks()] == ["first", "first", "second"]


def test_an_idle_worker_stops_when_told(bench: Bench) -> None:
    bench.defer("mark")
    worker = bench.worker()
    eventually(bench.marks)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(PATIENCE) == STOPPED


def test_a_worker_that_is_told_to_stop_finishes_the_effect_at_hand(bench: Bench) -> None:
    job_id = bench.defer("slow")
    worker = bench.worker()
    eventually(bench.marks)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(PATIENCE) == STOPPED
    assert [what for _, _, what in bench.marks()] == ["started", "ran"]
    assert bench.jobs.get(job_id).status is JobStatus.DONE


def test_a_worker_with_a_stuck_effect_leaves_anyway_and_another_one_runs_it(bench: Bench) -> None:
    job_id = bench.defer("hang")
    stuck = bench.worker("hanging")
    eventually(bench.marks)

    stuck.send_signal(signal.SIGTERM)
    code = stuck.wait(PATIENCE)
    successor = bench.worker()
    bench.done(job_id)

    assert code == CUT_SHORT
    assert [pid for pid, _, _ in bench.marks()] == [stuck.pid, successor.pid]


def test_a_job_whose_end_was_lost_is_sent_back_although_its_worker_lives(bench: Bench) -> None:
    worker = bench.worker()
    worker_id = bench.registered_worker()
    job_id = bench.defer("mark", lane="other")
    bench.done(job_id)

    bench.execute("update procrastinate_jobs set status = 'doing', worker_id = %s where id = %s", worker_id, job_id)
    job = bench.done(job_id)

    assert [pid for pid, _, _ in bench.marks()] == [worker.pid, worker.pid]
    assert len(job.errors) == 1


def test_old_finished_jobs_are_deleted_and_parked_ones_never(bench: Bench) -> None:
    done, parked, fresh = (bench.defer("mark", lane=f"lane {number}") for number in range(3))
    bench.execute("update procrastinate_jobs set status = 'doing'")
    bench.execute("update procrastinate_jobs set status = 'succeeded' where id in (%s, %s)", done, fresh)
    bench.execute("update procrastinate_jobs set status = 'failed' where id = %s", parked)
    bench.execute(
        "update procrastinate_events set at = now() - interval '8 days' where job_id in (%s, %s)", done, parked
    )
    bench.execute("insert into job_errors (job_id, attempt, error) values (%s, 1, 'long ago')", done)

    bench.worker()
    eventually(lambda: len(bench.jobs.listing()) == 2)

    assert {job.id for job in bench.jobs.listing()} == {parked, fresh}


def test_a_worker_whose_database_restarts_goes_on_by_itself(own_bench: Bench, home: Path) -> None:
    worker = own_bench.worker("patient")
    own_bench.done(own_bench.defer("mark", "before"))

    embedded.stop(home)
    embedded.start(home)
    own_bench.done(own_bench.defer("mark", "after"))

    assert [(pid, request_id) for pid, request_id, _ in own_bench.marks()] == [
        (worker.pid, "before"),
        (worker.pid, "after"),
    ]


def test_a_worker_whose_database_stays_away_ends_for_its_supervisor(own_bench: Bench, home: Path) -> None:
    worker = own_bench.worker()
    own_bench.done(own_bench.defer("mark"))

    embedded.stop(home)

    assert worker.wait(PATIENCE) == NO_DATABASE


def test_a_worker_on_a_database_without_schema_ends_at_once(empty_database_url: str) -> None:
    bench = Bench(empty_database_url)

    worker = bench.worker()

    assert worker.wait(PATIENCE) == NO_SCHEMA
