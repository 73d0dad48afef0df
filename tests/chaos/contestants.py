"""Four engines that run the same jobs: ours and bare procrastinate on a PostgreSQL that is harmed, and a twin of each on another.

A twin shows how fast its engine is just then, on a database with as many jobs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import procrastinate
import psycopg

from bot.database import embedded
from bot.database.connect import create_engine, migrate
from bot.engine.jobs import Jobs
from tests.chaos.program import NOTHING
from tests.soak.processes import Keeper, Kept

PATIENCE = 180.0  # seconds for one batch, over an outage too
FINISHED = "select count(*) from procrastinate_jobs where status = 'succeeded' and id > %s"
LAST = "select coalesce(max(id), 0) from procrastinate_jobs"
TOOK = """select extract(epoch from max(at) filter (where type = 'succeeded') - min(at) filter (where type = 'started'))
from procrastinate_events where job_id > %s"""


@dataclass
class Contestant:
    """`rates` are jobs a second, one for each batch. `twin` is the same engine where no fault comes. `task` is what its jobs do."""

    engine: str
    url: str
    worker: Kept
    twin: Contestant | None = None
    rates: list[float] = field(default_factory=list)
    task: str = NOTHING

    def batch(self, size: int) -> float:
        """Defers jobs in one transaction and waits until all have run.

        Returns jobs a second, from the start of the first to the end of the last by the database's clock: how often we look does not count.
        """
        before = self.defer(size)
        if not self.wait_for(before, size):
            raise RuntimeError(f"{self.worker.name} has not run {size} jobs in {PATIENCE:g} s; see its log")
        with psycopg.connect(self.url) as connection:
            row = connection.execute(TOOK, (before,)).fetchone()
        assert row is not None
        return size / float(row[0])

    def defer(self, size: int) -> int:
        """Returns the id of the last job before them. Each job has a subject of its own."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(LAST).fetchone()
        before = int(row[0]) if row else 0
        subjects = [str(before + number) for number in range(size)]
        if self.engine == "ours":
            with create_engine(self.url, pooled=False).begin() as bound:
                jobs = Jobs(self.url)
                for subject in subjects:
                    jobs.defer(bound, self.task, subject, lane=f"lane:{subject}")
        else:
            app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=self.url))
            with app.open():
                app.configure_task(self.task, allow_unknown=True).batch_defer(*({"subject": one} for one in subjects))
        return before

    def vacuum(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("vacuum (analyze)")

    def wait_for(self, before: int, size: int, patience: float = PATIENCE) -> bool:
        """Whether they all ran in that time; a database that is away is asked again."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                with psycopg.connect(self.url, connect_timeout=5) as connection:
                    while time.monotonic() < until:
                        row = connection.execute(FINISHED, (before,)).fetchone()
                        if row and row[0] >= size:
                            return True
                        time.sleep(0.02)
            except psycopg.OperationalError:
                time.sleep(0.1)
        return False


@dataclass
class Arena:
    """`home` is of the PostgreSQL that is harmed."""

    home: Path
    ours: Contestant
    bare: Contestant

    @property
    def all(self) -> tuple[Contestant, ...]:
        return *self.harmed, *(one.twin for one in self.harmed if one.twin)

    @property
    def harmed(self) -> tuple[Contestant, ...]:
        return self.ours, self.bare


@contextmanager
def arena(home: Path) -> Iterator[Arena]:
    with ExitStack() as stack:
        servers = []
        for name in ("harmed", "unharmed"):
            (home / name).mkdir(parents=True)
            servers.append(embedded.start(home / name))
            stack.callback(embedded.stop, home / name)
        harmed, unharmed = servers
        ours, bare = (
            contestant(engine, harmed, home, twin=contestant(engine, unharmed, home, "-twin"))
            for engine in ("ours", "bare")
        )
        world = Arena(home / "harmed", ours, bare)
        keeper = Keeper([one.worker for one in world.all])
        keeper.start()
        stack.callback(keeper.stop)
        yield world


def contestant(
    engine: str, server: str, home: Path, suffix: str = "", *, task: str = NOTHING, twin: Contestant | None = None
) -> Contestant:
    """On a new database of that server. Its worker does not run yet."""
    url = _database(server, f"{engine}{suffix}")
    if engine == "ours":
        migrate(url)
    else:
        with psycopg.connect(url) as connection:
            app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=url))
            connection.execute(app.schema_manager.get_schema().encode())
    return Contestant(engine, url, worker_of(home, engine, url, suffix), twin, task=task)


def _database(server: str, name: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    return server.replace("/postgres?", f"/{name}?", 1)


def worker_of(home: Path, engine: str, url: str, suffix: str = "") -> Kept:
    command = (sys.executable, "-m", "tests.chaos.program", engine, url)
    return Kept(f"worker-{engine}{suffix}", command, os.environ, home / f"worker-{engine}{suffix}.log")
