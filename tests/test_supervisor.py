"""The processes of `serve` and `demo`: when they are started again, and what ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import AlreadyRunning, NoDatabase
from bot.supervisor import FIRST_PAUSE, HEALTHY_AFTER, LONGEST_PAUSE, Child, only_one, supervised, tidying_up


@pytest.fixture
def child() -> Child:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    return Child("web", (), ended, started_at=0.0)


def test_a_process_that_dies_at_once_is_started_again_later_and_later(child: Child) -> None:
    pauses = []
    for _ in range(8):
        pauses.append(child.died(child.started_at + 1))
        child.restarted(child.process, child.started_at + 2)

    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


@pytest.mark.parametrize("lived", [HEALTHY_AFTER, 7 * 86_400.0])
def test_a_process_that_has_run_for_a_while_is_started_again_soon_however_often_it_died_before(
    child: Child, lived: float
) -> None:
    for _ in range(8):
        child.died(child.started_at + 1)
        child.restarted(child.process, child.started_at + 2)

    pause = child.died(child.started_at + lived)

    assert pause == FIRST_PAUSE
    assert child.restart_at == child.started_at + lived + FIRST_PAUSE


@pytest.fixture
def in_a_terminal() -> Iterator[None]:
    """A suite that runs in the background may have been started with these signals ignored."""
    before = {sign: signal.signal(sign, signal.SIG_DFL) for sign in (signal.SIGINT, signal.SIGHUP)}
    yield
    for sign, handler in before.items():
        signal.signal(sign, handler)


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_and_a_closed_terminal_end_it(sign: signal.Signals) -> None:
    with supervised({}) as supervisor:
        os.kill(os.getpid(), sign)

        assert supervisor.stopping.wait(10)


def test_started_to_outlive_its_terminal_it_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with supervised({}) as supervisor:
            os.kill(os.getpid(), signal.SIGHUP)

            assert not supervisor.stopping.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_only_a_start_that_was_killed_is_taken_for_killed(tmp_path: Path) -> None:
    lock = tmp_path / "serve.lock"
    with pytest.raises(AlreadyRunning), only_one(lock, "serve runs") as first:
        raise AlreadyRunning("port 8080 is taken")

    with only_one(lock, "serve runs") as second:
        pass
    lock.write_text("4711")  # as a killed process leaves it
    with only_one(lock, "serve runs") as third:
        pass

    assert (first, second, third) == (False, False, True)


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_anything_is_supervised_tidies_up_as_ctrl_c_does_and_a_second_does_not_cut_it_short(
    sign: signal.Signals,
) -> None:
    tidied = []

    def work() -> None:
        try:
            os.kill(os.getpid(), sign)
        finally:
            os.kill(os.getpid(), sign)
            tidied.append("all")

    with pytest.raises(SystemExit) as ended, tidying_up():
        work()

    assert (tidied, ended.value.code) == (["all"], 128 + sign)


@pytest.mark.usefixtures("in_a_terminal")
def test_what_nohup_started_is_not_ended_with_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with tidying_up():
        os.kill(os.getpid(), signal.SIGHUP)

    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_database_that_does_not_start_again_is_tried_again_and_does_not_end_the_rest() -> None:
    tried = []

    def fails() -> None:
        tried.append("once more")
        raise NoDatabase("the disk is full")

    with supervised({}) as supervisor:
        supervisor.housekeeping = fails
        for _ in range(2):
            supervisor.cared_at = 0
            supervisor.supervise()

    assert tried == ["once more"] * 2


def test_a_lock_says_what_its_holder_does_and_only_the_same_again_was_killed(tmp_path: Path) -> None:
    lock = tmp_path / "serve.lock"

    with (
        only_one(lock, "a backup runs"),
        pytest.raises(AlreadyRunning, match=rf"a backup runs already \(process {os.getpid()}\)"),
        only_one(lock, "serve runs"),
    ):
        pass
    lock.write_text("4711 a backup runs")
    with only_one(lock, "serve runs") as was_killed:
        pass

    assert not was_killed
