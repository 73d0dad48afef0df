"""The Web API's `conversations.*`: channels and their messages."""

from __future__ import annotations

from collections.abc import Sequence

from ..wire import Json, SlackError
from ..workspace import Channel, Message
from .calls import Call, Method, as_channel, as_message, page_of
from .files import note_look

PREFIX = {"public_channel": "channels", "private_channel": "groups", "im": "im"}


def list_conversations(call: Call) -> Json:
    call.check_workspace()
    kinds = [kind.strip() for kind in (call.text("types") or "public_channel").split(",")]
    for kind in kinds:
        if kind not in {*PREFIX, "mpim"}:
            raise SlackError("invalid_types")
        if kind in PREFIX:
            call.require(f"{PREFIX[kind]}:read")
    channels = [channel for channel in _visible(call) if _kind(channel) in kinds]
    if call.flag("exclude_archived"):
        channels = [channel for channel in channels if not channel.is_archived]
    page, cursor = page_of(call, channels, default_limit=100)
    return {"channels": [as_channel(channel) for channel in page], "response_metadata": {"next_cursor": cursor}}


def tell_about(call: Call) -> Json:
    channel = _channel(call)
    call.require(f"{PREFIX[_kind(channel)]}:read")
    return {"channel": as_channel(channel)}


def history(call: Call) -> Json:
    """Newest first, without thread replies, but for those shown in the channel too, and ephemeral messages."""
    channel = _readable(call)
    messages = [one for one in _said_in(call, channel) if one.is_broadcast or not one.is_reply]
    messages = [message for message in messages if _within(call, message)]
    return _page_of_messages(call, messages[::-1])


def replies(call: Call) -> Json:
    """The thread's first message, then the replies, oldest first."""
    channel, thread_ts = _readable(call), call.needed("ts", "thread_not_found")
    note_look(call.backend)
    thread = [message for message in _said_in(call, channel) if thread_ts in (message.ts, message.thread_ts)]
    if not thread:
        raise SlackError("thread_not_found")
    return _page_of_messages(call, [message for message in thread if message.ts == thread_ts or _within(call, message)])


def open_conversation(call: Call) -> Json:
    workspace = call.backend.workspace
    people = [person_id for person_id in call.text("users").split(",") if person_id]
    if len(people) != 1:
        raise SlackError("users_list_not_supplied" if not people else "too_many_users")
    person = workspace.people.get(people[0])
    if person is None:
        raise SlackError("user_not_found")
    if person.deleted:
        raise SlackError("user_disabled")
    channel = workspace.direct_channel(person.id)
    return {"channel": as_channel(channel) if call.flag("return_im") else {"id": channel.id}}


def join(call: Call) -> Json:
    channel = _channel(call)
    if _kind(channel) != "public_channel":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    channel.bot_is_member = True
    return {"channel": as_channel(channel)}


def _kind(channel: Channel) -> str:
    if channel.dm_with:
        return "im"
    return "private_channel" if channel.is_private else "public_channel"


def _visible(call: Call) -> list[Channel]:
    channels = call.backend.workspace.channels.values()
    return [channel for channel in channels if channel.bot_is_member or not channel.is_private]


def _channel(call: Call) -> Channel:
    wanted = call.needed("channel", "channel_not_found")
    channel = next((channel for channel in _visible(call) if channel.id == wanted), None)
    if channel is None:
        raise SlackError("channel_not_found")
    return channel


def _readable(call: Call) -> Channel:
    channel = _channel(call)
    call.require(f"{PREFIX[_kind(channel)]}:history")
    if not channel.bot_is_member:
        raise SlackError("not_in_channel")
    return channel


def _said_in(call: Call, channel: Channel) -> list[Message]:
    return [message for message in call.backend.workspace.messages(channel.id) if not message.only_for]


def _within(call: Call, message: Message) -> bool:
    ts, oldest, latest = _micros(message.ts), call.text("oldest"), call.text("latest")
    try:
        after = not oldest or ts > _micros(oldest)
        before = not latest or ts < _micros(latest)
        on_the_edge = ts in [_micros(bound) for bound in (oldest, latest) if bound]
    except ValueError:
        raise SlackError("invalid_ts_latest" if latest else "invalid_ts_oldest") from None
    return (after and before) or (on_the_edge and call.flag("inclusive"))


def _micros(ts: str) -> int:
    return round(float(ts) * 1_000_000)


def _page_of_messages(call: Call, messages: Sequence[Message]) -> Json:
    page, cursor = page_of(call, messages, default_limit=100)
    with_metadata = call.flag("include_all_metadata")
    shown = [as_message(call.backend, row, with_metadata=with_metadata, base_url=call.base_url) for row in page]
    answer: Json = {"messages": shown, "has_more": bool(cursor)}
    return {**answer, "response_metadata": {"next_cursor": cursor}} if cursor else answer


METHODS: dict[str, tuple[Method, str]] = {
    "conversations.list": (list_conversations, ""),
    "conversations.info": (tell_about, ""),
    "conversations.history": (history, ""),
    "conversations.replies": (replies, ""),
    "conversations.open": (open_conversation, "im:write"),
    "conversations.join": (join, "channels:join"),
}
