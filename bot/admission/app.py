"""The door for the API server: two routes for webhooks, and one that says that the process is up.

The API server sends `?timeout=10s`: the answer comes before that, so that people read the gate's reason and not a timeout.
"""

from __future__ import annotations

import re

import structlog
from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from bot.admission.judging import Judge
from bot.admission.review import Answer, Question, as_review, read_review
from bot.errors import Rejected

log = structlog.get_logger()
BODY_LIMIT = 8 * 2**20  # bytes; etcd stores objects of 1.5 MB, and an update has two
TIMEOUT = re.compile(
    r"(?P<seconds>[0-9]{1,3})s"
)  # https://github.com/kubernetes/apiserver, webhook/generic: whole seconds
LONGEST = 10.0  # seconds, the API server's own default
MARGIN = 1.0  # seconds for the way back


def create_app(judge: Judge) -> Flask:
    app = Flask("countersign-admission")
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT

    @app.post("/validate")
    def validate() -> ResponseReturnValue:
        question = read_review(_body())
        answer = judge.may_run(question, _seconds())
        _write_down(question, answer)
        return dict(as_review(question, answer))

    @app.post("/annotate")
    def annotate() -> ResponseReturnValue:
        question = read_review(_body())
        return dict(as_review(question, judge.annotated(question, _seconds())))

    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return {"status": "up"}

    @app.errorhandler(Rejected)
    def rejected(error: Rejected) -> ResponseReturnValue:
        log.warning("rejected", reason=error.reason, why=str(error))
        return {"error": str(error), "reason": error.reason}, error.status

    return app


def _body() -> bytes:
    try:
        return request.get_data()
    except RequestEntityTooLarge:
        raise Rejected("too_large", f"the body is larger than {BODY_LIMIT} bytes", 413) from None


def _seconds() -> float:
    """How long the answer may take."""
    found = TIMEOUT.fullmatch(request.args.get("timeout", ""))
    allowed = min(float(found["seconds"]), LONGEST) if found else LONGEST
    return max(allowed - MARGIN, allowed / 2)


def _write_down(question: Question, answer: Answer) -> None:
    if answer.allowed and not answer.warnings:
        return
    log.info(
        "admission",
        allowed=answer.allowed,
        namespace=question.namespace,
        kind=question.kind,
        name=question.name,
        why=[*answer.reasons, *answer.warnings],
    )
