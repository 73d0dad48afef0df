"""Each way of asking as the fault script drives it: it takes deliveries, does its rounds, dies, starts again, and people decide."""

from __future__ import annotations

import io
import json
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from mlflow import MlflowClient
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.errors import Temporary
from bot.sandbox.serving import serving
from bot.sandbox.slack import Message, SlackSandbox
from bot.services import Services
from handlers.doors.clock import defer_sweeps
from handlers.effects import effects_of
from tests.bench.alternatives.button import Button
from tests.bench.alternatives.poller import Poller
from tests.bench.alternatives.relay import Relay
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import (
    CHANNEL,
    MLFLOW_SECRET,
    PEOPLE,
    SLACK_SECRET,
    Front,
    Installation,
    retries_due_soon,
    running_installation,
    services_with,
)
from tests.fixtures.mortal import Fate, Killed, Once, with_fate

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

APPROVERS = frozenset(person.id for person in PEOPLE if person.name in ("ana", "ben", "bea"))


@dataclass
class Moves:
    """Counts how often the bot itself sets `champion` of each model."""

    application: WSGIApplication
    of: Counter[str] = field(default_factory=Counter)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/registered-models/alias") and environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            asked = json.loads(body)
            self.of[asked["name"]] += asked["alias"] == "champion"
        return self.application(environ, start_response)


class Contender(ABC):
    """What the script does to it. `slack` is its own workspace, `moves` what it did in MLflow."""

    name: str
    slack: SlackSandbox
    moves: Moves

    @abstractmethod
    def deliver(self, body: bytes, headers: dict[str, str]) -> bool:
        """Whether it was answered with success; MLflow sends what was not once more."""

    @abstractmethod
    def catch_up(self) -> None:
        """Time passes: rounds of a loop, sweeps, jobs."""

    @abstractmethod
    def dies_after_the_next_post(self) -> None:
        """Its process ends when Slack has taken the next message, before it is written down."""

    @abstractmethod
    def start_again(self) -> None:
        """Another process, which remembers what was written down."""

    def decide(self, person: str, card: Message, model: str, version: int) -> None:
        """This person says yes in the way that it offers."""
        self.slack.click(person, CHANNEL, card.ts, "approve")

    def cards(self, model: str) -> list[Message]:
        """The messages that ask about this model."""
        said = (message for message in self.slack.messages(CHANNEL) if not message.is_reply)
        return [message for message in said if f"{model}/" in message.all_text + message.text]

    def talk_of(self, model: str) -> list[Message]:
        return [message for message in self.slack.messages(CHANNEL) if model in message.all_text + message.text]


class MortalClient(WebClient):
    """Raises Killed once Slack has taken the message."""

    is_doomed = False

    def chat_postMessage(self, **given: object) -> object:  # type: ignore[override]
        answer = super().chat_postMessage(**given)  # type: ignore[arg-type]
        if self.is_doomed:
            self.is_doomed = False
            raise Killed("after the post")
        return answer


class Usual(Contender):
    """One of the usual ways, in this process behind a separate server."""

    def __init__(
        self,
        name: str,
        slack: SlackSandbox,
        moves: Moves,
        url: str,
        front: Front,
        build: Callable[[MortalClient], object],
        people: MlflowClient,
    ) -> None:
        """`people` is the client with which they act in MLflow themselves."""
        self.name, self.slack, self.moves, self.people = name, slack, moves, people
        self._url, self._front, self._build = url, front, build
        self.start_again()

    def start_again(self) -> None:
        self._client = MortalClient(token=self.slack.app.bot_token, base_url=f"{self.slack.public_url}/api/")
        self._client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
        self.bot = self._build(self._client)
        self._front.application = self.bot.app()  # type: ignore[attr-defined]

    def deliver(self, body: bytes, headers: dict[str, str]) -> bool:
        if isinstance(self.bot, Poller):
            return True  # it has no webhook
        try:
            return requests.post(f"{self._url}/mlflow", body, headers=headers, timeout=60).ok
        except requests.ConnectionError:  # it died over it, and is started again
            self.start_again()
            return False

    def catch_up(self) -> None:
        if isinstance(self.bot, Poller):
            try:
                self.bot.poll()
            except Killed:
                self.start_again()
            self.bot.poll()

    def dies_after_the_next_post(self) -> None:
        self._client.is_doomed = True

    def decide(self, person: str, card: Message, model: str, version: int) -> None:
        if isinstance(self.bot, Relay):  # people do it themselves, and nothing asks who they are
            self.people.set_registered_model_alias(model, "champion", str(version))
        else:
            super().decide(person, card, model, version)


