"""Three engines that run the same jobs: ours and bare procrastinate on a PostgreSQL that is harmed, and a bare one on another.

The third shows how fast the machine is just then.
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
    """`rates` are jobs a second, one for each batch."""

    name: str
    url: str
    worker: Kept
    rates: list[float] = field(default_factory=list)

    def batch(self, size: int) -> float:
        """Defers jobs in one transaction and waits until all have run.

        Returns jobs a second, from the start of the first to the end of the last by the database's clock: how often we look does not count.
        """
        before = self.defer(size)
        if not self.wait_for(before, size):
            raise RuntimeError(f"{self.name} has not run {size} jobs in {PATIENCE:g} s; see its log")
        with psycopg.connect(self.url) as connection:
            row = connection.execute(TOOK, (before,)).fetchone()
        assert row is not None
        return size / float(row[0])

    def defer(self, size: int) -> int:
        """Returns the id of the last job before them."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(LAST).fetchone()
        before = int(row[0]) if row else 0
        if self.name == "ours":
            with create_engine(self.url, pooled=False).begin() as bound:
                jobs = Jobs(self.url)
                for number in range(size):
                    jobs.defer(bound, NOTHING, str(number), lane=f"lane:{before + number}")
        else:
            app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=self.url))
            with app.open():
                app.configure_task(NOTHING, allow_unknown=True).batch_defer(*({"subject": str(n)} for n in range(size)))
        return before

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
    keeper: Keeper
    ours: Contestant
    bare: Contestant
    control: Contestant

    @property
    def all(self) -> tuple[Contestant, ...]:
        return self.ours, self.bare, self.control

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
        urls = {
            "ours": _database(harmed, "ours"),
            "bare": _database(harmed, "bare"),
            "control": _database(unharmed, "bare"),
        }
        migrate(urls["ours"])
        for name in ("bare", "control"):
            with psycopg.connect(urls[name]) as connection:
                app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=urls[name]))
                connection.execute(app.schema_manager.get_schema().encode())
        contestants = {name: Contestant(name, url, worker_of(home, name, url)) for name, url in urls.items()}
        keeper = Keeper([one.worker for one in contestants.values()])
        keeper.start()
        stack.callback(keeper.stop)
        yield Arena(home / "harmed", keeper, **contestants)


def _database(server: str, name: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    return server.replace("/postgres?", f"/{name}?", 1)


def worker_of(home: Path, name: str, url: str) -> Kept:
    which = "ours" if name == "ours" else "bare"
    command = (sys.executable, "-m", "tests.chaos.program", which, url)
    return Kept(f"worker-{name}", command, os.environ, home / f"worker-{name}.log")
