"""Row f: verifying the ledger, in memory and from the database, against hashing the same bytes once."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from os import getpid

import psycopg
from sqlalchemy import Engine

from bot.database.connect import create_engine
from bot.domain.ledger.chain import GENESIS, Entry, first_fault, head_of, leaf_of
from bot.errors import ChainBroken
from handlers.ledger.audit import audit
from tests.bench.bars import Figure, figure
from tests.bench.database import database
from tests.bench.machine import forget_peak, memory_of, own_cost

IN_MEMORY = 20_000
ROUNDS = 5
CHANGES = 5
SEED = 20261129


def verification(entries: int = 100_000) -> Iterator[Figure]:
    yield figure("chain", list(_chain_ratios()), f"{IN_MEMORY:,} entries")
    with database() as url:
        fill(url, entries)
        engine = create_engine(url)
        ratios = [own_cost(lambda: audit(engine))[1] / own_cost(lambda: hash_once(url))[1] for _ in range(ROUNDS)]
        engine.dispose()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            grown = fresh.submit(_grown, url).result()
        found = _found_of_changes(url, entries)
    scale = f"{entries:,} entries"
    yield figure("audit", ratios, scale)
    yield figure("audit memory", grown, scale)
    yield figure("audit found", found, f"{CHANGES} changes, seed {SEED}")


def _chain_ratios() -> Iterator[float]:
    entries = list(made_up_entries(IN_MEMORY))
    for _ in range(ROUNDS):
        _, floor = own_cost(lambda: [hashlib.sha256(entry.body.encode()).digest() for entry in entries])
        yield own_cost(lambda: first_fault(entries))[1] / floor


def _grown(url: str) -> float:
    """In a process whose memory filling has not stretched."""
    engine = create_engine(url)
    with engine.connect():
        pass
    before = memory_of(getpid())
    forget_peak()
    audit(engine)
    return memory_of(getpid(), "VmHWM") - before


def _found_of_changes(url: str, entries: int) -> float:
    """The share of single changed bytes, each at another random place, that the audit reports."""
    engine, fate, found = create_engine(url), random.Random(SEED), 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")  # as somebody who owns the server could
        for _ in range(CHANGES):
            seq = fate.randrange(1, entries + 1)
            row = connection.execute("select body from ledger where seq = %s", (seq,)).fetchone()
            assert row is not None
            body = str(row[0])
            place = fate.randrange(body.index("xxx"), body.rindex("xxx"))
            changed = f"{body[:place]}y{body[place + 1 :]}"
            connection.execute("update ledger set body = %s where seq = %s", (changed, seq))
            found += _is_found(engine)
            connection.execute("update ledger set body = %s where seq = %s", (body, seq))
    engine.dispose()
    return found / CHANGES


def _is_found(engine: Engine) -> bool:
    try:
        audit(engine)
    except ChainBroken:
        return True
    return False


def fill(url: str, count: int) -> None:
    """Straight into the table: as many transactions would be another bench."""
    columns = "copy ledger (seq, at, kind, body, leaf, head) from stdin with (format binary)"
    with psycopg.connect(url) as connection, connection.cursor().copy(columns) as rows:
        rows.set_types(["int8", "timestamptz", "text", "text", "bytea", "bytea"])
        for entry in made_up_entries(count):
            rows.write_row((entry.seq, entry.at, entry.kind, entry.body, entry.leaf, entry.head))


def hash_once(url: str) -> None:
    with psycopg.connect(url) as connection, connection.cursor("floor") as cursor:
        cursor.itersize = 1000
        for (body,) in cursor.execute("select body from ledger order by seq"):
            hashlib.sha256(body.encode()).digest()


def made_up_entries(count: int) -> Iterator[Entry]:
    """As large as real ones, and about no request, so that there is nothing to replay."""
    at, head = datetime(2026, 11, 22, tzinfo=UTC), GENESIS
    for seq in range(1, count + 1):
        body = f'{{"at":"{at.isoformat()}","event":"ModelGone","model":"{"x" * 260}","reason":"made up","seq":{seq},"workspace":"w"}}'
        leaf = leaf_of(body)
        head = head_of(head, leaf)
        yield Entry(seq, at, "ModelGone", body, leaf, head)
