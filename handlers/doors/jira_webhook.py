"""Door: Jira's webhooks. Only the body is signed and an old one can be sent again, so it means no more than: look at that ticket."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from bot import metrics
from bot.engine.lanes import Lane
from bot.ports import TicketHint
from bot.services import Services
from handlers.doors.errors import raw_body

BODY_LIMIT = 1024 * 1024  # bytes; Jira sends the whole issue


def jira_webhook(s: Services) -> Blueprint:
    door = Blueprint("jira_webhook", __name__)

    @door.post("/webhooks/jira")
    def receive() -> ResponseReturnValue:
        body = raw_body(BODY_LIMIT)
        with metrics.webhook_duration.labels("jira").time():
            hint = s.tickets.read_webhook(dict(request.headers), body)
            result = record(hint, s)
        metrics.webhooks_received.labels("jira", result).inc()
        return {"result": result}, 200  # Jira counts nothing but 200 and 204 as delivered

    return door


def record(hint: TicketHint, s: Services) -> str:
    with s.store.transaction() as tx:
        if not tx.outbox.is_new_delivery("jira", hint.delivery_id, s.clock.now()):
            return "duplicate"
        request_id = tx.requests.with_ticket(hint.ticket_id) if hint.ticket_id else None
        if request_id is None:
            return "no_news"
        tx.defer("look_at_ticket", request_id, f"{Lane.JIRA}:{request_id}", once=True)
    return "recorded"
