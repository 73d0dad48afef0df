"""`make scale`: large registries and long histories, in one table of figures with bars; exit 1 when a bar is missed.

What is counted has bars of its own: calls, statements, megabytes. A time has one as a multiple of the same on a tenth of the history.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from handlers.registry.sweeps import sweep_versions
from tests.bench.database import database
from tests.builders import opened
from tests.scale.figures import MORE_MEMORY, Figure, measured
from tests.scale.house import House, house_on
from tests.scale.long_history import long_history
from tests.scale.made_registry import MadeRegistry, model_name
from tests.scale.real_registry import RealRegistry, filled_mlflow

MOST_CALLS = 25


def first_baseline(models: int, versions: int) -> Iterator[Figure]:
    """Of a registry that is computed, so that the memory is the bot's alone; then sweeps with nothing new, and with open requests."""
    registry = MadeRegistry(models, max(versions // models, 1))
    size = f"{models:,} models, {registry.size:,} versions"
    with database() as url, house_on(url, registry) as house:
        cost = measured(house.sweep)
        pages = -(-registry.size // 5000)
        yield Figure(f"first baseline of {size}: calls for versions", registry.calls["all versions"], "", pages)
        yield Figure("… memory", cost.megabytes, "MB", MORE_MEMORY)
        yield Figure("… time", cost.seconds, "s")
        house.sweep(sweep_versions)
        registry.calls.clear()
        cost = measured(lambda: (house.sweep(sweep_versions), house.sweep()))
        yield Figure("both sweeps, nothing new: calls", registry.calls.total(), "", 3 + 1 + -(-models // 1000))
        yield Figure("… time", cost.seconds, "s")
        _open_requests(house, registry, min(models, 500))
        registry.calls.clear()
        house.sweep_and_look()
        beside = 3 + -(-models // 1000)
        yield Figure("both sweeps, 500 requests open: calls", registry.calls.total() - beside, "", MOST_CALLS)


def _open_requests(house: House, registry: MadeRegistry, number: int) -> None:
    with house.s.store.transaction() as tx:
        for one in range(number):
            model = registry.find_model("default", model_name(one))
            assert model is not None
            tx.record([opened(f"{one:032x}", version=model.versions[-1].id)])
    house.forget_jobs()


def many_workspaces(places: int, models: int, versions_each: int) -> Iterator[Figure]:
    """Sweeps of versions and models in each place, after the baselines."""
    teams = [f"team-{number}" for number in range(1, places)]
    names = ["default", *(f"default/{team}" for team in teams)]
    registry = MadeRegistry(models, versions_each)
    top = f"registries: {{default: {{workspaces: [{', '.join(['default', *teams])}]}}}}"
    with database() as url, house_on(url, registry, top=top) as house:
        for name in names:
            registry.workspace = name
            house.sweep(place=name)
            house.sweep(sweep_versions, name)
        registry.calls.clear()
        size = f"{places} workspaces, {places * registry.size:,} versions"

        def each() -> None:
            for name in names:
                registry.workspace = name
                house.sweep(sweep_versions, name)
                house.sweep(place=name)

        cost = measured(each)
        assert registry.calls["models"] == places, "a place was not swept"
        yield Figure(f"both sweeps of {size}: calls a place", registry.calls.total() / places, "", 4)
        yield Figure("… memory", cost.megabytes, "MB", MORE_MEMORY)
        yield Figure("… time a place", cost.seconds / places, "s")


def real_mlflow(models: int, versions: int) -> Iterator[Figure]:
    """The client's calls and bytes at a real server on SQLite."""
    with (
        tempfile.TemporaryDirectory(prefix="countersign-scale-") as directory,
        filled_mlflow(Path(directory), models, versions) as mlflow_url,
        database() as url,
    ):
        registry = RealRegistry.at_url(mlflow_url)
        with house_on(url, registry) as house:  # type: ignore[arg-type]
            cost = measured(house.sweep)
            yield Figure(f"real MLflow, {models:,} models, {versions:,} versions: baseline, calls", registry.calls, "")
            yield Figure("… read", registry.megabytes, "MB")
            yield Figure("… memory", cost.megabytes, "MB", MORE_MEMORY)
            yield Figure("… time", cost.seconds, "s")
            house.sweep(sweep_versions)
            for what, kind, bar in (("versions", sweep_versions, 1), ("models", None, 3 + -(-models // 1000))):
                registry.forget()
                cost = measured(lambda kind=kind: house.sweep(kind) if kind else house.sweep())  # type: ignore[misc]
                yield Figure(f"… sweep of {what}, nothing new: calls", registry.calls, "", bar)
                yield Figure("… … read", registry.megabytes, "MB")
                yield Figure("… … time", cost.seconds, "s")


@click.command()
@click.option("--models", default=1_000, show_default=True)
@click.option("--versions", default=10_000, show_default=True)
@click.option("--places", default=10, show_default=True, help="Workspaces of the simulated registry.")
@click.option("--requests", default=10_000, show_default=True, help="Ended requests, each with ten ledger entries.")
@click.option("--without-mlflow", is_flag=True, help="Leave the real server out.")
def main(models: int, versions: int, places: int, requests: int, *, without_mlflow: bool) -> None:
    parts = [first_baseline(models, versions), many_workspaces(places, 100, 100), long_history(requests, 1_000)]
    if not without_mlflow:
        parts.append(real_mlflow(models, versions))
    figures, began = [], time.monotonic()
    for part in parts:
        for one in part:
            figures.append(one)
            bar = "" if one.bar is None else f"  at most {one.bar:.2f}" + ("" if one.is_met else "  MISSED")
            click.echo(f"{one.what:<76}{one.value:>10.2f} {one.unit:<3}{bar}")
    click.echo(f"took {time.monotonic() - began:.0f} s")
    sys.exit(0 if all(one.is_met for one in figures) else 1)


if __name__ == "__main__":
    main()
