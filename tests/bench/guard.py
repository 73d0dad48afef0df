"""Row guard: calls to an MLflow server with the guard against the same calls to one without it, one after the other.

With the guard each write is judged, and noted for the report, which is sent meanwhile to a bot in a process of its own. Two kinds: an
alias that no rule is about, and a stage of a governed model, for which the guard reads the version's stage. A read is only let through.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import requests

from bot.domain.model import Target, TargetKind
from bot.sandbox.mlflow_server import running_mlflow
from tests.bench.bars import Figure, figure
from tests.builders import a_rule
from tests.fixtures.mlflow_seed import client_of, new_version
from tests.guard.guarded_server import StandIn, guarded_mlflow, standing_in

ROUNDS = 15
CALLS = 40  # of one kind in a round, on each server
WARMING = 100
AS_INSTALLED = {"COUNTERSIGN_GUARD_EVERY": "15"}
API = "/api/2.0/mlflow"
MODEL = "bike-bench"
RULES = (a_rule(models="bike-*"), a_rule(models="bike-*", target=Target(TargetKind.STAGE, "Production")))

Call = Callable[[str, requests.Session], requests.Response]


def guarded_calls() -> Iterator[Figure]:
    """Of the time until the answer: the median call of a round against the median call without the guard, made in between."""
    with tempfile.TemporaryDirectory() as directory, _bot_in_a_process() as bot:
        home = Path(directory)
        with running_mlflow(home / "plain") as plain, guarded_mlflow(bot, home, environ=AS_INSTALLED) as guarded:
            for url in (plain, guarded.url):
                client_of(url).create_registered_model(MODEL)
                new_version(client_of(url), MODEL)
            _check_who_is_guarded(plain, guarded.url)
            ratios = {call: _compared(call, plain, guarded.url) for call in (_set_alias, _set_stage, _read_version)}
    yield figure("guarded write", ratios[_set_alias])
    yield figure("guarded judged write", ratios[_set_stage])
    yield figure("guarded read", ratios[_read_version])


@contextmanager
def _bot_in_a_process() -> Iterator[StandIn]:
    """Otherwise it would take the time of the process that measures."""
    bot = StandIn()
    bot.govern(RULES)
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_answer, args=(theirs, bot.answer))
    process.start()
    try:
        bot.url = ours.recv()
        yield bot
    finally:
        ours.send("the end")
        process.join()


def _answer(asker: Connection, envelope: str) -> None:
    with standing_in() as bot:
        bot.answer = envelope
        asker.send(bot.url)
        asker.recv()


def _check_who_is_guarded(plain: str, guarded: str) -> None:
    with requests.Session() as session:
        statuses = [_set_alias(url, session, "champion").status_code for url in (plain, guarded)]
    if statuses != [200, 403]:
        raise RuntimeError(f"without and with the guard, a governed alias was answered with {statuses}")


def _compared(call: Call, plain: str, guarded: str) -> list[float]:
    with requests.Session() as session:
        _pair(call, (plain, guarded), WARMING, session)
        rounds = []
        for turn in range(ROUNDS):
            took = _pair(call, (plain, guarded) if turn % 2 else (guarded, plain), CALLS, session)
            rounds.append(statistics.median(took[guarded]) / statistics.median(took[plain]))
    return rounds


def _pair(call: Call, urls: tuple[str, str], calls: int, session: requests.Session) -> dict[str, list[float]]:
    """What each call took, in seconds: one to the first server, one to the other, and so on."""
    took: dict[str, list[float]] = {url: [] for url in urls}
    for _ in range(calls):
        for url in urls:
            began = time.perf_counter()
            call(url, session).raise_for_status()
            took[url].append(time.perf_counter() - began)
    return took


def _set_alias(url: str, session: requests.Session, alias: str = "candidate") -> requests.Response:
    body = {"name": MODEL, "alias": alias, "version": "1"}
    return session.post(f"{url}{API}/registered-models/alias", json=body, timeout=60)


def _set_stage(url: str, session: requests.Session) -> requests.Response:
    body = {"name": MODEL, "version": "1", "stage": "Staging"}
    return session.post(f"{url}{API}/model-versions/transition-stage", json=body, timeout=60)


def _read_version(url: str, session: requests.Session) -> requests.Response:
    asked = {"name": MODEL, "version": "1"}
    return session.get(f"{url}{API}/model-versions/get", params=asked, timeout=60)
