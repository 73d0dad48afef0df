"""Doors: the webhooks of MLflow and Jira. Each verifies, remembers the delivery and asks for a look; the body is only a hint.

Jira signs only the body, and an old one can be sent again, so it means no more than: look at that ticket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from bot import metrics, tracing
from bot.domain.workspaces import DEFAULT, Registry
from bot.engine.deferring import NewJob
from bot.engine.lanes import Lane
from bot.ports import RegistryHint, TicketHint
from bot.services import Services
from bot.store.web.deliveries import Deliveries
from handlers.doors.errors import raw_body
from handlers.registry.reconcile import look_at

MLFLOW_BODY_LIMIT = 64 * 1024  # bytes; MLflow's own payloads stay far below
JIRA_BODY_LIMIT = 1024 * 1024  # bytes; Jira sends the whole issue


def mlflow_webhook(s: Services) -> Blueprint:
    door, deliveries = Blueprint("mlflow_webhook", __name__), Deliveries(s.store)

    @door.post("/webhooks/mlflow", defaults={"registry": DEFAULT})
    @door.post("/webhooks/mlflow/<registry>")
    def receive(registry: str) -> ResponseReturnValue:
        body = raw_body(MLFLOW_BODY_LIMIT)
        with metrics.webhook_duration.labels("mlflow").time(), tracing.door("POST /webhooks/mlflow"):
            hint = _read(registry, dict(request.headers), body, s)
            result = record_registry_hint(hint, deliveries, s, registry)
        metrics.webhooks_received.labels("mlflow", result).inc()
        return {"result": result}, 202

    return door


def _read(registry: str, headers: Mapping[str, str], body: bytes, s: Services) -> RegistryHint:
    if registry == DEFAULT:
        return s.registry.read_webhook(headers, body, s.clock.now())
    return s.registries.read_webhook(registry, headers, body, s.clock.now())


def record_registry_hint(hint: RegistryHint, deliveries: Deliveries, s: Services, registry: str = DEFAULT) -> str:
    """Committed before it is acknowledged; the same delivery again changes nothing.

    No workspace in the payload is believed: each watched workspace of the server that signed it is looked at.
    """
    source = "mlflow" if registry == DEFAULT else f"mlflow:{registry}"

    def looks_under(registries: Sequence[Registry]) -> Sequence[NewJob]:
        places = next((one.places for one in registries if one.name == registry), ())
        return [look_at(place, hint.model) for place in places] if hint.model is not None else []

    looks = deliveries.record(source, hint.delivery_id, looks_under, s.clock.now())
    if looks is None:
        return "duplicate"
    return "recorded" if looks else "no_news"


def jira_webhook(s: Services) -> Blueprint:
    door = Blueprint("jira_webhook", __name__)

    @door.post("/webhooks/jira")
    def receive() -> ResponseReturnValue:
        body = raw_body(JIRA_BODY_LIMIT)
        with metrics.webhook_duration.labels("jira").time():
            hint = s.tickets.read_webhook(dict(request.headers), body)
            result = record_ticket_hint(hint, s)
        metrics.webhooks_received.labels("jira", result).inc()
        return {"result": result}, 200  # Jira counts nothing but 200 and 204 as delivered

    return door


def record_ticket_hint(hint: TicketHint, s: Services) -> str:
    with s.store.transaction() as tx:
        if not tx.outbox.is_new_delivery("jira", hint.delivery_id, s.clock.now()):
            return "duplicate"
        request_id = tx.requests.with_ticket(hint.ticket_id) if hint.ticket_id else None
        if request_id is None:
            return "no_news"
        with tracing.about(request_id, "POST /webhooks/jira"):
            tx.defer("look_at_ticket", request_id, f"{Lane.JIRA}:{request_id}", once=True)
    return "recorded"
