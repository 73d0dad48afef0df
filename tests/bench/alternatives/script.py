"""`python -m tests.bench.alternatives.script`: the same faults for the usual ways and for Countersign, and what each of them did.

Each scene has a separate model. MLflow sends a webhook that was not answered with success up to three times more, as the real one
does; then time passes, in which a loop does its rounds and Countersign its sweeps and jobs.

- lost: no message asks about a version, or its approval moved nothing
- doubled: a version is asked about twice, or one approval moved the alias twice
- let through: `champion` is on a version that no approver has approved as it is, and no message says so
"""

from __future__ import annotations

import random
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
from mlflow import MlflowClient

from bot.sandbox.mlflow_server import running_mlflow
from bot.sandbox.slack import Message
from tests.attack.world import signed_by_mlflow
from tests.bench.alternatives.contenders import NAMES, Contender, contenders
from tests.bench.bars import Figure, figure
from tests.bench.database import database
from tests.bench.pages import write_between
from tests.fixtures import quick_directory

SENT_AGAIN = 3
GOOD, WORSE = 31.5, 99.0
SEED = 20261129


@dataclass
class Scene:
    """A version that asks, and what people see of it."""

    bot: Contender
    mlflow: MlflowClient
    model: str
    version: int = 0
    run: str = ""

    def register(self, user: str = "bea") -> None:
        if not self.version:
            self.mlflow.create_registered_model(self.model)
        self.run = self.mlflow.create_run("0", tags={"mlflow.user": user}).info.run_id
        self.mlflow.log_metric(self.run, "mae", GOOD)
        self.mlflow.set_terminated(self.run)
        made = self.mlflow.create_model_version(self.model, f"s3://models/{self.model}", self.run, await_creation_for=0)
        self.version = int(made.version)

    def ask(self, *, times: int = 1) -> None:
        self.mlflow.set_registered_model_alias(self.model, "candidate", str(self.version))
        self.news("candidate", times)
        self.bot.catch_up()

    def news(self, alias: str, times: int = 1) -> None:
        """The webhook of an alias, delivered `times` times although it was answered."""
        body = (
            f'{{"entity":"model_version_alias","action":"created",'
            f'"data":{{"name":"{self.model}","alias":"{alias}","version":"{self.version}"}}}}'
        ).encode()
        delivery = uuid.uuid4().hex
        for _ in range(times):
            for _ in range(1 + SENT_AGAIN):
                if self.bot.deliver(body, {**signed_by_mlflow(body, delivery), "Content-Type": "application/json"}):
                    break

    def card(self) -> Message | None:
        return next(iter(self.bot.cards(self.model)), None)

    def decide(self, *people: str) -> None:
        card = self.card()
        if card is None:
            return
        with ThreadPoolExecutor(len(people)) as hands:
            list(hands.map(lambda person: self.bot.decide(person, card, self.model, self.version), people))
        self.bot.catch_up()

    @property
    def champion(self) -> int | None:
        held = self.mlflow.get_registered_model(self.model).aliases.get("champion")
        return int(held) if held else None

    def asked(self) -> Iterator[str]:
        cards = len(self.bot.cards(self.model))
        if cards != 1:
            yield "doubled" if cards else "lost"

    def moved(self) -> Iterator[str]:
        if self.champion != self.version:
            yield "lost"
        if self.bot.moves.of[self.model] > 1:
            yield "doubled"

    def not_moved(self) -> Iterator[str]:
        if self.champion == self.version:
            yield "let through"


