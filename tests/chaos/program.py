"""A worker whose jobs do nothing, or what an effect does to the database: `python -m tests.chaos.program ours|bare URL`.

`ours` is the product's job engine; `bare` is procrastinate as its documentation shows it, with as many jobs at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import procrastinate
import sqlalchemy as sa

from bot.database.connect import create_engine
from bot.engine.jobs import Jobs

AT_ONCE = 10
NOTHING = "nothing"
EFFECT = "effect"

MARKS = """create table marks
  (id bigint generated always as identity primary key, subject text not null, worker int not null, is_done boolean not null default false);
create index on marks (subject)"""
READ = sa.text("select count(*) from marks where subject = :subject")
RESERVE = sa.text("insert into marks (subject, worker) values (:subject, :worker) returning id")
RECORD = sa.text("update marks set is_done = true where id = :id")


def nothing(subject: str) -> None:
    del subject


def effect_on(engine: sa.Engine) -> Callable[[str], None]:
    """Three transactions, which is what an effect of the product takes: it reads about its subject, reserves, and records."""

    def effect(subject: str) -> None:
        with engine.begin() as connection:
            connection.execute(READ, {"subject": subject}).scalar_one()
        with engine.begin() as connection:
            mark = connection.execute(RESERVE, {"subject": subject, "worker": os.getpid()}).scalar_one()
        with engine.begin() as connection:
            connection.execute(RECORD, {"id": mark})

    return effect


def tasks(url: str) -> Mapping[str, Callable[[str], None]]:
    """By name. They connect when the first one runs, through a pool like that of the product's processes."""
    return {NOTHING: nothing, EFFECT: effect_on(create_engine(url))}


def bare_app(url: str) -> procrastinate.App:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    for name, deed in tasks(url).items():
        app.task(name=name)(deed)
    return app


async def run_bare(url: str) -> None:
    threads = ThreadPoolExecutor(AT_ONCE)  # asyncio's own are four more than there are cores
    asyncio.get_running_loop().set_default_executor(threads)
    app = bare_app(url)
    async with app.open_async():
        await app.run_worker_async(concurrency=AT_ONCE, delete_jobs="never")


def main(which: str, url: str) -> int:
    if which == "ours":
        return Jobs(url).run_worker(tasks(url), concurrency=AT_ONCE)
    asyncio.run(run_bare(url))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
