"""Ids of requests and people: opaque and unguessable, because some of them travel in buttons and links; sorted by nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


def _by_chance() -> str:
    return uuid.uuid4().hex


_draw: ContextVar[Callable[[], str]] = ContextVar("draw", default=_by_chance)


def new_id() -> str:
    """32 hexadecimal digits."""
    return _draw.get()()


@contextmanager
def ids_drawn_by(draw: Callable[[], str]) -> Iterator[None]:
    """Within the block, and only in its own thread or task, ids come from `draw`: a simulation can then be run again from its seed."""
    token = _draw.set(draw)
    try:
        yield
    finally:
        _draw.reset(token)
