"""A worker that does nothing, quickly: `python -m tests.chaos.program ours|bare URL`.

`ours` is the product's job engine; `bare` is procrastinate as its documentation shows it, with as many jobs at once.
"""

from __future__ import annotations

import asyncio
import sys

import procrastinate

from bot.engine.jobs import Jobs

AT_ONCE = 10
NOTHING = "nothing"


def bare_app(url: str) -> procrastinate.App:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    @app.task(name=NOTHING)
    def nothing(subject: str) -> None:
        del subject

    return app


async def run_bare(url: str) -> None:
    app = bare_app(url)
    async with app.open_async():
        await app.run_worker_async(concurrency=AT_ONCE, delete_jobs="never")


def main(which: str, url: str) -> int:
    if which == "ours":
        return Jobs(url).run_worker({NOTHING: lambda _: None}, concurrency=AT_ONCE)
    asyncio.run(run_bare(url))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
