"""A worker that can be killed at a named point: `python -m tests.soak.program [SECONDS_AHEAD [quick]]`.

It is the product's own worker, with its settings from the environment. Before and after each call of a vendor, and each commit, it looks
for a file in COUNTERSIGN_HOME that names this point, takes it away and kills itself as `kill -9` does. Its clock may be ahead of all
others. A `quick` one takes another for dead after two seconds.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

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


@dataclass(frozen=True)
class ClockAhead:
    by: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


def main(seconds_ahead: str = "0", pace: str = "") -> int:
    write_logs()
    quieten_vendors()
    settings = read_settings(os.environ, frozenset())
    url = settings.database_url.get_secret_value()
    built, clock = (
        build_services(settings, url, signer_of(settings)),
        ClockAhead(timedelta(seconds=float(seconds_ahead))),
    )
    jobs = Jobs(url, urgency=handlers.URGENCY, timing=QUICK) if pace == "quick" else built.store.jobs
    store = Store(built.store.engine, jobs, clock, built.store.follow_ups, built.store.parse_policy)
    mortal = with_fate(replace(built, store=store, clock=clock), AtArmedPoint(settings.home / ARMED))
    return run_worker(mortal)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
