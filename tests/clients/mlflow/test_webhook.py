"""What MLflow really sends is what we believe: its own server signs and delivers to a receiver of ours."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from flask import Flask, request

from bot.clients.mlflow.checkup import WEBHOOKS
from bot.clients.mlflow.registry import MlflowRegistry
from bot.errors import Rejected
from bot.ports import RegistryHint
from bot.sandbox.serving import serving
from tests.fixtures.mlflow_seed import client_of, needs, new_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

SECRET = "a secret of twenty-four bytes"
EVENTS = ["registered_model.created", "model_version_tag.set", "model_version_alias.deleted"]
PATIENCE = 60  # seconds; MLflow looks for new webhooks no more often than MLFLOW_WEBHOOK_CACHE_TTL


@dataclass(frozen=True)
class Delivery:
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def deliveries() -> Iterator[tuple[str, queue.Queue[Delivery]]]:
    arrived: queue.Queue[Delivery] = queue.Queue()
    receiver = Flask("receiver")

    @receiver.post("/webhooks/mlflow")
    def receive() -> tuple[str, int]:
        arrived.put(Delivery(dict(request.headers), request.get_data()))
        return "", 202

    with serving(receiver) as url:
        yield f"{url}/webhooks/mlflow", arrived


@pytest.fixture
def client(mlflow_server: str) -> MlflowClient:
    return client_of(mlflow_server)


@pytest.fixture
def webhook(client: MlflowClient, deliveries: tuple[str, queue.Queue[Delivery]], model_name: str) -> Iterator[str]:
    """The id of a webhook that delivers to us."""
    needs(client.tracking_uri, WEBHOOKS)
    made = client.create_webhook(f"countersign-{model_name}", deliveries[0], EVENTS, secret=SECRET)
    yield made.webhook_id
    client.delete_webhook(made.webhook_id)


def first_hint(registry: MlflowRegistry, arrived: queue.Queue[Delivery], model: str) -> RegistryHint | None:
    """The first about this model; a webhook reports on the whole registry, which other tests use too."""
    while True:
        try:
            delivery = arrived.get(timeout=1)
        except queue.Empty:
            return None
        hint = registry.read_webhook(delivery.headers, delivery.body, datetime.now(UTC))
        if hint.model == model:
            return hint


def test_mlflows_own_test_delivery_is_believed_and_has_no_news(mlflow_server, client, webhook, deliveries):
    registry = MlflowRegistry(mlflow_server, webhook_secrets=[SECRET])

    tested = client.test_webhook(webhook)
    delivery = deliveries[1].get(timeout=PATIENCE)

    assert tested.success
    hint = registry.read_webhook(delivery.headers, delivery.body, datetime.now(UTC))
    assert (hint.delivery_id, hint.model) == (delivery.headers["X-Mlflow-Delivery-Id"], None)


def test_a_delivery_signed_with_another_secret_is_refused(mlflow_server, client, webhook, deliveries):
    registry = MlflowRegistry(mlflow_server, webhook_secrets=["another"])

    client.test_webhook(webhook)
    delivery = deliveries[1].get(timeout=PATIENCE)

    with pytest.raises(Rejected, match="MLFLOW_WEBHOOK_SECRET"):
        registry.read_webhook(delivery.headers, delivery.body, datetime.now(UTC))


def test_a_real_change_arrives_as_a_hint_to_its_model(mlflow_server, client, webhook, deliveries, model_name):
    registry = MlflowRegistry(mlflow_server, webhook_secrets=["newest", SECRET])
    new_model(client, model_name)

    hint = None
    for attempt in range(PATIENCE):
        client.set_model_version_tag(model_name, "1", "countersign.ask", str(attempt))
        hint = hint or first_hint(registry, deliveries[1], model_name)
        if hint:
            break

    assert hint is not None
    assert hint.model == model_name
