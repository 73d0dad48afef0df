"""The worker process: runs effects until it gets a signal to stop, or until the database stays away. It knows no effect by name.

Judging a failed effect is in `bot.engine.attempts`; taking over the jobs of dead workers, and watching the database,
is in `bot.engine.sweeper`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker as Engine

from bot.database.connect import patience_for
from bot.engine.attempts import engine_app
from bot.engine.sweeper import Sweeper, Timing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from procrastinate.connector import Notify

    from bot.engine.attempts import Attempts

SPARE_THREADS = 4  # beside one for each job: asyncio's own look-ups
SWITCH = 0.001  # seconds that a thread computes before another one goes on, so that a message waits for no look when its turn has come
STOPPED, CUT_SHORT, NO_SCHEMA, NO_DATABASE = 0, 1, 2, 3  # exit codes

log = structlog.get_logger()


class SteadyConnector(procrastinate.PsycopgConnector):
    """Keeps procrastinate's listener alive: it ends for good when it cannot reconnect at once, and then jobs are only found by polling."""

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        wanted = list(channels)
        while True:
            with suppress(ConnectorException):
                await super().listen_notify(on_notification, wanted)
            await asyncio.sleep(1)


class Worker:
    """One process's worth of running effects."""

    def __init__(self, url: str, attempts: Attempts, timing: Timing, concurrency: int) -> None:
        self._url = url
        self._attempts = attempts
        self._timing = timing
        self._concurrency = concurrency
        self._engine: Engine | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def run(self) -> int:
        """Blocks until SIGTERM or SIGINT; returns the exit code. Call it in the main thread."""
        sys.setswitchinterval(SWITCH)
        return asyncio.run(self._serve())

    async def _serve(self) -> int:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(self._concurrency + SPARE_THREADS))
        loop.set_exception_handler(_tell_loop_trouble)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        sweeper = Sweeper(self._url, self._attempts, self._timing, self._worker_id, lambda: _leave(NO_DATABASE))
        sweeper.start()
        try:
            return await self._keep_running()
        finally:
            sweeper.stop()
            self._leave_in_time()

    async def _keep_running(self) -> int:
        """The engine ends by itself when it loses the database; then it is started again, until the sweeper gives up."""
        while not self._stopping:
            self._task = asyncio.create_task(self._run_engine())
            try:
                with suppress(asyncio.CancelledError):
                    await self._task
            except (ConnectorException, psycopg.OperationalError) as lost:
                if isinstance(lost.__cause__, psycopg.ProgrammingError):
                    return _refuse_database(lost.__cause__)
                log.warning("the job engine lost the database and starts again", error=str(lost.__cause__ or lost))
                await asyncio.sleep(self._timing.poll)
        return STOPPED

    async def _run_engine(self) -> None:
        kwargs = patience_for(self._url)
        connector = SteadyConnector(conninfo=self._url, kwargs=kwargs, min_size=1, max_size=4, timeout=5)
        app = engine_app(connector, self._attempts)
        async with app.open_async():
            self._engine = Engine(
                app,
                concurrency=self._concurrency,
                fetch_job_polling_interval=self._timing.poll,  # a wake-up that arrives during a fetch is lost
                shutdown_graceful_timeout=self._timing.graceful,
                update_heartbeat_interval=self._timing.heartbeat,
                stalled_worker_timeout=self._timing.dead_after,
                delete_jobs="never",
                install_signal_handlers=False,
            )
            await self._engine.run()  # type: ignore[no-untyped-call]

    def _worker_id(self) -> int | None:
        return self._engine.worker_id if self._engine else None

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._leave_in_time()
        if self._task:
            self._task.cancel()

    def _leave_in_time(self) -> None:
        """A thread that is stuck in a call cannot be cancelled: exit anyway, and another worker takes its job over."""
        timer = threading.Timer(self._timing.hard_exit, self._cut_short)
        timer.daemon = True
        timer.start()

    def _cut_short(self) -> None:
        log.warning("effects were still running; another worker takes them over", jobs=sorted(self._attempts.at_work()))
        _leave(CUT_SHORT)


def _refuse_database(why: psycopg.ProgrammingError) -> int:
    log.error("the worker cannot work with this database: run `countersign migrate`", error=str(why))
    return NO_SCHEMA


def _tell_loop_trouble(loop: asyncio.AbstractEventLoop, trouble: dict[str, object]) -> None:
    """Logs one line when procrastinate could not store a job's end because the database was away; the sweeper sends the job back."""
    error = trouble.get("exception")
    if isinstance(error, ConnectorException):
        log.warning("the end of a job could not be written; it will run again", error=str(error.__cause__ or error))
        return
    loop.default_exception_handler(trouble)


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
