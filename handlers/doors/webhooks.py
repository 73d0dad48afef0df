"""Door: MLflow's webhooks. Verifies, remembers the delivery, asks for a look; what the body says is only a hint."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from bot import metrics
from bot.ports import RegistryHint
from bot.services import Services
from handlers.doors.errors import raw_body
from handlers.registry.reconcile import defer_look

BODY_LIMIT = 64 * 1024  # bytes; MLflow's own payloads stay far below


def mlflow_webhook(s: Services) -> Blueprint:
    door = Blueprint("mlflow_webhook", __name__)

    @door.post("/webhooks/mlflow")
    def receive() -> ResponseReturnValue:
        body = raw_body(BODY_LIMIT)
        with metrics.webhook_duration.labels("mlflow").time():
            hint = s.registry.read_webhook(dict(request.headers), body, s.clock.now())
            result = record(hint, s)
        metrics.webhooks_received.labels("mlflow", result).inc()
        return {"result": result}, 202

    return door


def record(hint: RegistryHint, s: Services) -> str:
    """Committed before it is acknowledged; the same delivery again changes nothing."""
    with s.store.transaction() as tx:
        if not tx.outbox.is_new_delivery("mlflow", hint.delivery_id, s.clock.now()):
            return "duplicate"
        if hint.model is None:
            return "no_news"
        defer_look(tx, hint.workspace, hint.model)
    return "recorded"
