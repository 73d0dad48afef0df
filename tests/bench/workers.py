"""Row workers: jobs a second with one worker process and with two, our engine beside bare procrastinate.

A job does to the database what an effect does, which takes three transactions or four (row counts): it reads about its subject in the
first, reserves in the second, records in the third. It calls no vendor. Waiting for one would double with the workers by itself, while the
database and the processor are what workers share.

Each engine has a database for one worker and a database for two, all four on one PostgreSQL: nothing starts or stops between the batches,
and all grow alike. A round is a batch on each of the four, one after the other: ours first or the floor, one worker first or two.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bot.database import embedded
from tests.bench.bars import Figure, figure
from tests.chaos.contestants import Contestant, contestant, worker_of
from tests.chaos.program import EFFECT, MARKS
from tests.fixtures import quick_directory
from tests.soak.processes import Kept

ROUNDS, JOBS = 24, 150  # short batches, so that the four of a round meet the same machine
READY_WITHIN = 60.0  # seconds until each worker has run a job
CONNECTIONS = {"max_connections": "200"}  # six workers may take more than the hundred that are usual
COUNTED = """select count(*) - count(distinct subject), count(distinct subject) filter (where is_done), count(distinct worker)
from marks"""

ORDERS = tuple(itertools.product((("ours", "bare"), ("bare", "ours")), ((1, 2), (2, 1))))


@dataclass
class Side:
    """One engine, and the worker processes on its database."""

    of: Contestant
    workers: Sequence[Kept]
    deferred: int = 0
    rates: list[float] = field(default_factory=list)

    def batch(self, jobs: int) -> float:
        """Returns jobs a second. Raises RuntimeError when they do not come to their end, or a worker does."""
        rate = self.of.batch(jobs)
        self.deferred += jobs
        if ended := [one.name for one in self.workers if not one.lives]:
            raise RuntimeError(f"{', '.join(ended)} ended: {self.workers[0].log.read_text()[-2000:]}")
        return rate

    def get_ready(self, jobs: int) -> None:
        """Until each of its workers has run some."""
        until = time.monotonic() + READY_WITHIN
        while self.counted()[2] < len(self.workers):
            if time.monotonic() > until:
                raise RuntimeError(f"not all {len(self.workers)} workers of {self.of.worker.name} run jobs")
            self.batch(jobs)

    def wrong(self) -> int:
        """The jobs that ran twice, and those that never did."""
        doubled, done, _ = self.counted()
        return doubled + self.deferred - done

    def counted(self) -> tuple[int, int, int]:
        """Runs beyond the first of a job, jobs that came to their end, and the workers that ran them."""
        with psycopg.connect(self.of.url) as connection:
            row = connection.execute(COUNTED).fetchone()
        assert row is not None
        return int(row[0]), int(row[1]), int(row[2])


def one_and_two(rounds: int = ROUNDS, jobs: int = JOBS) -> Iterator[Figure]:
    with sides() as four:
        for side in four.values():
            side.get_ready(jobs)
        for number in range(-1, rounds):  # the first round warms up
            engines, workers = ORDERS[number % len(ORDERS)]
            for key in itertools.product(engines, workers):
                rate = four[key].batch(jobs)
                if number >= 0:
                    four[key].rates.append(rate)
        wrong = four["ours", 2].wrong()
    ours, floor = (
        [two / one for one, two in zip(four[engine, 1].rates, four[engine, 2].rates, strict=True)]
        for engine in ("ours", "bare")
    )
    yield figure(
        "workers",
        [mine / least for mine, least in zip(ours, floor, strict=True)],
        f"{rounds} rounds of {jobs} jobs each",
    )
    yield figure("workers doubled", wrong, f"of {four['ours', 2].deferred:,}")


@contextmanager
def sides() -> Iterator[dict[tuple[str, int], Side]]:
    """By engine and number of workers, all running."""
    with quick_directory() as home, ExitStack() as stack:
        server = embedded.start(home, CONNECTIONS)
        stack.callback(embedded.stop, home)
        four = {
            (engine, number): side_of(engine, number, server, home) for engine in ("ours", "bare") for number in (1, 2)
        }
        for worker in itertools.chain.from_iterable(one.workers for one in four.values()):
            worker.start()
            stack.callback(worker.stop)
        yield four


def side_of(engine: str, workers: int, server: str, home: Path) -> Side:
    of = contestant(engine, server, home, f"-{workers}", task=EFFECT)
    with psycopg.connect(of.url) as connection:
        connection.execute(MARKS.encode())
    more = (worker_of(home, engine, of.url, f"-{workers}-{number}") for number in range(1, workers))
    return Side(of, (of.worker, *more))
