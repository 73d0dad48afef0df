"""The local Slack's data: people, channels, groups, messages and files, in memory, behind one lock.

No HTTP and no permissions here: `web_api` decides what a token may do, `interactions` what a person's click sends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .wire import Json, every_object, every_text

TEAM_ID = "T0SANDBOX01"


@dataclass(frozen=True)
class SandboxPerson:
    """A person with an account. A `team_id` other than the workspace's means an external person from a shared channel."""

    id: str
    name: str
    real_name: str
    email: str
    is_bot: bool = False
    deleted: bool = False
    is_restricted: bool = False
    is_email_confirmed: bool = True
    team_id: str = TEAM_ID
    locale: str = "en-US"
    timezone: str = "UTC"


@dataclass
class Channel:
    """A public or private channel, or a direct message with the bot (then `dm_with` is a person's id)."""

    id: str
    name: str
    created: int
    dm_with: str = ""
    is_private: bool = False
    is_archived: bool = False
    bot_is_member: bool = True


SLACKBOT = "USLACKBOT"
DELETED = "This message was deleted."
PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


@dataclass(frozen=True)
class UploadedFile:
    """`looks_left` is the number of `files.info` calls until the file counts as processed."""

    id: str
    name: str
    title: str
    content: bytes
    alt: str = ""
    looks_left: int = 0

    @property
    def mimetype(self) -> str:
        """From the content alone; empty until the file is processed."""
        if self.looks_left:
            return ""
        known = (mimetype for start, mimetype in PICTURES.items() if self.content.startswith(start))
        return next(known, "application/octet-stream")

    @property
    def is_picture(self) -> bool:
        return self.mimetype in PICTURES.values()


@dataclass(frozen=True)
class Message:
    """`author` is a person's id, the bot's user id, or USLACKBOT. `only_for` names the one person who sees an ephemeral message.

    `is_broadcast`: a reply that is shown in its channel too. A tombstone stands where a message with replies was deleted.
    """

    channel: str
    ts: str
    author: str
    text: str = ""
    blocks: Sequence[Json] = ()
    attachments: Sequence[Json] = ()
    thread_ts: str = ""
    metadata: Json | None = None
    edited: str = ""
    reactions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Sequence[UploadedFile] = ()
    only_for: str = ""
    unfurl: bool = True
    is_broadcast: bool = False
    is_tombstone: bool = False

    @property
    def is_reply(self) -> bool:
        return bool(self.thread_ts) and self.thread_ts != self.ts

    @property
    def buttons(self) -> dict[str, Json]:
        """The interactive elements by their action id, in the message's order."""
        return {str(part["action_id"]): part for part in every_object(list(self.blocks)) if "action_id" in part}

    @property
    def all_text(self) -> str:
        """All text in the blocks, or the message's text when there are none."""
        return "\n".join(every_text(list(self.blocks))) if self.blocks else self.text


