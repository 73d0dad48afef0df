"""Long readings leave room for looks and ways back."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from bot.engine.readers import Readers
from bot.errors import Temporary


def test_one_more_than_may_read_at_once_is_tried_again_and_a_way_back_is_not_kept_waiting() -> None:
    readers = Readers(limit=2)

    with ExitStack() as busy:
        for _ in range(2):
            busy.enter_context(readers.take())
        with pytest.raises(Temporary, match="tried again"), readers.take():
            pass
        with readers.take(is_way_back=True):
            pass

    with readers.take():
        pass


def test_a_reading_that_failed_makes_room() -> None:
    readers = Readers(limit=1)

    with pytest.raises(ZeroDivisionError), readers.take():
        raise ZeroDivisionError

    with readers.take():
        pass
