"""A worker that can be killed at a named point: `python -m tests.soak.program [SECONDS_AHEAD [quick]]`.

It is the product's own worker, with its settings from the environment. Before and after each call of a vendor, and each commit, it looks
for a file in COUNTERSIGN_HOME that names this point, takes it away and kills itself as `kill -9` does. Its machine's clock may be ahead of
all others. A `quick` one takes another for dead after two seconds.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

import handlers
from bot.assembly import build_services, quieten_vendors, signer_of
from bot.engine.jobs import Jobs
from bot.logs import write_logs
from bot.store.transaction import Store
from config.settings import read_settings
from handlers.effects import run_worker
from tests.fixtures.mortal import Fate, with_fate
from tests.fixtures.worker_program import QUICK

ARMED = "fail-point"  # a file below COUNTERSIGN_HOME; its text is the point's name, such as `after post`


@dataclass
class AtArmedPoint(Fate):
    file: Path

    def pass_by(self, boundary: str) -> None:
        try:
            if self.file.read_text() == boundary:
                self.file.unlink()  # of two workers that are here at once, one gets no further
                os.kill(os.getpid(), signal.SIGKILL)
        except FileNotFoundError:
            return


def main(seconds_ahead: str = "0", pace: str = "") -> int:
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(seconds_ahead))):
        return run(quick=pace == "quick")


def run(*, quick: bool) -> int:
    write_logs()
    quieten_vendors()
    settings = read_settings(os.environ, frozenset())
    url = settings.database_url.get_secret_value()
    services = build_services(settings, url, signer_of(settings))
    store = services.store
    if quick:
        jobs = Jobs(url, urgency=handlers.URGENCY, timing=QUICK, now=services.clock.now)
        store = Store(store.engine, jobs, services.clock, store.follow_ups, store.parse_policy)
    return run_worker(with_fate(replace(services, store=store), AtArmedPoint(settings.home / ARMED)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
