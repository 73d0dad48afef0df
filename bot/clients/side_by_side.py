"""Two reads that do not need each other's answer, at the same time: who waits, waits for the longer and not for the sum."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

One = TypeVar("One")
Other = TypeVar("Other")


def both(one: Callable[[], One], other: Callable[[], Other]) -> tuple[One, Other]:
    """What the two return. `other` runs in a thread of its own, with the caller's context variables as they are now.

    Both have ended when this returns or raises. If both fail, the error of `one` is raised, and that of `other` is a note of it.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-beside") as beside:
        waiting = beside.submit(copy_context().run, other)
        try:
            answer = one()
        except Exception as trouble:
            if second := waiting.exception():
                trouble.add_note(f"What was read at the same time failed too: {type(second).__name__}: {second}")
            raise
        return answer, waiting.result()