class Countersign(Contender):
    """The product on its own database; its jobs run here, and a death is one of `tests.fixtures.mortal`."""

    name = "Countersign"

    def __init__(self, installation: Installation, moves: Moves) -> None:
        self.installation, self.slack, self.moves = installation, installation.slack, moves
        self._services: Services = installation.s

    def start_again(self) -> None:
        self._become(Fate())

    def end(self) -> None:
        """The services of its last life; the first ones are the installation's."""
        if self._services is not self.installation.s:
            self._services.store.engine.dispose()

    def dies_after_the_next_post(self) -> None:
        self._become(Once("after post"))

    def deliver(self, body: bytes, headers: dict[str, str]) -> bool:
        return requests.post(f"{self.installation.url}/webhooks/mlflow", body, headers=headers, timeout=60).ok

    def catch_up(self) -> None:
        for kind in ("sweep_versions", "sweep_models"):
            with self.installation.s.store.transaction() as tx:
                defer_sweeps(kind, tx)
        self._work()
        while retries_due_soon(self.installation.s.store):
            self._work()

    def cards(self, model: str) -> list[Message]:
        """By the request's own button, since other messages name the model too."""
        return [one for one in self.talk_of(model) if not one.is_reply]

    def _work(self) -> None:
        effects = {name: self._mortal(name) for name in effects_of(self._services)}
        effects["show_plot"] = lambda _: None
        self.installation.s.store.jobs.drain(effects)

    def _mortal(self, name: str) -> Callable[[str], None]:
        def run(subject: str) -> None:
            try:
                effects_of(self._services)[name](subject)
            except Killed as death:
                self.start_again()
                raise Temporary(f"killed: {death}") from None

        return run

    def _become(self, fate: Fate) -> None:
        url = self.installation.settings.database_url.get_secret_value()
        self.end()
        fresh = services_with(self.installation.settings, url, self.installation.clock)
        self._services = with_fate(fresh, fate)


@contextmanager
def contenders(
    names: Iterable[str], mlflow_url: str, database_url: str, prefix: str, home: Path
) -> Iterator[list[Contender]]:
    with ExitStack() as stack:
        yield [stack.enter_context(_contender(name, mlflow_url, database_url, prefix, home)) for name in names]


@contextmanager
def _contender(name: str, mlflow_url: str, database_url: str, prefix: str, home: Path) -> Iterator[Contender]:
    own = f"{prefix}-{name.split()[-1].lower()}"
    with fault_proxy(mlflow_url) as (proxy_url, faults):
        moves = faults.application = Moves(faults.application)
        if name == Countersign.name:
            with running_installation(database_url, mlflow_url, proxy_url, own, home, {}) as installation:
                installation.sweep()  # the baseline
                contender = Countersign(installation, moves)
                yield contender
                contender.end()
            return
        slack, front = SlackSandbox(signing_secret=SLACK_SECRET, people=PEOPLE), Front()
        slack.app.answer_within = slack.backend.triggers.lives = 60.0
        with serving(slack) as slack_url, serving(front) as url:
            slack.public_url, slack.interactivity_url = slack_url, f"{url}/slack"
            logging.getLogger(name.split()[-1]).setLevel(logging.CRITICAL)  # its errors are what the script makes
            registry = MlflowClient(proxy_url, registry_uri=proxy_url)

            def build(client: MortalClient) -> object:
                if name == "naive poller":
                    state = home / f"{own}.json"
                    return Poller(registry, client, SLACK_SECRET, CHANNEL, APPROVERS, own, state)
                if name == "webhook relay":
                    return Relay(registry, client, MLFLOW_SECRET, CHANNEL)
                return Button(registry, client, MLFLOW_SECRET, SLACK_SECRET, CHANNEL, APPROVERS)

            yield Usual(name, slack, moves, url, front, build, MlflowClient(mlflow_url, registry_uri=mlflow_url))


NAMES = ("naive poller", "webhook relay", "state in the button", Countersign.name)
