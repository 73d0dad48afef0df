"""`python -m tests.bench.floor_web URL PORT`: the least that taking a webhook can cost, behind the web server of the product.

A Flask handler that verifies the signature and inserts the delivery, whose id is unique, in one transaction.
"""

from __future__ import annotations

import hmac
import signal
import sys
import threading

import psycopg
import sqlalchemy as sa
from flask import Flask, request

from bot.database.connect import create_engine
from bot.web.server import Front
from tests.bench.load import signature

INSERT = sa.text("insert into floor (source, id, at) values ('mlflow', :id, now())")
FAIR = 0.0005  # as the product's


def floor(url: str) -> Flask:
    engine, app = create_engine(url), Flask("floor")

    @app.post("/webhooks/mlflow")
    def receive() -> tuple[str, int]:
        delivery, at = request.headers["X-MLflow-Delivery-Id"], request.headers["X-MLflow-Timestamp"]
        if not hmac.compare_digest(signature(delivery, at, request.get_data()), request.headers["X-MLflow-Signature"]):
            return "", 401
        with engine.begin() as connection:
            connection.execute(INSERT, {"id": delivery})
        return "", 202

    return app


def make_table(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table floor (source text, id text, at timestamptz, primary key (source, id))")


def main() -> None:
    url, port = sys.argv[1:]
    sys.setswitchinterval(FAIR)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    Front(floor(url), "127.0.0.1", int(port)).run(stopping.is_set)


if __name__ == "__main__":
    main()
