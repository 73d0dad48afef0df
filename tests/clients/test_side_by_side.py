"""Two reads at the same time."""

from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest

from bot.clients.side_by_side import both


def test_both_run_at_the_same_time_and_both_answers_come_back() -> None:
    meeting = threading.Barrier(2, timeout=20)

    assert both(lambda: (meeting.wait() >= 0, "one"), lambda: (meeting.wait() >= 0, "other")) == (
        (True, "one"),
        (True, "other"),
    )


def test_the_other_sees_the_context_of_the_caller() -> None:
    where = ContextVar("where", default="nowhere")
    where.set("here")

    assert both(where.get, where.get) == ("here", "here")


def _fails(why: str) -> None:
    raise ValueError(why)


@pytest.mark.parametrize(("one", "other", "raised"), [("a", "b", "a"), ("a", "", "a"), ("", "b", "b")])
def test_the_first_ones_error_comes_before_the_others(one: str, other: str, raised: str) -> None:
    with pytest.raises(ValueError) as failed:
        both(lambda: _fails(one) if one else None, lambda: _fails(other) if other else None)

    assert failed.value.args == (raised,)


def test_the_error_that_is_not_raised_is_a_note_of_the_other() -> None:
    with pytest.raises(ValueError) as raised:
        both(lambda: _fails("a"), lambda: _fails("b"))

    assert raised.value.__notes__ == ["What was read at the same time failed too: ValueError: b"]


def test_a_failure_waits_for_the_other_to_end() -> None:
    ended: list[str] = []
    failed = threading.Event()

    def other() -> None:
        failed.wait(20)
        ended.append("other")

    def one() -> None:
        failed.set()
        raise ValueError

    with pytest.raises(ValueError):
        both(one, other)

    assert ended == ["other"]
