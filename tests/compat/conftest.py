"""The oldest server in place of the usual one. It takes the packages that it needs from ours, which spares a venv of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.sandbox.mlflow_server import running_mlflow
from tests.compat.servers import oldest_beside_ours
from tests.fixtures import quick_directory
from tests.fixtures.mlflow_server import SERVED_BY_GUNICORN


@pytest.fixture(scope="session")
def mlflow_server() -> Iterator[str]:
    environ = {"PYTHONPATH": str(oldest_beside_ours())}
    with quick_directory() as home, running_mlflow(home / "mlflow", options=SERVED_BY_GUNICORN, environ=environ) as url:
        yield url
