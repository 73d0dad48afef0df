"""A database for one benchmark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.database import embedded
from bot.database.connect import migrate


@contextmanager
def database() -> Iterator[str]:
    """Yields the URL of a new, migrated database on its own PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as directory:
        url = embedded.start(Path(directory))
        try:
            migrate(url)
            yield url
        finally:
            embedded.stop(Path(directory))
