"""The Web API's `chat.unfurl`: the bot shows more of links that somebody posted. https://docs.slack.dev/reference/methods/chat.unfurl"""

from __future__ import annotations

from dataclasses import replace

from ..backend import Unfurl
from ..block_kit.validation import checked_blocks
from ..wire import Json, SlackError, objects_at
from .calls import Call, Method

SOURCES = ("composer", "conversations_history")


def unfurl_links(call: Call) -> Json:
    """Either `unfurl_id` with `source`, or `channel` with `ts`, say which message. Its links alone may be shown."""
    workspace = call.backend.workspace
    unfurls = call.structure("unfurls")
    if not call.arguments.get("unfurls"):
        raise SlackError("missing_unfurls")
    if not isinstance(unfurls, dict) or not all(isinstance(shown, dict) for shown in unfurls.values()):
        raise SlackError("invalid_unfurls_format")
    with workspace.lock:
        shared = _shared(call)
        message = workspace.find_message(shared.channel, shared.message)
        if message is None or message.is_tombstone:
            raise SlackError("cannot_find_message")
        if message.only_for:
            raise SlackError("cannot_unfurl_message")
        for url in unfurls:
            if url not in shared.links:
                raise SlackError("cannot_unfurl_url")
        shown = [_attachment(url, content, call) for url, content in unfurls.items() if isinstance(content, dict)]
        others = [one for one in message.attachments if one.get("from_url") not in unfurls]
        workspace.put(replace(message, attachments=(*others, *shown)))
    return {}


def _shared(call: Call) -> Unfurl:
    unfurls = call.backend.unfurls
    if call.text("unfurl_id") or call.text("source"):
        if not call.text("unfurl_id"):
            raise SlackError("missing_unfurl_id")
        if not call.text("source"):
            raise SlackError("missing_source")
        if call.text("source") not in SOURCES:
            raise SlackError("invalid_source")
        if call.text("unfurl_id") not in unfurls:
            raise SlackError("invalid_unfurl_id")
        return unfurls[call.text("unfurl_id")]
    channel, ts = call.needed("channel", "missing_channel"), call.needed("ts", "missing_ts")
    found = [one for one in unfurls.values() if (one.channel, one.message) == (channel, ts)]
    if not found:
        raise SlackError("cannot_unfurl_message")
    return found[-1]


def _attachment(url: str, content: Json, call: Call) -> Json:
    """Of blocks, which are checked as in a message, or of the older fields."""
    blocks = (
        checked_blocks(objects_at(content, "blocks"), call.backend.workspace.pictures()) if "blocks" in content else []
    )
    return {**content, **({"blocks": blocks} if blocks else {}), "from_url": url, "is_app_unfurl": True}


METHODS: dict[str, tuple[Method, str]] = {"chat.unfurl": (unfurl_links, "links:write")}
