"""Runs several of our processes as one: starts them, restarts those that die, and ends all of them. For `serve` and `demo`."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TextIO

import structlog

from bot.errors import AlreadyRunning, NoDatabase
from bot.folders import make_private

log = structlog.get_logger()
GRACE = 12.0  # seconds; a worker leaves within 10
# -P keeps the current directory off the import path: it may hold another package named `config`.
COUNTERSIGN = (sys.executable, "-P", "-m", "bot")
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
CARE_EVERY = 3.0  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between an exit and the restart, doubling
HEALTHY_AFTER = 60.0  # seconds; a process that has run for so long starts again after FIRST_PAUSE
END_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes]
    started_at: float = field(default_factory=time.monotonic)
    pause: float = FIRST_PAUSE
    restart_at: float | None = None

    def died(self, now: float) -> float:
        """Returns the seconds until its restart."""
        if now - self.started_at >= HEALTHY_AFTER:
            self.pause = FIRST_PAUSE
        pause, self.pause = self.pause, min(LONGEST_PAUSE, self.pause * 2)
        self.restart_at = now + pause
        return pause

    def restarted(self, process: subprocess.Popen[bytes], now: float) -> None:
        self.process, self.restart_at, self.started_at = process, None, now


@dataclass
class Supervisor:
    environment: Mapping[str, str]
    logs: Path | None = None
    children: list[Child] = field(default_factory=list)
    stopping: Event = field(default_factory=Event)
    housekeeping: Callable[[], object] = lambda: None
    cared_at: float = 0.0

    def start(self, name: str, *arguments: str) -> None:
        """`arguments` are those of the `countersign` command."""
        command = [*COUNTERSIGN, *arguments]
        self.children.append(Child(name, command, self._spawn(name, command)))

    def run(self, name: str, *arguments: str) -> None:
        """Runs one command and waits for it. Raises CalledProcessError when it fails."""
        command = [*COUNTERSIGN, *arguments]
        if code := self._spawn(name, command).wait():
            raise subprocess.CalledProcessError(code, command)

    def watch(self) -> None:
        """Blocks until `stopping` is set; restarts processes that exit."""
        while not self.stopping.wait(0.2):
            self.supervise()

    def supervise(self) -> None:
        """Restarts processes that exited, and every few seconds calls `housekeeping` for what is not our child."""
        for child in self.children:
            self._supervise(child)
        if time.monotonic() - self.cared_at >= CARE_EVERY:
            try:
                self.housekeeping()
            except NoDatabase as trouble:
                log.error("database_does_not_start", why=str(trouble), tried_again_in=f"{CARE_EVERY:g} s")
            self.cared_at = time.monotonic()

    def stop(self) -> None:
        for child in self.children:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for child in self.children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("process_killed", process=child.name, why=f"still there {GRACE:g} s after SIGTERM")
                child.process.kill()
                child.process.wait()

    def _supervise(self, child: Child) -> None:
        code = child.process.poll()
        if code is None:
            return
        now = time.monotonic()
        if child.restart_at is None:
            log.error("process_died", process=child.name, code=code, restart_in=f"{child.died(now):g} s")
        elif now >= child.restart_at:
            child.restarted(self._spawn(child.name, child.command), now)

    def _spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # A new session, so that Ctrl-C reaches only us, and we end the children in order.
        environment = {**os.environ, **self.environment}
        if self.logs is None:
            return subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=_end_with_parent)
        make_private(self.logs)
        with (self.logs / f"{name}.log").open("ab") as log_file:
            return subprocess.Popen(
                command,
                env=environment,
                start_new_session=True,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
            )


def _end_with_parent() -> None:
    """On Linux, ends the child when we are killed, so that no orphan keeps the port. On other systems it must be ended by hand."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def only_one(path: Path, what: str) -> Iterator[bool]:
    """Holds a lock while the block runs, for `what` it does. Raises AlreadyRunning, which says what the holder does.

    A dead process releases it. Yields whether the same was done before and killed: then what it started may still be ending.
    """
    make_private(path.parent)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            number, doing = _holder(lock, what)
            raise AlreadyRunning(f"{doing} already (process {number or 'unknown'}). End it first") from None
        number, doing = _holder(lock, what)
        was_killed = bool(number) and doing == what
        lock.truncate(0)
        lock.write(f"{os.getpid()} {what}")
        lock.flush()
        try:
            yield was_killed
        finally:  # a start that was refused was not killed
            lock.truncate(0)


def _holder(lock: TextIO, unsaid: str) -> tuple[str, str]:
    """Its process, which is empty when there is none, and what it does. Earlier releases wrote only the process."""
    lock.seek(0)
    number, _, doing = lock.read().strip().partition(" ")
    return number, doing or unsaid


@contextmanager
def supervised(environment: Mapping[str, str], logs: Path | None = None) -> Iterator[Supervisor]:
    """Ends every process on leaving, also after an error. With `logs`, each process writes to a file there.

    A closed terminal ends it as Ctrl-C does, unless it was started to outlive one, as by `nohup`.
    """
    supervisor = Supervisor(environment, logs)
    with _handling(END_ON, lambda *_: supervisor.stopping.set()):
        try:
            yield supervisor
        finally:
            supervisor.stop()


@contextmanager
def tidying_up(code: int | None = None) -> Iterator[None]:
    """SIGTERM and a closed terminal end the block with SystemExit, as Ctrl-C does: what it started is stopped, half-done work removed.

    Only the first one counts, so that a second does not cut the tidying short. The exit code is a shell's for the signal, unless one is
    given.
    """
    ended: list[int] = []

    def end(sign: int, _frame: object) -> None:
        if not ended:
            ended.append(sign)
            raise SystemExit(128 + sign if code is None else code)

    with _handling((signal.SIGTERM, signal.SIGHUP), end):
        yield


@contextmanager
def _handling(signs: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """A hang-up stays ignored where `nohup` has set it so."""
    outlives_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    handled = [sign for sign in signs if sign is not signal.SIGHUP or not outlives_terminal]
    before = {sign: signal.signal(sign, handler) for sign in handled}
    try:
        yield
    finally:
        for sign, previous in before.items():
            signal.signal(sign, previous)
