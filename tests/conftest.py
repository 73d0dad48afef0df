"""Registers the fixtures, one file for each thing that is real."""

from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.mlflow_server",
    "tests.fixtures.workers",
    "tests.fixtures.house",
    "tests.fixtures.outcomes",
    "tests.fixtures.training_repository",
    "tests.fixtures.browser",
]
