"""Doors: the webhooks of MLflow and Jira. Each verifies, remembers the delivery and asks for a look; the body is only a hint.

Jira signs only the body, and an old one can be sent again, so it means no more than: look at that ticket.
"""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from bot import metrics
from bot.engine.lanes import Lane
from bot.ports import RegistryHint, TicketHint
from bot.services import Services
from handlers.doors.errors import raw_body
from handlers.registry.reconcile import defer_look

MLFLOW_BODY_LIMIT = 64 * 1024  # bytes; MLflow's own payloads stay far below
JIRA_BODY_LIMIT = 1024 * 1024  # bytes; Jira sends the whole issue


def mlflow_webhook(s: Services) -> Blueprint:
    door = Blueprint("mlflow_webhook", __name__)

    @door.post("/webhooks/mlflow")
    def receive() -> ResponseReturnValue:
        body = raw_body(MLFLOW_BODY_LIMIT)
        with metrics.webhook_duration.labels("mlflow").time():
            hint = s.registry.read_webhook(dict(request.headers), body, s.clock.now())
            result = record_registry_hint(hint, s)
        metrics.webhooks_received.labels("mlflow", result).inc()
        return {"result": result}, 202

    return door


def record_registry_hint(hint: RegistryHint, s: Services) -> str:
    """Committed before it is acknowledged; the same delivery again changes nothing."""
    with s.store.transaction() as tx:
        if not tx.outbox.is_new_delivery("mlflow", hint.delivery_id, s.clock.now()):
            return "duplicate"
        if hint.model is None:
            return "no_news"
        defer_look(tx, hint.workspace, hint.model)
    return "recorded"


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
        tx.defer("look_at_ticket", request_id, f"{Lane.JIRA}:{request_id}", once=True)
    return "recorded"
