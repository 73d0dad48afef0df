"""What the gate's tests share: a shelf of versions in the real MLflow, and the bot's public key as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.mlflow_seed import client_of
from tests.gate.approvals import Shelf, key_file


@pytest.fixture
def shelf(mlflow_server: str, model_name: str) -> Shelf:
    return Shelf(client_of(mlflow_server), mlflow_server, model_name)


@pytest.fixture
def key(tmp_path: Path) -> str:
    return key_file(tmp_path)
