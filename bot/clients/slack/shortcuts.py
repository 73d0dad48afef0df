"""The shortcut on a message: parses its payload, and reads the message and its thread again from Slack.

Of the payload only who pressed, and on which message of which thread, is taken. Text, author and time are what Slack says when asked, with
the scopes that the bot has for its own messages: channels:history and groups:history.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

from bot.clients.slack.calls import SlackCalls, SlackError, object_at, objects_at, text_at
from bot.clients.slack.inbound import Body, malformed, part_of, team_of, word_of
from bot.errors import Refused
from bot.language import _
from bot.ports import Marked, WrittenReply

RECORD = "countersign.record"  # the callback id of the shortcut, as in config/slack_manifest.yaml
STAMP = re.compile(r"[0-9]{10}\.[0-9]{6}")
PATIENCE = 1.5  # seconds
REFERENCE = re.compile(r"<([^<>|\s]+)(?:\|([^<>|]*))?>")  # https://docs.slack.dev/messaging/formatting-message-text


def read_shortcut(body: Body) -> Marked:
    if body.get("type") != "message_action" or body.get("callback_id") != RECORD:
        raise malformed("callback_id")
    message, channel = word_of(body, "message_ts"), word_of(body, "channel", "id")
    thread = part_of(body, "message").get("thread_ts")
    if not STAMP.fullmatch(message) or not (thread is None or (isinstance(thread, str) and STAMP.fullmatch(thread))):
        raise malformed("message_ts")
    return Marked(
        team=team_of(body),
        app=word_of(body, "api_app_id") if body.get("api_app_id") else "",
        account=word_of(body, "user", "id"),
        channel=channel,
        message=message,
        thread=str(thread or ""),
        reply_to=word_of(body, "response_url") if body.get("response_url") else "",
    )


def read_reply(marked: Marked, calls: SlackCalls, bot_id: str, event_type: str, link: str) -> WrittenReply:
    """One call: Slack gives a thread's first message, with its metadata, before the replies. Raises Refused, OutsideError."""
    if marked.thread in ("", marked.message):
        raise Refused(_("only replies in the thread of one of Countersign's cards go on its record"))
    where = {"channel": marked.channel, "ts": marked.thread, "oldest": marked.message, "latest": marked.message}
    try:
        page = calls.call(
            "conversations.replies",
            {**where, "inclusive": True, "limit": 2, "include_all_metadata": True},
            timeout=PATIENCE,
        )
    except SlackError as refusal:
        if refusal.code in ("thread_not_found", "channel_not_found", "not_in_channel", "message_not_found"):
            raise Refused(
                _("Countersign does not see this thread. Only replies below its own cards go on record")
            ) from None
        raise
    shown = {text_at(one, "ts"): one for one in objects_at(page, "messages")}
    first, reply = shown.get(marked.thread), shown.get(marked.message)
    is_gone = reply is None or text_at(reply, "subtype") == "tombstone" or text_at(reply, "thread_ts") != marked.thread
    if first is None or reply is None or is_gone:
        raise Refused(_("this message is gone, or is no reply in a thread"))
    metadata = object_at(first, "metadata")
    is_ours = metadata.get("event_type") == event_type and first.get("bot_id") == bot_id
    return WrittenReply(
        thread_key=text_at(metadata, "event_payload", "key") if is_ours else "",
        author=text_at(reply, "user"),
        text=as_written(text_at(reply, "text")),
        written_at=datetime.fromtimestamp(float(marked.message), UTC),
        url=link,
        is_by_bot=bool(reply.get("bot_id")) or text_at(reply, "subtype") == "bot_message",
    )


def as_written(text: str) -> str:
    """Slack's encoding taken away: `<https://x|x>` is its address, `<@U1>` the account's id, and `&lt;` a character."""
    return unescape(REFERENCE.sub(_plain_reference, text))


def _plain_reference(found: re.Match[str]) -> str:
    target, label = found[1], found[2] or ""
    if target[0] in "@#!":
        return f"{target[0]}{label}" if label and target[0] == "#" else label or target
    return target if label in ("", target) else f"{label} ({target})"
