"""`python -m tests.soak`: the real processes under load, one fault after the other, and a table of bars at the end.

Exit code 1 when a bar is missed. Needs no network. The same seed makes the same order of faults, though not the same instants.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.bars import Measured, behind, table, verdict
from tests.soak.troubles import TROUBLES
from tests.soak.world import Size, World, running_world

PATIENCE = 240.0  # seconds for what a fault has left behind; beyond that it counts as so late
QUIET_BETWEEN = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10.0, help="of faults; a last one may run over. Default: 10.")
    parser.add_argument("--seed", type=int, default=None, help="Default: a new one, which is printed.")
    parser.add_argument("--faults", nargs="*", default=list(TROUBLES), choices=list(TROUBLES), metavar="FAULT")
    parser.add_argument("--every", type=float, default=1.5, help="Seconds between two requests. Default: 1.5.")
    parser.add_argument("--jira", choices=("cloud", "data-center"), default="cloud")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, as Ctrl-C does
    seed = random.randrange(10**6) if given.seed is None else given.seed
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    say(f"seed {seed}: python -m tests.soak --minutes {given.minutes:g} --seed {seed}")
    home = Path(tempfile.mkdtemp(prefix="countersign-soak-"))
    size = Size(every=given.every, cloud=given.jira == "cloud")
    missed = soak(home, random.Random(seed), given.minutes * 60, given.faults, size)
    if missed:
        say(f"what the processes said is in {home / 'logs'}")
        return 1
    shutil.rmtree(home)
    return 0


def soak(home: Path, chance: random.Random, seconds: float, faults: list[str], size: Size) -> bool:
    """Whether a bar was missed."""
    measured = Measured()
    with running_world(home, chance, size) as world:
        until, number = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            for name in chance.sample(faults, len(faults)):
                if time.monotonic() >= until:
                    break
                number += 1
                time.sleep(QUIET_BETWEEN * chance.uniform(0.3, 1.7))
                begun = time.monotonic()
                what = f"{number}. {TROUBLES[name](world, chance)}"
                after(what, world, measured)
                if name == "rolling_restart":
                    measured.rolling += [status for at, _, status in world.balancer.answers if at >= begun]
        world.crowd.stop_asking()
        after("the end", world, measured)
        bars = verdict(world, measured)
        say(f"answers that were no acknowledgement: {world.book.refused or 'none'}")
        say(table(bars))
    return not all(bar.holds for bar in bars)


def after(what: str, world: World, measured: Measured) -> None:
    """Waits until all that was acknowledged before is where it must be, while new requests come in."""
    ended = time.monotonic()
    wishes = world.book.acked(ended)
    while True:
        cards, tickets = behind(world, wishes)
        now = time.monotonic() - ended
        if not cards or now > PATIENCE:
            measured.converged.setdefault(what, now)
        if (not cards and not tickets) or now > PATIENCE:
            break
        time.sleep(0.5)
    measured.tickets[what] = now
    late = f", not right: {', '.join((cards + tickets)[:4])}" if cards or tickets else ""
    say(f"{what}: cards and targets right after {measured.converged[what]:.1f} s, tickets after {now:.1f} s{late}")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
