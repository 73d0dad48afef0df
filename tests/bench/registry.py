"""Rows d and sweep: what watching a large registry costs, counted at a proxy before a real MLflow.

The registry's rows are written into MLflow's own database; all that is measured goes through its server.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from bot.sandbox.mlflow_server import running_mlflow
from handlers.doors.clock import defer_sweeps
from handlers.effects import effects_of
from tests.bench.bars import Figure, figure
from tests.bench.database import database
from tests.bench.machine import forget_peak, memory_of
from tests.fixtures import quick_directory
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import Installation, running_installation

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

MODEL = "bike-demand"
VERSIONS = 10  # of each model
POLLS = 5
WHOLE = 10_000  # models; a full scan grows with them, and the poll does not
PAGES_AT_MOST = 1_000
LONG_AGO, APART = 86_400_000, 300_000  # milliseconds, of the newest, and between two models
LOOKS = ("sweep_versions", "sweep_models", "look_at")


@dataclass
class Counted:
    """Counts the calls that pass, and the bytes of their answers."""

    application: WSGIApplication
    calls: int = 0
    size: int = 0
    paths: list[str] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = list(self.application(environ, start_response))
        self.calls += 1
        self.size += sum(map(len, answer))
        self.paths.append(environ["PATH_INFO"])
        return answer

    def start(self) -> None:
        self.calls = self.size = 0
        self.paths.clear()


def polls(models: int = 2_000) -> Iterator[Figure]:
    with large_registry(models) as (installation, counted, _, mlflow_url):
        before = memory_of(os.getpid())
        forget_peak()
        counted.start()
        look(installation)
        first, grown = counted.calls, memory_of(os.getpid(), "VmHWM") - before
        polled, sizes, swept = [], [], []
        for _ in range(POLLS):
            counted.start()
            look(installation, "sweep_versions")
            polled.append(counted.calls)
            sizes.append(counted.size)
            counted.start()
            look(installation, "sweep_models")
            swept.append(counted.calls)
        whole = full_scan(mlflow_url)
    scale = f"{models:,} models, {models * VERSIONS:,} versions"
    yield figure("poll calls", polled, scale)
    yield figure("poll bytes", [size / 1e6 for size in sizes], scale)
    yield figure("poll share", [whole / size * WHOLE / models for size in sizes], scale)
    yield figure("sweep calls", swept, scale)
    yield figure("first sync", first, scale)
    yield figure("first sync memory", grown, scale)


def sweeps_beside_open_requests(count: int = 100) -> Iterator[Figure]:
    """Each model has a version that somebody asks for, and nothing changes any more."""
    with large_registry(count) as (installation, counted, store, _):
        look(installation)  # the baseline
        rows = [("candidate", VERSIONS, name_of(number)) for number in range(count)]
        with sqlite3.connect(store) as registry:
            registry.executemany("insert into registered_model_aliases (alias, version, name) values (?, ?, ?)", rows)
        look(installation)
        with installation.s.store.transaction() as tx:
            opened = len(tx.requests.find())
        if opened != count:
            raise RuntimeError(f"{opened} requests are open, not {count}, so the count means nothing")
        calls = []
        for _ in range(POLLS):
            counted.start()
            look(installation)
            calls.append(counted.calls)
    yield figure("open sweep", calls, f"{count:,} open requests")


@contextmanager
def large_registry(models: int) -> Iterator[tuple[Installation, Counted, Path, str]]:
    with quick_directory() as home, database(home) as url:
        with running_mlflow(home / "mlflow"):
            pass  # makes the tables
        fill(home / "mlflow" / "mlflow.db", models)
        with (
            running_mlflow(home / "mlflow") as mlflow_url,
            fault_proxy(mlflow_url) as (proxy_url, faults),
            running_installation(url, mlflow_url, proxy_url, MODEL, home, {}) as installation,
        ):
            counted = faults.application = Counted(faults.application)
            yield installation, counted, home / "mlflow" / "mlflow.db", mlflow_url


def fill(store: Path, models: int) -> None:
    """One alias for each model, and no version younger than a day."""
    start = int(time.time() * 1000) - LONG_AGO - models * APART
    moments = {number: start + number * APART for number in range(models)}
    with sqlite3.connect(store) as registry:
        registry.executemany(
            "insert into registered_models (name, creation_time, last_updated_time, description) values (?, ?, ?, '')",
            ((name_of(number), at, at) for number, at in moments.items()),
        )
        registry.executemany(
            "insert into model_versions (name, version, creation_time, last_updated_time, description, current_stage, source,"
            " run_id, status, run_link, storage_location) values (?, ?, ?, ?, '', 'None', ?, '', 'READY', '', ?)",
            (
                (name_of(number), version, at + version, at + version, *["s3://models/a/run/artifacts/model"] * 2)
                for number, at in moments.items()
                for version in range(1, VERSIONS + 1)
            ),
        )
        registry.executemany(
            "insert into registered_model_aliases (alias, version, name) values ('champion', 1, ?)",
            ((name_of(number),) for number in range(models)),
        )


def name_of(number: int) -> str:
    return f"{MODEL}-{number:06d}"


def look(installation: Installation, *kinds: str) -> None:
    """The sweeps, and the looks that they ask for; what follows from those is not run."""
    for kind in kinds or LOOKS[:2]:
        with installation.s.store.transaction() as tx:
            defer_sweeps(kind, tx)
    effects = {name: effect if name in LOOKS else _nothing for name, effect in effects_of(installation.s).items()}
    installation.s.store.jobs.drain(effects)
    if unfinished := installation.unfinished():
        raise RuntimeError(f"not all is done: {[(job.name, job.errors[-1:]) for job in unfinished[:5]]}")


def full_scan(url: str) -> int:
    """The bytes of all versions, read the usual way, page by page."""
    size, token = 0, ""
    for _page in range(PAGES_AT_MOST):
        query = {"max_results": 10_000, **({"page_token": token} if token else {})}
        answer = requests.get(f"{url}/api/2.0/mlflow/model-versions/search", params=query, timeout=300)
        answer.raise_for_status()
        size += len(answer.content)
        token = answer.json().get("next_page_token", "")
        if not token:
            return size
    raise RuntimeError(f"{url} has a next page after {PAGES_AT_MOST} pages of 10,000 versions")


def _nothing(_subject: str) -> None:
    return None
