"""The check before each write: 403 with the reason for whoever changes what is governed without the bot's secret."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Response, g, request

from countersign_guard.decide import refusal
from countersign_guard.keeping import Keeper
from countersign_guard.names import shown
from countersign_guard.reporting import Reporter
from countersign_guard.routes import READS, NotReadable, messages, read_write
from countersign_guard.stores import MLFLOW, NotUnderstood, Unknown, with_address
from countersign_guard.writes import REPORTED, Write

log = logging.getLogger("countersign_guard")
HEADER = "X-Countersign-Guard"
UNDECIDED = "MLflow's store does not answer, so Countersign's guard cannot decide whether this may change. Try again in a moment."


@dataclass(frozen=True)
class Answer:
    """Why a write does not go on."""

    status: int
    code: str
    sentence: str


class Guard:
    def __init__(self, keeper: Keeper, secret: str, reporter: Reporter) -> None:
        self.keeper = keeper
        self.reporter = reporter
        self.secret = secret.encode()
        self.messages = messages()

    def before_request(self) -> Response | None:
        if request.method in READS or self.is_bot(request.headers.get(HEADER, "")):
            return None
        write, answer = self._judged(lambda: read_write(request, workspace(), self.messages))
        if answer is not None:
            return _answer(answer)
        g.countersign_write = self.reporter.begin(write) if write is not None else ""
        return None

    def after_request(self, response: Response) -> Response:
        if g.get("countersign_write"):
            self.reporter.end(g.countersign_write, response)
        return response

    def refuses(self, read: Callable[[], Write | None]) -> Answer | None:
        """None when the write may go on. What cannot be decided does not."""
        return self._judged(read)[1]

    def _judged(self, read: Callable[[], Write | None]) -> tuple[Write | None, Answer | None]:
        try:
            write = read()
            refused = self._refusal(write) if write is not None else None
            return write if refused or write is None else _as_registered(write), refused
        except (NotReadable, NotUnderstood) as refused:
            return None, Answer(400, "INVALID_PARAMETER_VALUE", str(refused))
        except Unknown as trouble:
            log.warning("countersign-guard: not decided, so refused: %s", shown(str(trouble)))
            return None, Answer(503, "TEMPORARILY_UNAVAILABLE", UNDECIDED)

    def _refusal(self, write: Write) -> Answer | None:
        """Raises NotUnderstood and Unknown."""
        sentence = refusal(with_address(write), self.keeper.governed, MLFLOW)
        if not sentence:
            return None
        log.warning("countersign-guard: refused %s: %s", write.act.name, sentence)
        return Answer(403, "PERMISSION_DENIED", sentence)

    def is_bot(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), self.secret)


def workspace() -> str:
    try:
        from mlflow.utils.workspace_context import get_request_workspace
    except ImportError:  # before MLflow 3.10
        return "default"
    return get_request_workspace() or "default"


def _as_registered(write: Write) -> Write:
    """What is reported has the model's name as MLflow has it: some databases find it by other spellings too."""
    is_reported = write.act in REPORTED and write.model != ""
    return replace(write, model=MLFLOW.real_name(write.model)) if is_reported else write


def _answer(answer: Answer) -> Response:
    return Response(body_of(answer), answer.status, content_type="application/json")


def body_of(answer: Answer) -> bytes:
    """In the form of MLflow's own errors, so that its client and its pages show the sentence."""
    return json.dumps({"error_code": answer.code, "message": answer.sentence}).encode()