def a_delivery_comes_twice(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.ask(times=2)
    yield from scene.asked()


def it_dies_between_the_post_and_what_it_writes_down(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.bot.dies_after_the_next_post()
    scene.ask()
    yield from scene.asked()


def slack_takes_no_more_for_a_second(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.bot.slack.faults.add("status", path="chat.postMessage", status=429, seconds=1)
    scene.ask()
    yield from scene.asked()


def slacks_answer_is_lost(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.bot.slack.faults.add("cut", path="chat.postMessage")
    scene.ask()
    yield from scene.asked()


def it_starts_again_before_the_click(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.ask()
    scene.bot.start_again()
    scene.decide("ana")
    yield from scene.asked()
    yield from scene.moved()


def it_is_down_while_somebody_asks(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.mlflow.set_registered_model_alias(scene.model, "candidate", str(scene.version))
    scene.bot.start_again()  # MLflow has given up sending
    scene.bot.catch_up()
    yield from scene.asked()


def two_approve_at_once(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.ask()
    scene.decide("ana", "ben")
    yield from scene.moved()


def a_stranger_approves(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.ask()
    scene.decide("cy")
    yield from scene.not_moved()


def the_one_who_trained_it_approves(scene: Scene) -> Iterator[str]:
    scene.register(user="ana")
    scene.ask()
    scene.decide("ana")
    yield from scene.not_moved()


def a_metric_changes_after_the_card(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.ask()
    scene.mlflow.log_metric(scene.run, "mae", WORSE)
    scene.decide("ana")
    yield from scene.not_moved()


def somebody_moves_the_alias_by_hand(scene: Scene) -> Iterator[str]:
    scene.register()
    scene.ask()
    scene.decide("ana")
    scene.register()
    scene.bot.catch_up()
    before = len(scene.bot.talk_of(scene.model))
    scene.mlflow.set_registered_model_alias(scene.model, "champion", str(scene.version))
    scene.news("champion")
    scene.bot.catch_up()
    if scene.champion == scene.version and len(scene.bot.talk_of(scene.model)) == before:
        yield "let through"


SCENES: tuple[Callable[[Scene], Iterator[str]], ...] = (
    a_delivery_comes_twice,
    it_dies_between_the_post_and_what_it_writes_down,
    slack_takes_no_more_for_a_second,
    slacks_answer_is_lost,
    it_starts_again_before_the_click,
    it_is_down_while_somebody_asks,
    two_approve_at_once,
    a_stranger_approves,
    the_one_who_trained_it_approves,
    a_metric_changes_after_the_card,
    somebody_moves_the_alias_by_hand,
)
WHAT = ("lost", "doubled", "let through")


@dataclass(frozen=True)
class Outcome:
    """How often it was `what` for each contender and scene."""

    counts: Counter[tuple[str, str, str]]
    rounds: int

    def total(self, name: str, what: str) -> int:
        return sum(count for (who, _, happened), count in self.counts.items() if (who, happened) == (name, what))

    def of(self, name: str, scene: str) -> str:
        found = [
            f"{count} {what}" for (who, where, what), count in self.counts.items() if (who, where) == (name, scene)
        ]
        return ", ".join(found) or "-"


def play(
    bots: Sequence[Contender],
    mlflow: MlflowClient,
    prefix: str,
    seed: int = SEED,
    rounds: int = 1,
    scenes: Iterable[Callable[[Scene], Iterator[str]]] = SCENES,
) -> Outcome:
    """The order of the scenes comes from the seed, and is the same for all."""
    counts: Counter[tuple[str, str, str]] = Counter()
    order = [scene for _ in range(rounds) for scene in scenes]
    random.Random(seed).shuffle(order)
    for bot in bots:
        own = f"{prefix}-{bot.name.split()[-1].lower()}"
        for number, scene in enumerate(order):
            happened = list(scene(Scene(bot, mlflow, f"{own}-{number:03d}")))
            bot.slack.faults.clear()
            counts.update((bot.name, scene.__name__, what) for what in happened)
    return Outcome(counts, rounds)


def outcome(seed: int = SEED, rounds: int = 1, names: Sequence[str] = NAMES) -> Outcome:
    with (
        quick_directory() as home,
        database(home) as url,
        running_mlflow(home / "mlflow") as mlflow_url,
        contenders(names, mlflow_url, url, "bike", home) as bots,
    ):
        return play(bots, MlflowClient(mlflow_url, registry_uri=mlflow_url), "bike", seed, rounds)


def table(found: Outcome) -> list[str]:
    """In Markdown: a line for each scene, and the totals."""

    def line(first: str, cells: Iterable[object]) -> str:
        return f"| {first} | {' | '.join(map(str, cells))} |"

    scenes = [scene.__name__ for scene in SCENES]
    return [
        line(f"in {found.rounds} of each", NAMES),
        f"|---|{'---|' * len(NAMES)}",
        *(line(scene.replace("_", " "), (found.of(name, scene) for name in NAMES)) for scene in scenes),
        *(line(f"**{what}**", (found.total(name, what) for name in NAMES)) for what in WHAT),
    ]


@click.command()
@click.option("--seed", default=SEED, show_default=True)
@click.option("--rounds", default=1, show_default=True, help="So many of each scene.")
@click.option(
    "--markdown", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Write the table into it."
)
def main(seed: int, rounds: int, markdown: Path | None) -> None:
    found = outcome(seed, rounds)
    click.echo("\n".join(table(found)))
    if markdown:
        write_between(markdown, "alternatives", table(found))
    sys.exit(1 if any(found.total(NAMES[-1], what) for what in WHAT) else 0)


def compared(page: Path | None = None) -> Iterator[Figure]:
    """Row others: Countersign's own counts; the table is printed beside them, and written into the page."""
    found = outcome()
    click.echo("\n".join(table(found)))
    if page:
        write_between(page, "alternatives", table(found))
    for what in WHAT:
        yield figure(what, found.total(NAMES[-1], what), f"{len(SCENES)} scenes, seed {SEED}")


if __name__ == "__main__":
    main()
