"""Rows b, c and counts: one promotion after the other, from the webhook to the card and from the click to the moved alias.

The web process and a worker are the real ones, MLflow is real behind a proxy, Slack and Jira are the sandbox. Each vendor notes when a
call came and how long its answer took; the bot's own share is the time in which no vendor is at work. Calls at the same time count once.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from bot.domain.model import State, TransitionRequest
from bot.sandbox.mlflow_server import running_mlflow
from tests.attack.world import Web, running_web, signed_by_mlflow
from tests.bench import calls
from tests.bench.bars import Figure, figure
from tests.bench.database import database
from tests.bench.pace import running_workers
from tests.fixtures import quick_directory
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import PATIENCE, Installation, running_installation

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

MODEL = "bike-demand"
INSTANT, SLOW = 10, 6  # promotions measured of each kind, after one that warms up
VENDOR_TAKES = 0.1  # seconds, where each call is slow
BETWEEN = 1.3  # seconds; Slack's one message a second in a channel is row j's business
ALIAS = "/api/2.0/mlflow/registered-models/alias"


@dataclass(frozen=True)
class Call:
    path: str
    method: str
    began: float
    ended: float

    @property
    def took(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Vendors:
    """Of some calls, in seconds: the `sum` of them all, and how long at least one of them was `at_work`."""

    sum: float
    at_work: float

    @classmethod
    def of(cls, some: Iterable[Call]) -> Vendors:
        calls = sorted(some, key=lambda call: call.began)
        at_work, until = 0.0, 0.0
        for call in calls:
            at_work += max(0.0, call.ended - max(call.began, until))
            until = max(until, call.ended)
        return cls(sum(call.took for call in calls), at_work)


@dataclass
class Watched:
    """A vendor whose answers may take longer; it notes each call."""

    application: WSGIApplication
    calls: list[Call]
    takes: dict[str, float] = field(default_factory=lambda: {"seconds": 0.0})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.time()
        if self.takes["seconds"]:
            time.sleep(self.takes["seconds"])
        answer = self.application(environ, start_response)
        self.calls.append(Call(environ["PATH_INFO"], environ["REQUEST_METHOD"], began, time.time()))
        return answer


@dataclass
class Street:
    """The processes, and what the vendors noted."""

    installation: Installation
    web: Web
    calls: list[Call]
    takes: dict[str, float]

    def ask(self) -> tuple[TransitionRequest, float, Vendors]:
        """The request, the seconds from its webhook to its card, and what its vendors took of them."""
        version = self.installation.register()
        self.installation.ask(version)
        self.quiet()
        self.calls.clear()
        began = time.time()
        body = b'{"entity":"model_version_alias","action":"created","data":{"name":"%s"}}' % MODEL.encode()
        headers = signed_by_mlflow(body, uuid.uuid4().hex)
        requests.post(f"{self.web.url}/webhooks/mlflow", body, headers=headers, timeout=PATIENCE).raise_for_status()
        card = self._wait_for(lambda call: call.path.endswith("chat.postMessage"))
        vendors = Vendors.of(call for call in self.calls if call.ended <= card.ended)
        request = self.installation.request(version)
        self._until(
            lambda: self.installation.reread(request).state is State.PENDING and self.installation.reread(request).card
        )
        self.quiet()
        return request, card.ended - began, vendors

    def click(self, request: TransitionRequest) -> tuple[float, float, Vendors]:
        """The seconds until the answer in which no vendor is at work, those until the alias is set, and what the vendors took of these."""
        self.calls.clear()
        began = time.time()
        self.installation.click("ana", request, "approve")
        answered = time.time()
        alias = self._wait_for(lambda call: call.path == ALIAS and call.method == "POST")
        vendors = Vendors.of(call for call in self.calls if call.ended <= alias.ended)
        asked = Vendors.of(call for call in self.calls if call.ended <= answered)
        self.quiet()
        return answered - began - asked.at_work, alias.ended - began, vendors

    def quiet(self) -> None:
        self._until(lambda: not self.installation.unfinished())
        time.sleep(BETWEEN)

    def _wait_for(self, is_it: Callable[[Call], bool]) -> Call:
        self._until(lambda: any(is_it(call) for call in list(self.calls)))
        return next(call for call in self.calls if is_it(call))

    def _until(self, is_so: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not there after {PATIENCE:g} s: {self.installation.unfinished()}")
            time.sleep(0.005)


def asks_and_clicks() -> Iterator[Figure]:
    own: list[float] = []
    whole: list[float] = []
    acks: list[float] = []
    asked: list[float] = []
    clicked: list[float] = []
    with street() as here:
        for number in range(-1, INSTANT):
            request, took, vendors = here.ask()
            ack, _, _ = here.click(request)
            if number >= 0:
                own.append((took - vendors.at_work) * 1000)
                whole.append(took * 1000)
                acks.append(ack * 1000)
        here.takes["seconds"] = VENDOR_TAKES
        for _ in range(SLOW):
            request, took, vendors = here.ask()
            asked.append(took / vendors.sum)
            ack, took, vendors = here.click(request)
            acks.append(ack * 1000)
            clicked.append(took / vendors.sum)
    scale = f"{INSTANT} promotions"
    yield figure("card own p50", own)
    yield figure("card own p99", max(own), f"the longest of {scale}")
    yield figure("card p50", whole)
    yield figure("card p95", statistics.quantiles(whole, n=20, method="inclusive")[-1], scale)
    yield figure("card total", asked)
    yield figure("click ack", max(acks), f"the longest of {INSTANT + SLOW} clicks")
    yield figure("click total", clicked)


@contextmanager
def street() -> Iterator[Street]:
    noted: list[Call] = []
    takes = {"seconds": 0.0}
    with (
        quick_directory() as home,
        database(home) as url,
        running_mlflow(home / "mlflow") as mlflow_url,
        fault_proxy(mlflow_url) as (proxy_url, faults),
        running_installation(url, mlflow_url, proxy_url, MODEL, home, {}) as installation,
    ):
        installation.sweep()  # the baseline
        for vendor in (faults, installation.slack.faults, installation.jira.faults):
            vendor.application = Watched(vendor.application, noted, takes)
        with running_web(installation, home / "web.log") as web, running_workers(installation, 1, home):
            yield Street(installation, web, noted, takes)


def counts() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="countersign-calls-") as directory:
        asked, clicked = calls.measure(Path(directory))
    vendors = clicked.mlflow.total() + clicked.slack.total() + clicked.jira.total()
    yield figure("ask mlflow", asked.mlflow.total())
    yield figure("ask transactions", asked.transactions.total())
    yield figure("ask jobs", asked.effects.total())
    yield figure("click calls", vendors)
    yield figure("click transactions", clicked.transactions.total())
    yield figure("click jobs", clicked.effects.total())
