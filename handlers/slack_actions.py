"""Door: Slack's buttons and forms. Bolt verifies the signature; recorded first, acknowledged after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, request
from slack_bolt.adapter.flask import SlackRequestHandler

from bot import metrics
from bot.domain.model import Refused
from bot.ports import Click, OutsideError, Rejected
from bot.services import Services
from handlers.approvals import VERDICTS, Reply, press
from handlers.inbound import raw_body

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from slack_bolt import Ack, App, Respond

log = structlog.get_logger()
BODY_LIMIT = 1024 * 1024  # bytes; a click carries the whole message
FORM = "countersign.reason"


def slack_events(s: Services, bolt: App) -> Blueprint:
    """All of Slack comes in by one address."""
    door = Blueprint("slack_events", __name__)
    handler = SlackRequestHandler(bolt)

    @door.post("/slack/events")
    def receive() -> ResponseReturnValue:
        raw_body(BODY_LIMIT)
        s.notifier.check_request(dict(request.headers))
        answer = handler.handle(request)
        if answer.status_code == 401:
            raise Rejected("bad_signature", "the signature is not Slack's, or its time is more than five minutes away")
        return answer

    return door


def listen_to_actions(bolt: App, s: Services) -> None:
    """The same listeners serve HTTP and Socket Mode."""

    def pressed(ack: Ack, body: Mapping[str, object], respond: Respond) -> None:
        reply = _answer(body, s)
        ack()
        if reply.text:
            _whisper(respond, reply.text)

    def sent(ack: Ack, body: Mapping[str, object]) -> None:
        reply = _answer(body, s)
        if reply.text:
            ack(response_action="errors", errors={"reason": reply.text})
        else:
            ack()

    for action in VERDICTS:
        bolt.action(action)(pressed)
    bolt.view(FORM)(sent)


def _answer(body: Mapping[str, object], s: Services) -> Reply:
    """A refusal is an answer too: the sentence that only the person sees."""
    try:
        click: Click = s.notifier.read_click(body)
        reply = press(click, s)
    except Refused as refusal:
        metrics.clicks.labels("refused").inc()
        return Reply(_as_sentence(str(refusal)))
    except Rejected as rejection:
        metrics.webhooks_rejected.labels("slack", rejection.reason).inc()
        return Reply(_as_sentence(str(rejection)))
    except OutsideError as trouble:
        metrics.clicks.labels("refused").inc()
        return Reply(f"Nothing was recorded: {trouble}. Press again.")
    metrics.clicks.labels("asked" if reply.asked else "recorded").inc()
    return reply


def _whisper(respond: Respond, text: str) -> None:
    """The vote stands whether or not this arrives, so a failure is logged and not raised."""
    try:
        respond(text=text, response_type="ephemeral", replace_original=False)
    except OSError as error:
        log.warning("reply_not_delivered", kind=type(error).__name__, text=text)


def _as_sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"
