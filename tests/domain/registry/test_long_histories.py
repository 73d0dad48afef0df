"""What holds a target is worked out in steps that grow with its history, not with the square of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from bot.domain.model import TransitionRequest
from bot.domain.registry.custody import custody_of
from bot.domain.request.renamed import carried_over
from tests.builders import CHAMPION, a_policy, a_version
from tests.builders.custody import applied, the_facts


def history(length: int) -> list[TransitionRequest]:
    """One version after the other takes the alias."""
    return [applied(a_version(number), float(number)) for number in range(1, length + 1)]


def carry_over(past: list[TransitionRequest]) -> None:
    version = past[0].version
    carried_over(past, version.workspace, version.model, CHAMPION, a_policy(), ())


def work_out(past: list[TransitionRequest]) -> None:
    custody_of(the_facts(*past, holders=(past[-1].version,)))


def calls(run: Callable[[list[TransitionRequest]], None], past: list[TransitionRequest]) -> int:
    """How many functions of Python it calls; comparing two requests is one."""
    called = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal called
        called += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run(past)
    finally:
        sys.setprofile(before)
    return called


@pytest.mark.parametrize("run", [carry_over, work_out])
def test_twice_the_history_takes_about_twice_the_steps(run: Callable[[list[TransitionRequest]], None]) -> None:
    short, long = history(100), history(200)

    assert calls(run, long) < 2.5 * calls(run, short)
