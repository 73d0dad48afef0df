"""What the engine's tests have in common: an engine on the test's database, and Jobs that are quick to take a worker for dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.database.connect import create_engine
from bot.engine.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def jobs(database_url: str) -> Jobs:
    return Jobs(database_url)
