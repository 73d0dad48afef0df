"""Files may take minutes to read. What others do in the registry meanwhile counts, on a real MLflow server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests
from mlflow import MlflowClient

from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.evidence.lineage import KeptLock
from bot.domain.model import Evidence, VersionId
from bot.domain.policy.rules import LineageDemand
from bot.errors import Temporary
from tests.fixtures.mlflow_seed import client_of, logged_version, new_run

STORES = ("mlflow-artifacts:",)


@dataclass
class Meanwhile:
    """Something happens while the files are read, after they were listed."""

    happen: Callable[[], object]
    has_happened: bool = False

    def on_progress(self, done: int, size: int) -> None:
        if not self.has_happened:
            self.has_happened = True
            self.happen()

    def on_manifest(self, manifest: str) -> None:
        pass

    def on_lock(self, lock: KeptLock) -> None:
        pass


@dataclass
class Shop:
    server: str
    client: MlflowClient
    model: str

    def version(self, run: str = "") -> VersionId:
        """A version with a file."""
        made = logged_version(self.client, self.model, run or new_run(self.client, {"r2": 0.9}), {"mae": 1.0})
        place = self.client.get_model_version_download_uri(self.model, str(made.version))
        path = f"{self.server}/api/2.0/mlflow-artifacts/artifacts{place.removeprefix('mlflow-artifacts:')}/weights"
        requests.put(path, data=b"1234", timeout=60).raise_for_status()
        return made

    def read(self, version: VersionId, champion: VersionId | None, happen: Callable[[], object]) -> Evidence:
        meanwhile = Meanwhile(happen)
        registry = MlflowRegistry(self.server, webhook_secrets=[])
        try:
            return registry.read_evidence(version, champion, STORES, LineageDemand(), meanwhile)
        finally:
            assert meanwhile.has_happened

    def create_again(self) -> None:
        self.client.delete_registered_model(self.model)
        self.client.create_registered_model(self.model)
        self.version()


@pytest.fixture
def shop(mlflow_server: str, model_name: str) -> Shop:
    client = client_of(mlflow_server)
    client.create_registered_model(model_name)
    return Shop(mlflow_server, client, model_name)


def test_another_version_of_the_run_makes_it_unclear_which_is_meant(shop: Shop) -> None:
    run = new_run(shop.client, {"r2": 0.9})

    evidence = shop.read(shop.version(run), None, lambda: shop.version(run))

    assert [check.passed for check in evidence.lineage if check.code == "L12"] == [False]


def test_a_champion_that_is_deleted_is_not_compared_with(shop: Shop) -> None:
    champion, version = shop.version(), shop.version()

    with pytest.raises(Temporary, match="The champion changed while the evidence was read"):
        shop.read(version, champion, lambda: shop.client.delete_model_version(shop.model, "1"))


def test_a_version_that_is_deleted_and_created_again_gives_no_evidence(shop: Shop) -> None:
    with pytest.raises(Temporary, match="The version changed while the evidence was read"):
        shop.read(shop.version(), None, shop.create_again)
