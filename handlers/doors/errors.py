"""Shared by all doors: bodies are read with a limit before they are parsed, and refusals become answers."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import RequestEntityTooLarge

from bot import metrics
from bot.errors import Permanent, Refused, Rejected, Temporary
from bot.language import IN_ENGLISH, N_, Text, _, reread, sentences
from bot.language import as_sentence as as_sentence

log = structlog.get_logger()
UNSTORABLE = "a text or number in it cannot be stored: a NUL, half of a surrogate pair, or too large a number"
NOT_UTF8 = "a text in it is not UTF-8"
NO_DATABASE = N_("the database does not answer; nothing was recorded")
DATABASE_DOWN = (OperationalError, InterfaceError, PoolTimeout)
RETRY_AFTER = 5  # seconds; a sender's retries must stay inside the signature's 300 s window


def raw_body(limit: int) -> bytes:
    """At most `limit` bytes, or 413; nothing is parsed yet."""
    request.max_content_length = limit
    try:
        return request.get_data(cache=True, parse_form_data=False)
    except RequestEntityTooLarge:
        raise Rejected("too_large", f"the body is larger than {limit} bytes", 413) from None


def answer_refusals(app: Flask) -> None:
    """Answers errors with a clear sentence and counts them, instead of a 500."""

    @app.errorhandler(Rejected)
    def rejected(error: Rejected) -> ResponseReturnValue:
        metrics.webhooks_rejected.labels(_source(), error.reason).inc()
        log.warning("rejected", source=_source(), reason=error.reason, why=str(error))
        return {"error": str(error), "reason": error.reason}, error.status

    @app.errorhandler(Refused)
    def refused(error: Refused) -> ResponseReturnValue:
        return {"error": str(error)}, 409

    @app.errorhandler(Temporary)
    def temporary(error: Temporary) -> ResponseReturnValue:
        return {"error": str(error)}, 503, {"Retry-After": str(RETRY_AFTER)}

    @app.errorhandler(Permanent)
    def permanent(error: Permanent) -> ResponseReturnValue:
        return {"error": str(error)}, 502

    @app.errorhandler(DataError)
    @app.errorhandler(UnicodeEncodeError)
    def unstorable(error: Exception) -> ResponseReturnValue:
        log.warning("unstorable", source=_source(), kind=type(error).__name__)
        return {"error": UNSTORABLE}, 400

    @app.errorhandler(UnicodeDecodeError)  # Werkzeug raises it for a query with a byte that is no UTF-8
    def unreadable(error: Exception) -> ResponseReturnValue:
        log.warning("unreadable", source=_source(), kind=type(error).__name__)
        return {"error": NOT_UTF8}, 400

    def database_down(error: Exception) -> ResponseReturnValue:
        log.error("database_unavailable", kind=type(error).__name__)
        return {"error": NO_DATABASE}, 503, {"Retry-After": str(RETRY_AFTER)}

    for kind in DATABASE_DOWN:
        app.register_error_handler(kind, database_down)


def answer_for_people(door: Blueprint, page: Callable[[str, int], ResponseReturnValue]) -> None:
    """`page` shows a sentence with a status, where `answer_refusals` would answer the person at the browser with JSON."""

    @door.errorhandler(DataError)
    @door.errorhandler(UnicodeEncodeError)
    @door.errorhandler(UnicodeDecodeError)
    def odd(error: Exception) -> ResponseReturnValue:
        log.warning("unreadable", source="page", kind=type(error).__name__)
        return page(
            _("A text in the address, or in what the page sent, cannot be read. Open the link as you got it."), 400
        )

    def database_down(error: Exception) -> ResponseReturnValue:
        log.error("database_unavailable", kind=type(error).__name__)
        return page(sentences(as_sentence(_(NO_DATABASE)), _("Try again in a few minutes.")), 503)

    for kind in DATABASE_DOWN:
        door.register_error_handler(kind, database_down)


def _source() -> str:
    """The vendor's name out of our own routes, so that the label stays one of few."""
    return {"/webhooks/mlflow": "mlflow", "/webhooks/jira": "jira", "/slack/events": "slack"}.get(request.path, "api")


def in_english(text: str) -> str:
    """For logs."""
    return reread(text, IN_ENGLISH)


def text_of(error: Exception) -> str:
    """The error's text as it was marked, so that it can be read in another language: `str` would keep only the English one."""
    marked = error.args[0] if error.args else ""
    return marked if isinstance(marked, Text) else str(error)
