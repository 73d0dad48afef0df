"""Row e: gathering a week of a hundred thousand entries against the bare GROUP BY queries that count them.

Processor time is this process's and that of the database's own process for the connection, so that moving work from one into the other
wins nothing. The ledger's verification is timed by itself: it reads every byte, which no counting does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psycopg
import sqlalchemy as sa

from bot.database.connect import create_engine
from bot.domain.digest.periods import Period, period_of
from bot.domain.model import VersionId
from bot.domain.policy.rules import DigestPlan
from bot.engine.jobs import Jobs
from bot.services import Services
from bot.store.ledger import unhurried
from bot.store.transaction import Store
from config.policy import read_policy
from handlers.digest.closing import frozen, gathered
from handlers.digest.files import measured
from handlers.digest.gathering import gather
from handlers.digest.ledger import fault_in
from tests.bench.bars import Figure, figure
from tests.bench.database import database
from tests.bench.machine import forget_peak, memory_of
from tests.bench.made_up_week import WEEK, fill, put_policy
from tests.fixtures.clock import SystemClock

PLAN = DigestPlan("0 9 * * mon", "Europe/Madrid")
EMPTY_WEEK = period_of("2026-W30", "Europe/Madrid")
REQUESTS, ROUNDS = 12_500, 5  # eight entries a request
TICK = os.sysconf("SC_CLK_TCK")
IN_THE_WEEK = "l.at >= %(starts)s and l.at < %(ends)s"
BARE = (
    f"select kind, count(*), min(seq), max(seq) from ledger l where {IN_THE_WEEK} group by kind",
    f"""
    select l.body::json->>'rule_hash', count(*),
        percentile_cont(array[0.5, 0.95]) within group (order by l.at - r.opened_at)
    from ledger l join requests r on r.id = l.body::json->>'request_id'
    where {IN_THE_WEEK} and (l.kind = 'RequestApproved' and l.body::json->>'by' = 'people' or l.kind = 'RequestRejected')
    group by grouping sets ((), (1))
    """,
    f"""
    select l.body::json->>'rule', l.body::json->>'outcome', count(*) from ledger l
    where {IN_THE_WEEK} and kind = 'FastTrackCompared' group by 1, 2
    """,
    f"""
    select l.body::json->>'rule', l.body::json->'judgement'->>'held_back', count(*) from ledger l
    where {IN_THE_WEEK} and kind = 'FastTrackJudged' group by 1, 2
    """,
    "select state, count(*) from requests where opened_at < %(ends)s group by state",
    "select model, target, count(*) from placements group by 1, 2",
)


@dataclass(frozen=True)
class DigestCost:
    """`ratios` are of gathering against the bare queries, `walls` the seconds of gathering with the ledger's verification.

    `grown` is in megabytes, by closing the week with all of its files, at the peak.
    """

    ratios: tuple[float, ...]
    walls: tuple[float, ...]
    grown: float


class NoLocks:
    def read_lock(self, _version: VersionId, _stores: Iterable[str]) -> None:
        return None


def digest() -> Iterator[Figure]:
    with database() as url:
        cost = digest_cost(url)
    yield figure("digest cpu", cost.ratios)
    yield figure("digest time", cost.walls)
    yield figure("digest memory", cost.grown)


def digest_cost(url: str) -> DigestCost:
    """Fills the database, which must be empty."""
    with psycopg.connect(url) as connection:
        connection.execute("alter database postgres set max_parallel_workers_per_gather = 0")  # one process to look at
    s = _services(url)
    fill(url, put_policy(s.store), REQUESTS)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:  # one whose memory filling has not stretched
        grown = fresh.submit(_grown_by_closing, url).result()
    floors, ours, verified, walls = [], [], [], []
    for _ in range(ROUNDS):
        floors.append(_bare(url))
        verified.append(_on_a_snapshot(s, fault_in))
        wall = time.perf_counter()
        ours.append(_gathering(s) - verified[-1])
        walls.append(time.perf_counter() - wall)
    s.store.engine.dispose()
    return DigestCost(tuple(mine / floor for mine, floor in zip(ours, floors, strict=True)), tuple(walls), grown)


def _grown_by_closing(url: str) -> float:
    """Over a week without an entry, which has the same report to typeset and to draw."""
    s = _services(url)
    _close(EMPTY_WEEK, s)
    before = memory_of(os.getpid())
    forget_peak()
    _close(WEEK, s)
    return memory_of(os.getpid(), "VmHWM") - before


def _close(week: Period, s: Services) -> None:
    found = gathered(week, s)
    measured(frozen(found, PLAN, s), found.digest, s)


def _gathering(s: Services) -> float:
    return _on_a_snapshot(s, lambda connection: gather(WEEK, s, connection))


def _on_a_snapshot(s: Services, act: Callable[[sa.Connection], object]) -> float:
    with unhurried(s.store.engine) as connection:
        backend = int(connection.execute(sa.text("select pg_backend_pid()")).scalar_one())
        return _processor_time(backend, lambda: act(connection))


def _bare(url: str) -> float:
    with psycopg.connect(url) as connection:
        return _processor_time(connection.info.backend_pid, lambda: _run(connection))


def _run(connection: psycopg.Connection) -> None:
    for query in BARE:
        connection.execute(query.encode(), {"starts": WEEK.starts, "ends": WEEK.ends}).fetchall()


def _processor_time(backend: int, act: Callable[[], object]) -> float:
    here, there = time.process_time(), _spent_by(backend)
    act()
    return time.process_time() - here + _spent_by(backend) - there


def _spent_by(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _services(url: str) -> Services:
    store = Store(create_engine(url), Jobs(url), SystemClock(), {}, read_policy)
    nobody = dict.fromkeys(("notifier", "tickets", "signer", "checkpoint_signer", "mailer", "home"))
    return Services(store=store, registry=NoLocks(), clock=SystemClock(), **nobody)  # type: ignore[arg-type]
