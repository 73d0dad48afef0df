"""`make bench`: ratios against floors measured in the same run, because absolute times belong to a machine. Exit 1 when a bar is missed.

Each floor is the least that the same job could cost on the same store; floor and product take turns, and the median of the paired
ratios counts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import sqlalchemy as sa
from flask import Flask, request

from bot.app import flask_app
from bot.assembly import build_services
from bot.database.connect import create_engine
from bot.domain.ledger.chain import GENESIS, Entry, first_fault, head_of, leaf_of
from config.settings import Settings
from handlers.ledger.audit import audit
from tests.bench.database import database
from tests.bench.digest import digest_cost
from tests.bench.gate import gate_ratio

ROUNDS = 9
REQUESTS_A_ROUND = 60
ENTRIES = 20_000
MANY_ENTRIES = 1_000_000
SECRET = "a-secret-for-the-bench"
BODY = b'{"entity":"model_version_alias","action":"created","data":{"name":"bike-demand","alias":"candidate","version":"3"}}'


@dataclass(frozen=True)
class Bar:
    what: str
    ratio: float
    at_most: float

    @property
    def is_met(self) -> bool:
        return self.ratio <= self.at_most

    def __str__(self) -> str:
        verdict = "ok  " if self.is_met else "MISS"
        return f"{verdict}  {self.what}: {self.ratio:.2f}x its floor, at most {self.at_most:g}x"


def main() -> int:
    gate = Bar("gate check, processor time", gate_ratio(), 2.0)
    bars = [*webhook_bars(), ledger_bar(), audit_bar(), gate, *digest_bars()]
    for bar in bars:
        print(bar)  # noqa: T201
    return 0 if all(bar.is_met for bar in bars) else 1


def webhook_bars() -> Iterator[Bar]:
    """A webhook recorded (delivery and job in one commit) against one verified body and one insert in the same database."""
    with database() as url:
        product, floor = product_client(url), floor_client(url)
        product(), floor()
        walls, processors = [], []
        for _ in range(ROUNDS):
            (floor_wall, floor_cpu), (wall, cpu) = timed(floor, REQUESTS_A_ROUND), timed(product, REQUESTS_A_ROUND)
            walls.append(wall / floor_wall)
            processors.append(cpu / floor_cpu)
    yield Bar("webhook ingest, wall time", statistics.median(walls), 3.0)
    yield Bar("webhook ingest, processor time", statistics.median(processors), 3.5)


def ledger_bar() -> Bar:
    """Verifying the chain and the columns against hashing the same bytes once."""
    entries = list(made_up_entries(ENTRIES))
    ratios = []
    for _ in range(5):
        floor, _ = timed(lambda: [hashlib.sha256(entry.body.encode()).digest() for entry in entries], 1)
        ours, _ = timed(lambda: first_fault(entries), 1)
        ratios.append(ours / floor)
    return Bar(f"ledger, {ENTRIES:,} entries verified with their columns", statistics.median(ratios), 15.0)


def digest_bars() -> Iterator[Bar]:
    with database() as url:
        cost = digest_cost(url)
    yield Bar("digest of 100,000 entries, processor time, the database's too", cost.ratio, 2.0)
    yield Bar("digest of 100,000 entries closed with its files, memory grown, in 20 MB", cost.grown / 20, 1.0)


def audit_bar() -> Bar:
    """`audit verify` over a million stored entries against reading the same rows from the same database and hashing their bodies once."""
    with database() as url:
        fill(url)
        engine = create_engine(url)
        floors, ours = [], []
        for _ in range(2):
            floors.append(timed(lambda: hash_once(url), 1)[0])
            ours.append(timed(lambda: audit(engine), 1)[0])
        engine.dispose()
    print(f"      audit verify: {min(ours):.1f} s, a bare sha256 pass: {min(floors):.1f} s")  # noqa: T201
    return Bar(f"audit verify, {MANY_ENTRIES:,} entries, from the database", min(ours) / min(floors), 15.0)


def fill(url: str) -> None:
    """Straight into the table: a million transactions would be another bench."""
    columns = "copy ledger (seq, at, kind, body, leaf, head) from stdin with (format binary)"
    with psycopg.connect(url) as connection, connection.cursor().copy(columns) as rows:
        rows.set_types(["int8", "timestamptz", "text", "text", "bytea", "bytea"])
        for entry in made_up_entries(MANY_ENTRIES):
            rows.write_row((entry.seq, entry.at, entry.kind, entry.body, entry.leaf, entry.head))


def hash_once(url: str) -> None:
    with psycopg.connect(url) as connection, connection.cursor("floor") as cursor:
        cursor.itersize = 1000
        for (body,) in cursor.execute("select body from ledger order by seq"):
            hashlib.sha256(body.encode()).digest()


def timed(act: Callable[[], object], times: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        act()
    return time.perf_counter() - wall, time.process_time() - cpu


def product_client(url: str) -> Callable[[], None]:
    settings = Settings.model_validate(
        {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1", "MLFLOW_WEBHOOK_SECRET": SECRET, "DATABASE_URL": url}
    )
    client = flask_app(build_services(settings, url), settings, url).test_client()

    def send() -> None:
        answer = client.post("/webhooks/mlflow", data=BODY, headers=signed())
        if answer.status_code != 202:
            raise RuntimeError(f"the product answered {answer.status_code}: {answer.text}")

    return send


def floor_client(url: str) -> Callable[[], None]:
    with psycopg.connect(url) as connection:
        connection.execute("create table floor (id text primary key, body bytea)")
    engine, app = create_engine(url), Flask("floor")

    @app.post("/floor")
    def receive() -> tuple[str, int]:
        body = request.get_data()
        signature = sign(request.headers["X-MLflow-Delivery-Id"], request.headers["X-MLflow-Timestamp"], body)
        if not hmac.compare_digest(signature, request.headers["X-MLflow-Signature"]):
            return "", 401
        with engine.begin() as connection:
            row = {"id": request.headers["X-MLflow-Delivery-Id"], "body": body}
            connection.execute(sa.text("insert into floor values (:id, :body)"), row)
        return "", 202

    client = app.test_client()

    def send() -> None:
        answer = client.post("/floor", data=BODY, headers=signed())
        if answer.status_code != 202:
            raise RuntimeError(f"the floor answered {answer.status_code}")

    return send


def signed() -> dict[str, str]:
    delivery, moment = str(uuid.uuid4()), str(int(time.time()))
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": moment,
        "X-MLflow-Signature": sign(delivery, moment, BODY),
    }


def sign(delivery: str, moment: str, body: bytes) -> str:
    digest = hmac.new(SECRET.encode(), f"{delivery}.{moment}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def made_up_entries(count: int) -> Iterator[Entry]:
    """As large as real ones, and about no request, so that there is nothing to replay."""
    at, head = datetime(2026, 11, 22, tzinfo=UTC), GENESIS
    for seq in range(1, count + 1):
        body = f'{{"at":"{at.isoformat()}","event":"ModelGone","model":"{"x" * 260}","reason":"made up","seq":{seq},"workspace":"w"}}'
        leaf = leaf_of(body)
        head = head_of(head, leaf)
        yield Entry(seq, at, "ModelGone", body, leaf, head)


if __name__ == "__main__":
    sys.exit(main())