class Workspace:
    """Messages are immutable and replaced on change; `revision` grows with every change, so that the page knows when to redraw."""

    def __init__(
        self,
        people: Iterable[SandboxPerson],
        channels: Iterable[str],
        groups: Mapping[str, Sequence[str]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.id, self.domain, self.name = TEAM_ID, "sandbox", "Countersign sandbox"
        self.now = now
        self.lock = threading.RLock()
        self.revision = 0
        self.people = {person.id: person for person in people}
        self.groups = {handle: tuple(members) for handle, members in groups.items()}
        self.disabled_groups: set[str] = set()
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, UploadedFile] = {}
        self.troubles: dict[tuple[str, str], str] = {}
        self.takes_charts = True
        self.notified: list[
            tuple[str, str]
        ] = []  # by message: the people and groups mentioned when it was posted, not when it was edited
        self._messages: dict[str, dict[str, Message]] = {}
        self._last_ts = 0
        for name in channels:
            self.add_channel(name)

    def person(self, name_or_id: str) -> SandboxPerson:
        """Raises LookupError, which lists the people."""
        for person in self.people.values():
            if name_or_id in (person.id, person.name):
                return person
        known = ", ".join(person.name for person in self.people.values())
        raise LookupError(f"nobody here is called {name_or_id!r}; there are {known}")

    def channel(self, name_or_id: str) -> Channel:
        """Raises LookupError, which lists the channels."""
        channel = self.find_channel(name_or_id)
        if channel is None:
            known = ", ".join(channel.name for channel in self.channels.values() if not channel.dm_with)
            raise LookupError(f"there is no channel {name_or_id!r}; there are {known}")
        return channel

    def find_channel(self, name_or_id: str) -> Channel | None:
        by_id = self.channels.get(name_or_id)
        if by_id is not None:
            return by_id
        name = name_or_id.removeprefix("#")
        return next(
            (channel for channel in self.channels.values() if channel.name == name and not channel.dm_with), None
        )

    def add_channel(
        self, name: str, *, is_private: bool = False, bot_is_member: bool = True, dm_with: str = ""
    ) -> Channel:
        with self.lock:
            letter = "D" if dm_with else "G" if is_private else "C"
            id_ = f"{letter}0SANDBOX{len(self.channels) + 1:02d}"
            channel = Channel(id_, name, int(self.now()), dm_with, is_private, bot_is_member=bot_is_member)
            self.channels[channel.id] = channel
            self._messages[channel.id] = {}
            self.revision += 1
            return channel

    def direct_channel(self, person_id: str) -> Channel:
        """The conversation between the bot and one person; created when it does not exist."""
        with self.lock:
            for channel in self.channels.values():
                if channel.dm_with == person_id:
                    return channel
            return self.add_channel(f"dm-{person_id}", dm_with=person_id)

    def new_ts(self) -> str:
        """Slack's message id: seconds and microseconds, unique and growing."""
        with self.lock:
            self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def put(self, message: Message) -> Message:
        with self.lock:
            self._messages[message.channel][message.ts] = message
            self.revision += 1
            return message

    def remove(self, message: Message) -> None:
        """As in Slack, a message with replies leaves a tombstone, until the last of its replies is deleted."""
        with self.lock:
            if self.replies_to(message):
                self.put(Message(message.channel, message.ts, SLACKBOT, DELETED, is_tombstone=True))
                return
            del self._messages[message.channel][message.ts]
            parent = self._messages[message.channel].get(message.thread_ts)
            if parent is not None and parent.is_tombstone and not self.replies_to(parent):
                del self._messages[parent.channel][parent.ts]
            self.revision += 1

    def replies_to(self, message: Message) -> list[Message]:
        replies = [one for one in self.messages(message.channel) if one.thread_ts == message.ts]
        return [one for one in replies if one.is_reply and not one.only_for]

    def find_message(self, channel_id: str, ts: str) -> Message | None:
        return self._messages.get(channel_id, {}).get(ts)

    def messages(self, channel_id: str) -> list[Message]:
        """Oldest first, including thread replies and ephemeral messages."""
        with self.lock:
            return list(self._messages[channel_id].values())

    def pictures(self) -> frozenset[str]:
        """The ids of the files that a block may show."""
        with self.lock:
            return frozenset(file.id for file in self.files.values() if file.is_picture)

    def react(self, message: Message, name: str, by: str) -> None:
        with self.lock:
            reactions = {**message.reactions, name: (*message.reactions.get(name, ()), by)}
            self.put(replace(message, reactions=reactions))

    def touch(self) -> None:
        """Records that something shown on the page has changed."""
        with self.lock:
            self.revision += 1

    def set_trouble(self, person_id: str, ts: str, sentence: str) -> None:
        """Sets the warning that Slack shows on a message whose click failed; an empty sentence removes it."""
        with self.lock:
            self.troubles[person_id, ts] = sentence
            self.revision += 1
