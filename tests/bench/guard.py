"""Row guard: calls to an MLflow server with the guard against the same calls to one without it, in pairs, each pair in the other order.

With the guard each write is judged, and noted for the report, which is sent meanwhile to a bot in a process of its own. Two kinds: an
alias that no rule is about, and a stage of a governed model, for which the guard reads the version's stage. A read is only let through.

A figure is the median of rounds, and a round is the median call against the median call. Beside the time until the answer there is the
processor time of the whole server, with that of the reports: other work on the machine changes it less.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import requests

from bot.domain.model import Target, TargetKind
from bot.sandbox.mlflow_server import running_mlflow
from tests.bench.bars import Figure, figure
from tests.bench.machine import listener, precise_time_of
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
            for kind, call in KINDS.items():
                rounds = _compared(call, plain, guarded.url)
                yield figure(f"guarded {kind}", [one.waited for one in rounds])
                yield figure(f"guarded {kind} cpu", [one.spent for one in rounds])


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
    client_of(plain).delete_registered_model_alias(MODEL, "champion")  # both answer with the same aliases then


@dataclass(frozen=True)
class Round:
    """Of one round, the guarded server against the other: the time until the answer, and the processor time of the server."""

    waited: float
    spent: float


def _compared(call: Call, plain: str, guarded: str) -> list[Round]:
    urls = (plain, guarded)
    processes = {url: listener(urlsplit(url).port or 0) for url in urls}
    with requests.Session() as session:
        _pairs(call, urls, WARMING, session)
        rounds = []
        for _ in range(ROUNDS):
            before = {url: precise_time_of(processes[url]) for url in urls}
            waited = _pairs(call, urls, CALLS, session)
            spent = {url: precise_time_of(processes[url]) - before[url] for url in urls}
            rounds.append(Round(waited[guarded] / waited[plain], spent[guarded] / spent[plain]))
    return rounds


def _pairs(call: Call, urls: tuple[str, str], pairs: int, session: requests.Session) -> dict[str, float]:
    """What the median call took, in seconds, by the server."""
    took: dict[str, list[float]] = {url: [] for url in urls}
    for turn in range(pairs):
        for url in urls if turn % 2 else reversed(urls):
            began = time.perf_counter()
            call(url, session).raise_for_status()
            took[url].append(time.perf_counter() - began)
    return {url: statistics.median(times) for url, times in took.items()}


def _set_alias(url: str, session: requests.Session, alias: str = "candidate") -> requests.Response:
    body = {"name": MODEL, "alias": alias, "version": "1"}
    return session.post(f"{url}{API}/registered-models/alias", json=body, timeout=60)


def _set_stage(url: str, session: requests.Session) -> requests.Response:
    body = {"name": MODEL, "version": "1", "stage": "Staging"}
    return session.post(f"{url}{API}/model-versions/transition-stage", json=body, timeout=60)


def _read_version(url: str, session: requests.Session) -> requests.Response:
    asked = {"name": MODEL, "version": "1"}
    return session.get(f"{url}{API}/model-versions/get", params=asked, timeout=60)


KINDS: dict[str, Call] = {"write": _set_alias, "judged write": _set_stage, "read": _read_version}
