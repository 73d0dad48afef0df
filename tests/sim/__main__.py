"""`python -m tests.sim --seeds 2000 --from 0`, or `--seed 123 --trace` for the story of one."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bot.database import embedded
from bot.database.connect import migrate
from tests.sim.runner import Outcome, run
from tests.sim.world import Database

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off", "jit": "off"}


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server goes away with us
    seeds = [asked.seed] if asked.seed is not None else range(asked.start, asked.start + asked.seeds)
    begun, failed, laws, seconds = time.monotonic(), 0, Counter[str](), 0.0
    with a_database() as database:
        for seed in seeds:
            outcome = run(seed, database, traces=asked.trace)
            seconds += outcome.seconds
            _print(outcome, trace=asked.trace)
            failed += bool(outcome.violations)
            laws.update({violation.partition(":")[0] for violation in outcome.violations})
    for law, count in laws.most_common():
        _say(f"{count:6} seeds: {law}")
    took = time.monotonic() - begun
    _say(f"{len(seeds)} seeds, {failed} failed, {seconds / len(seeds):.2f} s of our CPU a seed, {took:.0f} s in all")
    return 1 if failed else 0


@contextmanager
def a_database() -> Iterator[Database]:
    """Its own PostgreSQL, in a temporary directory."""
    home = Path(tempfile.mkdtemp(prefix="countersign-sim-"))
    server = embedded.start(home, QUICK)
    try:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("create database sim")
        url = server.replace("/postgres?", "/sim?")
        migrate(url)
        database = Database(url)
        yield database
        database.close()
    finally:
        embedded.stop(home)
        shutil.rmtree(home)


def _print(outcome: Outcome, *, trace: bool) -> None:
    if trace:
        _say("\n".join(outcome.story))
        _say(f"the ledger has {outcome.entries} entries, and its head is {outcome.head}")
    for violation in outcome.violations:
        _say(f"seed {outcome.seed}: {violation}")
    if outcome.violations and not trace:
        _say(f"    replay: python -m tests.sim --seed {outcome.seed} --trace")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="how many seeds to run")
    parser.add_argument("--from", type=int, default=0, dest="start", help="the first of them")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="tell the story of each run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
