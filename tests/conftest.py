"""Registers the fixtures, one file for each thing that is real."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

    from tests.scheduling import Together

# Machines are noisy: how long an example takes says nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("untimed"), max_examples=10)  # `make quick`
settings.load_profile("untimed")

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.engine",
    "tests.fixtures.mlflow_server",
    "tests.fixtures.workers",
    "tests.fixtures.installation",
    "tests.fixtures.outcomes",
    "tests.fixtures.training_repository",
    "tests.fixtures.buckets",
    "tests.fixtures.browser",
]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    from tests.scheduling import Together

    return Together(config, log)


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays until the end: the garbage collector need not look through it again and again."""
    gc.freeze()
