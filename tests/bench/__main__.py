"""`make bench`: ratios against floors measured in the same run, because absolute times belong to a machine.

Each row prints its median with the least and the most, its bar, and whether it is met. Exit 1 when a bar is missed that is said to hold
(`tests/bench/bars.py`); those that are known not to be met are printed as `not met`. `--markdown` writes the figures into a page between
its markers; rows that did not run keep theirs.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from tests.bench import audit, digest, files, gate, guard, ingest, pace, promotion, records, registry, starts, workers
from tests.bench.alternatives import script
from tests.bench.bars import Figure
from tests.bench.machine import description, load, slowdown
from tests.bench.pages import Ran, write

Row = Callable[[], Iterator[Figure]]

ROWS: dict[str, Row] = {
    "a": ingest.ingest,
    "a'": ingest.ingest_while_vendors_are_slow,
    "b": promotion.asks_and_clicks,  # and c
    "counts": promotion.counts,
    "d": registry.polls,
    "sweep": registry.sweeps_beside_open_requests,
    "files": files.promotion_from_a_bucket,
    "e": digest.digest,
    "f": audit.verification,
    "g": gate.gate,
    "guard": guard.guarded_calls,
    "starts": starts.command_starts,
    "h": starts.processes,
    "i": ingest.replicas,
    "workers": workers.one_and_two,
    "j": pace.backlogs,
    "records": records.records,
    "others": script.compared,
}
FULL: dict[str, Row] = {
    "d": partial(registry.polls, 10_000),
    "sweep": partial(registry.sweeps_beside_open_requests, 500),
    "files": partial(files.promotion_from_a_bucket, 100),
    "f": partial(audit.verification, 1_000_000),
    "j": partial(pace.backlogs, 1_000, 1_000),
    "records": partial(records.records, 125_000),
}


@click.command()
@click.option("--rows", default="", help=f"Only these, such as a,b,j. There are {', '.join(ROWS)}.")
@click.option("--full", is_flag=True, help=f"The whole size of {', '.join(FULL)}: more than an hour.")
@click.option(
    "--markdown", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Write the figures into it."
)
def main(rows: str, full: bool, markdown: Path | None) -> None:
    wanted = [row.strip() for row in rows.split(",") if row.strip()] or list(ROWS)
    if unknown := sorted(set(wanted) - {*ROWS, "c"}):
        raise click.UsageError(f"there is no row {', '.join(unknown)}; there are {', '.join(ROWS)} (c comes with b)")
    for noisy in ("alembic", "werkzeug", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    click.echo(f"{description()}; load {load():.1f}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers of a row end with it
    failed: list[str] = []
    for row in dict.fromkeys("b" if row == "c" else row for row in wanted):
        failed += run(row, full, markdown)
    for line in failed:
        click.echo(f"MISSED: {line}")
    sys.exit(1 if failed else 0)


def run(row: str, full: bool, markdown: Path | None) -> list[str]:
    """What failed: a missed bar, or the row itself; the others still run."""
    command = f"python -m tests.bench --rows {row}{' --full' if full and row in FULL else ''}"
    began, before, slower = time.monotonic(), load(), slowdown()
    click.echo(f"\n{row}: {command} (load {before:.1f}, slowed {slower:.1f}x by other work)")
    figures: list[Figure] = []
    measure = partial(script.compared, markdown) if row == "others" else (FULL if full and row in FULL else ROWS)[row]
    try:
        for found in measure():
            one = replace(found, slowdown=slower)
            scale = f" ({one.scale})" if one.scale else ""
            click.echo(f"  {one.verdict:24} {one.bar.what}{scale}: {one.text}, bar {one.bar.text}")
            figures.append(one)
    except Exception as trouble:  # noqa: BLE001 - reported and counted as failed; the other rows are worth having
        click.echo(f"  BROKEN: {type(trouble).__name__}: {trouble}")
        return [f"row {row} did not come to its end: {trouble}"]
    click.echo(f"  took {time.monotonic() - began:.0f} s")
    if markdown:
        write(markdown, Ran(figures, before, slower))
    if unjudged := [one.bar.what for one in figures if not one.is_judged]:
        click.echo(f"  not judged, because the machine does other work: {len(unjudged)}; measure again when it is idle")
    return [f"{one.bar.what}: {one.text}, bar {one.bar.text}" for one in figures if one.fails]


if __name__ == "__main__":
    main()
