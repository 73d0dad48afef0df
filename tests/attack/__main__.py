"""`python -m tests.attack`: attacks the web process, one kind after the other and then all, and prints what real callers waited.

Needs no network; starts its own PostgreSQL, MLflow, Slack and Jira. Exit code 1 when a click took a second or more, or any call failed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bot.sandbox.mlflow_server import running_mlflow
from tests.attack.world import Callers, Web, attackers, running_web
from tests.bench.database import database
from tests.fixtures.installation import Installation, running_installation

MODEL = "bike-demand"
SLACK_WAITS = 1.0  # seconds that we allow; Slack itself allows 3
MOST_REQUESTS = 100_000
WAVES: Mapping[str, Mapping[str, int]] = {
    "nothing": {},
    "half-open": {"half-open": 1200},
    "slow headers": {"slow-headers": 1200},
    "slow bodies": {"slow-bodies": 1200},
    "slow chunks": {"slow-chunks": 1200},
    "kept alive": {"kept-alive": 1200},
    "bad requests": {"flood": 64},
    "all of them": {
        "half-open": 300,
        "slow-headers": 300,
        "slow-bodies": 300,
        "slow-chunks": 150,
        "kept-alive": 150,
        "flood": 64,
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each wave")
    parser.add_argument("--waves", nargs="*", default=list(WAVES), choices=list(WAVES))
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="countersign-attack-") as directory,
        database() as url,
        running_mlflow(Path(directory) / "mlflow") as mlflow_url,
        running_installation(url, mlflow_url, mlflow_url, MODEL, Path(directory), {}) as installation,
        running_web(installation, Path(directory) / "web.log") as web,
    ):
        installation.sweep()
        callers = Callers(installation, web, installation.asked())
        callers.everything()  # the first of each kind also loads what it needs
        good = [wave(name, callers, web, given.seconds) for name in given.waves]
        installation.settle()
        print(f"the vote moved the target: {moved(installation)}")  # noqa: T201
        print(f"size of the log: {web.log.stat().st_size / 2**20:.1f} MiB")  # noqa: T201
    return 0 if all(good) else 1


def wave(name: str, callers: Callers, web: Web, seconds: float) -> bool:
    """Calls in turn until the wave is over; prints medians and longest times, and what the attackers saw."""
    callers.times, callers.wrong = {}, []
    with attackers(web.port, seconds, MOST_REQUESTS, WAVES[name]) as counted:
        time.sleep(min(3.0, seconds / 3))  # until they have taken their places
        until = time.monotonic() + seconds - min(3.0, seconds / 3)
        while time.monotonic() < until:
            callers.everything()
        seen = counted()
    for what, times in callers.times.items():
        figures = f"median {statistics.median(times) * 1000:.0f} ms, longest {max(times) * 1000:.0f} ms"
        print(f"    {what}: {len(times)} calls, {figures}")  # noqa: T201
    print(f"    attackers: {', '.join(f'{what} {count:,}' for what, count in seen.items()) or 'none'}")  # noqa: T201
    for trouble in sorted(set(callers.wrong)):
        print(f"    failed: {trouble}")  # noqa: T201
    return not callers.wrong and max(callers.times["click"]) < SLACK_WAITS


def moved(installation: Installation) -> bool:
    return installation.champion() is not None


if __name__ == "__main__":
    sys.exit(main())
