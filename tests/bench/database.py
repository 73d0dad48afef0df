"""A database for one benchmark.

In memory where that has room: what a busy disk takes for a commit would hide what the code takes, and makes no floor harder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bot.database import embedded
from bot.database.connect import migrate
from tests.fixtures import quick_directory


@contextmanager
def database(home: Path | None = None) -> Iterator[str]:
    """Yields the URL of a new, migrated database on its own PostgreSQL, below `home` or a directory that goes with it."""
    with ExitStack() as stack:
        directory = home or stack.enter_context(quick_directory())
        url = embedded.start(directory)
        try:
            migrate(url)
            yield url
        finally:
            embedded.stop(directory)
