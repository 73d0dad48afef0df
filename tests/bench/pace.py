"""`python -m tests.bench.pace --asks N --channels C`: many versions ask at once, and Slack takes one message a second in each channel.

Real workers on a real database, MLflow and a Slack that answers 429. What counts is how many answers of 429 there are, the share of
Slack's rate that is used from the first message to the last, and when the first card is there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import sqlalchemy as sa
import yaml
from pydantic import SecretStr

from bot.engine.rows import job_errors
from bot.sandbox.mlflow_server import running_mlflow
from tests.bench.bars import Figure, figure
from tests.bench.database import database
from tests.fixtures import quick_directory
from tests.fixtures.installation import Installation, policy_text, running_installation

MODEL = "busy"
ASIDE = "aside"  # the channel of somebody else, whose approval comes in the middle
AT_MOST = 2_400.0  # seconds
SLACKS_RATE = 1.0  # messages a second in a channel


@dataclass(frozen=True)
class Drained:
    """`rates` has the messages a second of each channel, from its first to its last message; `first` is in seconds after the asks.

    `beside`: how long somebody else's approval took in the middle of it, from the click to the moved alias, in seconds.
    """

    cards: int
    rates: tuple[float, ...]
    first: float
    refused: int
    beside: float

    @property
    def share(self) -> float:
        """Of what Slack would take in all channels together."""
        return sum(self.rates) / len(self.rates) / SLACKS_RATE


def drain(asks: int, channels: int, workers: int = 2) -> Drained:
    """Asks for `asks` versions, spread over the channels, and waits until each has its card."""
    with (
        quick_directory() as directory,
        database() as url,
        running_mlflow(directory / "mlflow") as mlflow_url,
        running_installation(url, mlflow_url, mlflow_url, MODEL, directory, {}) as installation,
    ):
        installation.slack.app.limit_posts = True
        installation.activate(policy(channels))
        for number in range(channels):
            installation.slack.workspace.add_channel(channel(number))
        installation.slack.workspace.add_channel(ASIDE)
        installation.sweep()  # the baseline
        aside = ask(installation, f"{MODEL}-{ASIDE}")
        installation.sweep()
        for number in range(asks):
            ask(installation, f"{MODEL}-{number % channels}-{number}")
        with running_workers(installation, workers, directory) as are_alive:
            began = time.time()
            with installation.s.store.transaction() as tx:
                tx.defer("sweep_versions", "", "clock:sweep_versions", once=True)
                tx.defer("sweep_models", "", "clock:sweep_models", once=True)
            return watch(installation, asks, channels, began, are_alive, aside)


def ask(installation: Installation, model: str) -> str:
    version = installation.register(model=model)
    installation.mlflow.set_registered_model_alias(model, "candidate", str(version))
    return model


def backlogs(in_one: int = 45, in_ten: int = 80) -> Iterator[Figure]:
    """Row j: Slack's own rate, so a thousand asks in one channel take 17 minutes.

    A faster clock would not do: an ask costs more processor time than there is in a tenth of a second.
    """
    one = drain(in_one, 1)
    yield figure("pace share", one.share, f"{in_one:,} asks")
    yield figure("pace refused", one.refused, f"{in_one:,} asks")
    yield figure("pace beside", one.beside, f"{in_one:,} asks")
    ten = drain(in_ten, 10)
    yield figure("pace ten", sum(ten.rates), f"{in_ten:,} asks")
    yield figure("pace ten refused", ten.refused, f"{in_ten:,} asks")


def watch(
    installation: Installation, asks: int, channels: int, began: float, are_alive: Callable[[], None], aside: str
) -> Drained:
    beside = 0.0
    while time.time() - began < AT_MOST:
        are_alive()
        crowd = [one for one in installation.requests() if one.version.model != aside]
        cards = sorted(float(one.card.message) for one in crowd if one.card)
        if len(cards) == asks:
            break
        if not beside and len(cards) >= asks // 2:
            beside = approved_beside(installation, aside)
        time.sleep(0.5)
    else:
        raise TimeoutError(f"only {len(cards)} of {asks} cards after {AT_MOST:g} s")
    posted = [times_of_messages(installation, channel(number), began) for number in range(channels)]
    rates = tuple((len(times) - 1) / (times[-1] - times[0]) for times in posted)
    return Drained(asks, rates, cards[0] - began, refusals(installation, began), beside)


def approved_beside(installation: Installation, model: str) -> float:
    """Seconds until the alias has moved."""
    (request,) = (one for one in installation.requests() if one.version.model == model)
    card = installation.reread(request).card
    assert card is not None
    began = time.time()
    installation.slack.click("ana", ASIDE, card.message, "approve")
    while "champion" not in installation.mlflow.get_registered_model(model).aliases:
        if time.time() - began > AT_MOST:
            raise TimeoutError("the approval of somebody else was not carried out")
        time.sleep(0.05)
    return time.time() - began


def times_of_messages(installation: Installation, name: str, since: float) -> list[float]:
    moments = (float(message.ts) for message in installation.slack.messages(name))
    return sorted(moment for moment in moments if moment >= since)


def refusals(installation: Installation, since: float) -> int:
    """The answers of 429 that the workers met: each is an error of a job."""
    query = sa.select(sa.func.count()).where(job_errors.c.error.contains("allows no more"))
    query = query.where(job_errors.c.at >= datetime.fromtimestamp(since, UTC))
    with installation.s.store.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def channel(number: int) -> str:
    return f"models-{number}"


def policy(channels: int) -> str:
    whole = yaml.safe_load(policy_text(f"{MODEL}*"))
    (rule,) = whole["rules"]
    places = {f"{MODEL}-{number}-*": channel(number) for number in range(channels)} | {f"{MODEL}-{ASIDE}": ASIDE}
    whole["rules"] = [{**rule, "models": models, "notify": {"slack": f"#{name}"}} for models, name in places.items()]
    return json.dumps(whole)  # which is YAML too, without the anchors that policies may not have


@contextmanager
def running_workers(installation: Installation, number: int, home: Path) -> Iterator[Callable[[], None]]:
    with workers_of(environment(installation), number, home) as are_alive:
        yield are_alive


@contextmanager
def workers_of(environ: Mapping[str, str], number: int, home: Path) -> Iterator[Callable[[], None]]:
    """Yields a check that raises with the workers' log when one of them has ended."""
    log = home / "workers.log"
    with log.open("wb") as written:
        command = [sys.executable, "-m", "bot", "worker"]
        workers = [subprocess.Popen(command, env=environ, stdout=written, stderr=written) for _ in range(number)]

        def are_alive() -> None:
            if any(worker.poll() is not None for worker in workers):
                raise RuntimeError(f"a worker has ended: {log.read_text()[-2000:]}")

        try:
            yield are_alive
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait()


def environment(installation: Installation) -> dict[str, str]:
    """The settings of this installation as its worker reads them."""
    settings = installation.settings
    chosen = {name: getattr(settings, name) for name in settings.model_fields_set - {"registries"}}
    return {**os.environ, **{str(type(settings).model_fields[name].alias): plain(chosen[name]) for name in chosen}}


def plain(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(plain(one) for one in value) if isinstance(value, tuple) else str(value)


@click.command()
@click.option("--asks", default=60, show_default=True)
@click.option("--channels", default=1, show_default=True)
@click.option("--workers", default=2, show_default=True)
def main(asks: int, channels: int, workers: int) -> None:
    drained = drain(asks, channels, workers)
    click.echo(
        f"{drained.cards} cards in {channels} channels, {workers} workers; the first after {drained.first:.1f} s"
    )
    click.echo(f"{drained.share:.2f} of Slack's rate; {drained.refused} answers of 429")
    click.echo(f"somebody else's approval in the middle: {drained.beside:.1f} s from the click to the moved alias")
    sys.exit(0 if drained.refused == 0 else 1)


if __name__ == "__main__":
    main()
