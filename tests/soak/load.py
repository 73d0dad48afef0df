"""People and pipelines: they ask for promotions over HTTP and by alias, press Approve, and write down what was acknowledged."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from bot.sandbox.slack import Message, SlackSandbox
from tests.attack.world import signed_by_mlflow
from tests.fixtures.installation import API_TOKEN

UNDECIDED = 6  # every sixth request is left without a vote: nothing may move for it


@dataclass
class Wish:
    """A version of a model of its own, so that no request has to do with another. Times are of time.monotonic()."""

    model: str
    channel: str
    by: str
    to_decide: bool
    request_id: str = ""
    acked_at: float | None = None
    voted_at: float | None = None
    in_vote_since: float | None = None


@dataclass
class Book:
    """What the outside saw. `refused` are answers that were no acknowledgement, by what was asked."""

    wishes: list[Wish] = field(default_factory=list)
    deliveries: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    moved_early: list[str] = field(default_factory=list)

    def no(self, what: str, status: object) -> None:
        name = f"{what}: {status}"
        self.refused[name] = self.refused.get(name, 0) + 1

    def acked(self, before: float) -> list[Wish]:
        return [wish for wish in self.wishes if wish.acked_at is not None and wish.acked_at < before]


@dataclass
class Crowd:
    """Two threads until `leave`. `every` is the pause between two requests, in seconds, and `most` is how many there will be."""

    url: str
    registry: MlflowClient
    slack: SlackSandbox
    channels: list[str]
    book: Book
    random: random.Random
    every: float
    most: int = 1_000_000
    clock_off: float = 0.0  # of those who send webhooks
    _asked_enough: threading.Event = field(default_factory=threading.Event)
    _leaving: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def come(self) -> None:
        for deed in (self._ask_all_the_time, self._vote_all_the_time):
            thread = threading.Thread(target=deed, name=deed.__name__, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop_asking(self) -> None:
        """Those who vote stay."""
        self._asked_enough.set()
        self._threads[0].join()

    def leave(self) -> None:
        self._asked_enough.set()
        self._leaving.set()
        for thread in self._threads:
            thread.join()

    def _ask_all_the_time(self) -> None:
        number = 0
        while len(self.book.wishes) < self.most and not self._asked_enough.wait(
            self.every * self.random.uniform(0.5, 1.5)
        ):
            number += 1
            place = number % len(self.channels)
            by = "api" if number % 2 else "alias"
            wish = Wish(f"soak-{place}-{number}", self.channels[place], by, to_decide=number % UNDECIDED != 0)
            try:
                self._register(wish.model)
                self._ask(wish)
            except (
                MlflowException,
                requests.RequestException,
            ) as trouble:  # the registry is out: the pipeline gives up
                self.book.no("register", type(trouble).__name__)
            if wish.acked_at is not None:
                self.book.wishes.append(wish)

    def _register(self, model: str) -> None:
        self.registry.create_registered_model(model)
        run = self.registry.create_run("0", tags={"mlflow.user": "bea"})
        self.registry.log_metric(run.info.run_id, "mae", 31.5)
        self.registry.set_terminated(run.info.run_id)
        self.registry.create_model_version(
            model, f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0
        )

    def _ask(self, wish: Wish) -> None:
        """Asks again until it is acknowledged, or five times."""
        if wish.by == "alias":
            self.registry.set_registered_model_alias(wish.model, "candidate", "1")
        for _ in range(5):
            status, answer = self._send(wish)
            if status in (201, 202):
                wish.request_id = str(answer.get("id", ""))
                wish.acked_at = time.monotonic()
                return
            self.book.no(wish.by, status)
            if self._asked_enough.wait(1.0):
                return

    def _send(self, wish: Wish) -> tuple[int, dict[str, object]]:
        if wish.by == "api":
            body = {"name": wish.model, "version": 1, "to": "alias:champion", "requester": "cy@example.com"}
            headers = {"Authorization": f"Bearer {API_TOKEN}"}
            answer = requests.post(f"{self.url}/api/requests", json=body, headers=headers, timeout=40)
            return answer.status_code, answer.json()
        self.book.deliveries += 1
        told = {"name": wish.model, "alias": "candidate", "version": "1"}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        event = {"entity": "model_version_alias", "action": "created", "timestamp": now, "data": told}
        content = json.dumps(event).encode()
        headers = signed_by_mlflow(content, f"soak-{self.book.deliveries}", time.time() + self.clock_off)
        answer = requests.post(f"{self.url}/webhooks/mlflow", content, headers=headers, timeout=40)
        return answer.status_code, {}

    # Votes

    def _vote_all_the_time(self) -> None:
        while not self._leaving.wait(0.3):
            for wish in [wish for wish in self.book.wishes if wish.to_decide and wish.voted_at is None]:
                card = self._card(wish)
                if card is not None:
                    self._vote(wish, card)

    def _card(self, wish: Wish) -> Message | None:
        for message in self.slack.messages(wish.channel):
            if f"{wish.model} v1" in message.all_text and "approve" in message.buttons:
                return message
        return None

    def _vote(self, wish: Wish, card: Message) -> None:
        if wish.in_vote_since is None and self._champion(wish.model):
            self.book.moved_early.append(wish.model)
        wish.in_vote_since = wish.in_vote_since or time.monotonic()
        before = len(self.slack.ephemerals("ana"))
        try:
            status = self.slack.click("ana", wish.channel, card.ts, "approve")
        except LookupError:  # the card has changed meanwhile
            return
        told = [message.all_text for message in self.slack.ephemerals("ana")[before:]]
        if status == 200 and (not told or "already approved by Ana" in told[0]):
            wish.voted_at = time.monotonic()
        else:
            self.book.no("vote", told[0][:60] if told and status == 200 else status)

    def _champion(self, model: str) -> bool:
        try:
            return "champion" in self.registry.get_registered_model(model).aliases
        except MlflowException:
            return False
