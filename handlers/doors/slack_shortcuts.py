"""Door: Slack's shortcuts on messages. The signature was verified before; recorded first, acknowledged after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot import metrics
from bot.errors import OutsideError, Refused, Rejected
from bot.language import _, reread
from bot.services import Services
from handlers.conversation.comments import record_comment
from handlers.doors.errors import DATABASE_DOWN, as_sentence, text_of
from handlers.doors.slack_actions import PRESS_LATER, whisper
from handlers.notify.readers import for_account
from handlers.request.casting import Reply

if TYPE_CHECKING:
    from slack_bolt import Ack, App, BoltRequest

RECORD = "countersign.record"  # as in config/slack_manifest.yaml


def listen_to_shortcuts(bolt: App, s: Services) -> None:
    """The same listeners serve HTTP and Socket Mode."""

    def marked(ack: Ack, req: BoltRequest) -> None:
        reply_to = str(req.body.get("response_url") or "")
        try:
            text = _answer(req, s)
        except DATABASE_DOWN:  # not acknowledged, so that Slack shows that it failed, and this says what to do
            whisper(reply_to, PRESS_LATER, s)
            raise
        ack()
        whisper(reply_to, text, s)

    bolt.message_shortcut(RECORD)(marked)


def _answer(received: BoltRequest, s: Services) -> str:
    """In the person's language. What is recorded comes before, so that it is in none."""
    begun = s.clock.now()
    try:
        mark = s.notifier.read_shortcut(received.body)
    except Rejected as rejection:
        metrics.webhooks_rejected.labels("slack", rejection.reason).inc()
        return as_sentence(str(rejection))
    try:
        reply = record_comment(mark, s)
        metrics.clicks.labels("recorded").inc()
    except Refused as refusal:
        metrics.clicks.labels("refused").inc()
        reply = Reply(text_of(refusal), refused=True)
    except OutsideError as trouble:
        metrics.clicks.labels("refused").inc()
        reply = Reply(_("Nothing was recorded: {why} Try again.", why=as_sentence(str(trouble))), refused=True)
    with for_account(mark.account, s, begun=begun):
        return as_sentence(reply.text) if reply.refused else reread(reply.text)
