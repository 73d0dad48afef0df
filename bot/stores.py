"""Opens the store for the processes and the commands: with the policy's parser, the effects that events lead to, and the jobs.

The clock needs no more, and so loads no vendor's client. The other services are in `bot.assembly`. Nothing connects before its first use.
"""

from __future__ import annotations

from dataclasses import dataclass

import handlers
from bot.database import embedded
from bot.database.clock import DatabaseClock
from bot.database.connect import create_engine
from bot.engine.jobs import Jobs
from bot.engine.sweeper import Timing
from bot.store.transaction import Store
from config.policy import read_policy
from config.settings import Settings


@dataclass(frozen=True)
class StoreServices:
    """What a process has that only defers jobs."""

    store: Store
    clock: DatabaseClock


def database_url(settings: Settings) -> str:
    """DATABASE_URL, or the embedded database that `countersign serve` runs. Raises embedded.NoDatabase."""
    return settings.database_url.get_secret_value() or embedded.attach(settings.home)


def store_services(settings: Settings, url: str) -> StoreServices:
    engine = create_engine(url)
    clock = DatabaseClock(engine)
    jobs = Jobs(url, timing=Timing(keep_done=settings.keep_jobs), now=clock.now, urgency=handlers.URGENCY)
    return StoreServices(Store(engine, jobs, clock, handlers.ON, read_policy), clock)
