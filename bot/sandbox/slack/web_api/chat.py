"""The Web API's `chat.*` and `reactions.*`: posting, changing and deleting messages, with Slack's refusals."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from ..block_kit.validation import checked_blocks, checked_view
from ..wire import Json, SlackError, every_object, units
from ..workspace import Channel, Message, Workspace
from .calls import Call, Method, as_message

POST_TEXT = 40_000  # https://docs.slack.dev/reference/methods/chat.postMessage#truncating
UPDATE_TEXT = 4_000  # https://docs.slack.dev/reference/methods/chat.update#errors
WITHOUT_TEXT = "This content can't be displayed."  # what Slack stores when blocks come without a fallback
SECONDS_PER_POST = 1.0


def post_message(call: Call) -> Json:
    workspace = call.backend.workspace
    with workspace.lock:
        channel = _channel_to_post_in(call)
        _respect_the_limit(call, channel)
        message = workspace.put(_composed(call, channel))
        workspace.notified += [(message.ts, id_) for id_ in _mentioned(message)]
        return {
            "channel": channel.id,
            "ts": message.ts,
            "message": as_message(call.backend, message, with_metadata=True, base_url=call.base_url),
        }


def post_ephemeral(call: Call) -> Json:
    workspace = call.backend.workspace
    person_id = call.needed("user", "user_not_in_channel")
    with workspace.lock:
        channel = _channel_to_post_in(call)
        if person_id not in workspace.people or (channel.dm_with and channel.dm_with != person_id):
            raise SlackError("user_not_in_channel")
        message = workspace.put(replace(_composed(call, channel), only_for=person_id, metadata=None))
        return {"message_ts": message.ts}


def update(call: Call) -> Json:
    """Text without blocks removes the blocks; an update of blocks adds no "edited" mark (both are Slack's rules)."""
    workspace = call.backend.workspace
    with workspace.lock:
        message = _own_message(call, "cant_update_message")
        text, blocks = call.text("text"), message.blocks
        if units(text) > UPDATE_TEXT:
            raise SlackError("msg_too_long")
        if "blocks" in call.arguments:
            blocks = _checked(call.arguments["blocks"], workspace)
        elif text:
            blocks = []
        attachments = _attachments(call) if "attachments" in call.arguments else message.attachments
        if not (text or blocks or attachments):
            raise SlackError("no_text")
        changed = replace(
            message,
            text=text or WITHOUT_TEXT,
            blocks=blocks,
            attachments=attachments,
            metadata=_metadata(call) if "metadata" in call.arguments else message.metadata,
            edited=message.edited if blocks else workspace.new_ts(),
        )
        workspace.put(changed)
        shown = as_message(call.backend, changed, with_metadata=True, base_url=call.base_url)
        return {"channel": message.channel, "ts": message.ts, "text": changed.text, "message": shown}


def delete(call: Call) -> Json:
    with call.backend.workspace.lock:
        message = _own_message(call, "cant_delete_message")
        call.backend.workspace.remove(message)
        return {"channel": message.channel, "ts": message.ts}


def get_permalink(call: Call) -> Json:
    channel = call.backend.workspace.channels.get(call.needed("channel", "channel_not_found"))
    if channel is None:
        raise SlackError("channel_not_found")
    message = call.backend.workspace.find_message(channel.id, call.needed("message_ts", "message_not_found"))
    if message is None or message.only_for or message.is_tombstone:
        raise SlackError("message_not_found")
    return {"channel": channel.id, "permalink": permalink(call.base_url, message)}


def validate(call: Call) -> Json:
    """Exactly one of blocks, message and view. Nothing is posted, and no file is looked up."""
    given = [name for name in ("blocks", "message", "view") if call.arguments.get(name)]
    if len(given) != 1:
        raise SlackError("invalid_arguments")
    content = call.structure(given[0])
    try:
        if given == ["view"]:
            checked_view(content, "home" if isinstance(content, dict) and content.get("type") == "home" else "modal")
        else:
            message = content if isinstance(content, dict) else {"blocks": content}
            _checked(message.get("blocks") or [], call.backend.workspace)
    except SlackError as refusal:
        raise SlackError(f"invalid_{given[0]}", errors=_with_pointers(refusal)) from None
    return {}


def _mentioned(message: Message) -> list[str]:
    parts = every_object(list(message.blocks))
    return [str(part[key]) for part in parts for key in ("user_id", "usergroup_id") if key in part]


def _checked(blocks: object, workspace: Workspace) -> list[Json]:
    return checked_blocks(blocks, workspace.pictures(), takes_charts=workspace.takes_charts)


def _with_pointers(refusal: SlackError) -> list[Json]:
    found = refusal.details.get("errors")
    sentences = [str(one) for one in found] if isinstance(found, list) else [refusal.code]
    parts = [sentence.partition(" [json-pointer:") for sentence in sentences]
    return [{"pointer": at.rstrip("]"), "code": "failed_constraint", "message": said} for said, _, at in parts]


def permalink(base_url: str, message: Message) -> str:
    address = f"{base_url}/archives/{message.channel}/p{message.ts.replace('.', '')}"
    return f"{address}?thread_ts={message.thread_ts}&cid={message.channel}" if message.is_reply else address


def add_reaction(call: Call) -> Json:
    workspace, bot = call.backend.workspace, call.backend.app.bot_user_id
    with workspace.lock:
        message = workspace.find_message(call.needed("channel", "channel_not_found"), call.needed("timestamp"))
        if message is None or message.only_for or message.is_tombstone:
            raise SlackError("message_not_found")
        name = call.needed("name", "invalid_name").strip(":")
        if bot in message.reactions.get(name, ()):
            raise SlackError("already_reacted")
        workspace.react(message, name, bot)
        return {}


def _channel_to_post_in(call: Call) -> Channel:
    """By a channel's id or name, or by a person's id for the direct message with them."""
    workspace, wanted = call.backend.workspace, call.needed("channel", "channel_not_found")
    if wanted in workspace.people:
        return workspace.direct_channel(wanted)
    channel = workspace.find_channel(wanted)
    if channel is None or (channel.is_private and not channel.bot_is_member):
        raise SlackError("channel_not_found")
    if channel.is_archived:
        raise SlackError("is_archived")
    if not channel.bot_is_member and "chat:write.public" not in call.backend.app.scopes:
        raise SlackError("not_in_channel")
    return channel


def _respect_the_limit(call: Call, channel: Channel) -> None:
    """About one message a second per channel. Off by default, because it would slow most tests down."""
    backend, now = call.backend, call.backend.workspace.now()
    waited = now - backend.last_post.get(channel.id, 0.0)
    if backend.app.limit_posts and waited < SECONDS_PER_POST:
        raise SlackError("ratelimited", retry_after=ceil(SECONDS_PER_POST - waited))
    backend.last_post[channel.id] = now


def _composed(call: Call, channel: Channel) -> Message:
    text = call.text("text")
    if units(text) > POST_TEXT:
        raise SlackError("msg_too_long")
    given = call.arguments.get("blocks")
    blocks = _checked(given, call.backend.workspace) if given else []
    attachments = _attachments(call)
    if not (text or blocks or attachments):
        raise SlackError("no_text")
    thread = thread_in(call.backend.workspace, channel, call.text("thread_ts"))
    return Message(
        channel.id,
        call.backend.workspace.new_ts(),
        call.backend.app.bot_user_id,
        text or WITHOUT_TEXT,
        blocks,
        attachments,
        thread_ts=thread,
        is_broadcast=bool(thread) and call.flag("reply_broadcast"),
        metadata=_metadata(call),
        unfurl=call.flag("unfurl_links", default=True),
    )


def thread_in(workspace: Workspace, channel: Channel, thread_ts: str) -> str:
    """Empty for a thread whose message was deleted: then Slack posts at the channel's root, and says `ok`."""
    parent = workspace.find_message(channel.id, thread_ts)
    return parent.thread_ts or parent.ts if parent else ""


def _attachments(call: Call) -> list[Json]:
    attachments = call.structure("attachments") or []
    if not isinstance(attachments, list) or not all(isinstance(item, dict) for item in attachments):
        raise SlackError("invalid_attachments")
    if attachments and call.backend.app.refuse_attachments:
        raise SlackError("invalid_attachments")
    if len(attachments) > 100:
        raise SlackError("too_many_attachments")
    return attachments


def _metadata(call: Call) -> Json | None:
    metadata = call.structure("metadata")
    if not metadata:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not metadata["event_type"]:
        raise SlackError("invalid_metadata_format")
    return metadata


def _own_message(call: Call, refusal: str) -> Message:
    workspace = call.backend.workspace
    channel_id = call.needed("channel", "channel_not_found")
    if channel_id not in workspace.channels:
        raise SlackError("channel_not_found")
    message = workspace.find_message(channel_id, call.needed("ts", "message_not_found"))
    if message is None or message.only_for or message.is_tombstone:
        raise SlackError("message_not_found")
    if message.author != call.backend.app.bot_user_id:
        raise SlackError(refusal)
    return message


METHODS: dict[str, tuple[Method, str]] = {
    "chat.postMessage": (post_message, "chat:write"),
    "chat.postEphemeral": (post_ephemeral, "chat:write"),
    "chat.update": (update, "chat:write"),
    "chat.delete": (delete, "chat:write"),
    "chat.getPermalink": (get_permalink, ""),
    "blocks.validate": (validate, ""),
    "reactions.add": (add_reaction, "reactions:write"),
}
