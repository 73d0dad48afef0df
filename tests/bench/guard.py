"""Row guard: calls to an MLflow server with the guard against the same calls to one without it, in turns.

With the guard each write is judged, and noted for the report; a read is only let through.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from bot.sandbox.mlflow_server import running_mlflow
from tests.bench.bars import Figure, figure
from tests.builders import a_rule
from tests.fixtures.mlflow_seed import client_of, new_version
from tests.guard.guarded_server import guarded_mlflow, standing_in

ROUNDS = 15
CALLS = 20  # of one kind in a round, on each server
API = "/api/2.0/mlflow"

Call = Callable[[str, requests.Session], requests.Response]


def guarded_calls() -> Iterator[Figure]:
    """Of the time until the answer: the median call of a round against the median call without the guard."""
    with tempfile.TemporaryDirectory() as directory, standing_in() as bot:
        home = Path(directory)
        bot.govern([a_rule()])
        with running_mlflow(home / "plain") as plain, guarded_mlflow(bot, home) as guarded:
            for url in (plain, guarded.url):
                client_of(url).create_registered_model("bike-bench")
                new_version(client_of(url), "bike-bench")
            written = _compared(_set_alias, plain, guarded.url)
            read = _compared(_read_version, plain, guarded.url)
    yield figure("guarded write", written)
    yield figure("guarded read", read)


def _compared(call: Call, plain: str, guarded: str) -> list[float]:
    with requests.Session() as session:
        for url in (plain, guarded):
            _median(call, url, session)
        rounds = []
        for turn in range(ROUNDS):
            pair = (plain, guarded) if turn % 2 else (guarded, plain)
            took = {url: _median(call, url, session) for url in pair}
            rounds.append(took[guarded] / took[plain])
    return rounds


def _median(call: Call, url: str, session: requests.Session) -> float:
    samples = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call(url, session).raise_for_status()
        samples.append(time.perf_counter() - began)
    return statistics.median(samples)


def _set_alias(url: str, session: requests.Session) -> requests.Response:
    body = {"name": "bike-bench", "alias": "candidate", "version": "1"}
    return session.post(f"{url}{API}/registered-models/alias", json=body, timeout=60)


def _read_version(url: str, session: requests.Session) -> requests.Response:
    asked = {"name": "bike-bench", "version": "1"}
    return session.get(f"{url}{API}/model-versions/get", params=asked, timeout=60)
