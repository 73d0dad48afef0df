"""The bench of the digest: gathering a week of a hundred thousand entries against the bare GROUP BY queries that count them.

Processor time is this process's and that of the database's own process for the connection, so that moving work from one into the other
wins nothing. The ledger's verification is timed by itself: it reads every byte, which no counting does. Called by
`tests/bench/__main__.py`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psycopg
import rfc8785
import sqlalchemy as sa

from bot.database.connect import create_engine
from bot.domain import events as e
from bot.domain.digest.periods import Period, period_of
from bot.domain.ledger.chain import GENESIS, as_plain, body_of, head_of, leaf_of
from bot.domain.model import DecidedBy, TransitionRequest, VersionId
from bot.domain.policy.rules import DigestPlan
from bot.domain.request.evolution import evolve, initial
from bot.engine.jobs import Jobs
from bot.services import Services, SystemClock
from bot.store.ledger import unhurried
from bot.store.transaction import Store
from config.policy import read_policy
from handlers.digest.closing import frozen, gathered
from handlers.digest.files import measured
from handlers.digest.gathering import gather
from handlers.digest.ledger import fault_in
from tests.builders import CHAMPION, TICKET, a_judgement, a_vote, an_evidence, opened
from tests.fixtures.installation import policy_text

WEEK = period_of("2026-W47", "Europe/Madrid")
PLAN = DigestPlan("0 9 * * mon", "Europe/Madrid")
EMPTY_WEEK = period_of("2026-W30", "Europe/Madrid")
REQUESTS, MODELS, ROUNDS = 12_500, 500, 5  # eight entries a request
TICK = os.sysconf("SC_CLK_TCK")
RULE = "bike-* → alias:champion"
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
    """`ratio` is gathering against the bare queries; `grown` in megabytes, by closing the week with all of its files, at the peak."""

    ratio: float
    grown: float


class NoLocks:
    def read_lock(self, _version: VersionId, _stores: Iterable[str]) -> None:
        return None


def digest_cost(url: str) -> DigestCost:
    """Fills the database, which must be empty."""
    with psycopg.connect(url) as connection:
        connection.execute("alter database postgres set max_parallel_workers_per_gather = 0")  # one process to look at
    s = _services(url)
    _fill(url, s)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:  # one whose memory filling has not stretched
        grown = fresh.submit(_grown_by_closing, url).result()
    floors, ours, verified, walls = [], [], [], []
    for _ in range(ROUNDS):
        floors.append(_bare(url))
        verified.append(_on_a_snapshot(s, fault_in))
        wall = time.perf_counter()
        ours.append(_gathering(s) - verified[-1])
        walls.append(time.perf_counter() - wall)
    ratio = median(mine / floor for mine, floor in zip(ours, floors, strict=True))
    print(  # noqa: T201
        f"      digest of {8 * REQUESTS:,} entries: bare queries {median(floors):.2f} s of processor, figures {median(ours):.2f} s, "
        f"verification {median(verified):.2f} s; all in {median(walls):.2f} s; closed with its files, memory +{grown:.1f} MB"
    )
    s.store.engine.dispose()
    return DigestCost(ratio, grown)


def _grown_by_closing(url: str) -> float:
    """Over a week without an entry, which has the same report to typeset and to draw."""
    s = _services(url)
    _close(EMPTY_WEEK, s)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    _close(WEEK, s)
    return _memory("VmHWM") - before


def _close(week: Period, s: Services) -> None:
    found = gathered(week, s)
    measured(frozen(found, PLAN, s), found.digest, s)


def _memory(line: str) -> float:
    """In megabytes; VmHWM is the peak."""
    status = dict(one.split(":", 1) for one in Path("/proc/self/status").read_text().splitlines())
    return int(status[line].split()[0]) / 1024


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
    nobody = dict.fromkeys(("notifier", "tickets", "signer", "checkpoint_signer", "mailer"))
    return Services(store=store, registry=NoLocks(), clock=SystemClock(), **nobody)  # type: ignore[arg-type]


def _fill(url: str, s: Services) -> None:
    """Straight into the tables, with the chain made as it should be: a hundred thousand transactions would be another bench."""
    with s.store.transaction() as tx:
        tx.policies.add(policy_text("bike-*"), "sha256:1", "config/policy.yaml", WEEK.starts)
        rule_hash = tx.policy().rule_hash(tx.policy().rules[0])
    with psycopg.connect(url) as connection:
        for table, columns, rows in (
            ("ledger", "seq, at, kind, body, leaf, head", _entries(rule_hash)),
            (
                "requests",
                "id, state, kind, workspace, model, version, version_created, target, opened_at, expires_at, body",
                _requests(rule_hash),
            ),
            ("placements", "workspace, model, target, version, version_created, since, request_id", _placements()),
        ):
            with connection.cursor().copy(f"copy {table} ({columns}) from stdin".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _story(number: int, rule_hash: str) -> list[e.RequestEvent]:
    """One request's eight entries: of ten, one is rejected and three are the fast track's."""
    at = WEEK.starts + number * timedelta(days=6) / REQUESTS
    request_id, version = f"{number:032x}", VersionId("default", f"bike-{number % MODELS}", 1 + number // MODELS, at)
    took = timedelta(minutes=10 + number % 600)
    first = opened(request_id, at=at, version=version, requester=None, rule_hash=rule_hash)
    judged = e.FastTrackJudged(at, request_id, a_judgement(*(("too high",) if number % 2 else ())), RULE, rule_hash)
    story: list[e.RequestEvent] = [first, e.EvidenceFrozen(at, request_id, an_evidence(), None, rule_hash), judged]
    story.append(e.TicketOpened(at, request_id, TICKET))
    story.append(e.VoteCast(at + took, request_id, a_vote(at=at + took, rule_hash=rule_hash)))
    story.append(e.FastTrackCompared(at + took, request_id, RULE, number % 2 == 0, True, "agreed"))
    if number % 10 == 0:
        rejected = e.RequestRejected(at + took, request_id, "cy", "worse", rule_hash)
        return [*story, rejected, e.TicketClosed(at + took, request_id, TICKET, "Done")]
    by = DecidedBy.FAST_TRACK if number % 10 < 4 else DecidedBy.PEOPLE
    moved = e.TargetMoved(at + took, request_id, version, CHAMPION, None, moved=True)
    return [*story, e.RequestApproved(at + took, request_id, ("cy",), rule_hash, by), moved]


def _entries(rule_hash: str) -> Iterator[tuple[object, ...]]:
    seq, head = 0, GENESIS
    for number in range(REQUESTS):
        for event in _story(number, rule_hash):
            seq += 1
            body = rfc8785.dumps(body_of(event, seq)).decode()
            leaf = leaf_of(body)
            head = head_of(head, leaf)
            yield seq, event.at, type(event).__name__, body, leaf, head


def _requests(rule_hash: str) -> Iterator[tuple[object, ...]]:
    for number in range(REQUESTS):
        one = _evolved(_story(number, rule_hash))
        where = one.version.workspace, one.version.model, one.version.version, one.version.created, str(one.target)
        body = json.dumps(as_plain(one))
        yield (one.id, str(one.state), str(one.kind), *where, one.opened_at, one.expires_at, body)


def _evolved(story: list[e.RequestEvent]) -> TransitionRequest:
    first, *later = story
    assert isinstance(first, e.RequestOpened)
    request = initial(first)
    for event in later:
        request = evolve(request, event)
    return request


def _placements() -> Iterator[tuple[object, ...]]:
    """Each model's target is held by the last version that was approved for it."""
    last = {number % MODELS: number for number in range(REQUESTS) if number % 10}
    since = datetime(2026, 11, 20, tzinfo=UTC)
    for model, number in last.items():
        at = WEEK.starts + number * timedelta(days=6) / REQUESTS
        yield "default", f"bike-{model}", str(CHAMPION), 1 + number // MODELS, at, since, f"{number:032x}"
