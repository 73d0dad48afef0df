"""The ids of Slack's channels and of direct conversations. Slack accepts a channel's name for posting, but only its id for reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bot.clients.slack.calls import SlackCalls, objects_at, text_at
from bot.clients.slack.people import Remembered, SlackPeople
from bot.errors import Permanent

LONG_PAGE = 999  # channels; Slack allows only twenty calls a minute
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{7,}")
ACCOUNT_ID = re.compile(r"[UW][A-Z0-9]{7,}")


class SlackChannels:
    """Remembers what it has found, by `clock` in seconds."""

    def __init__(self, calls: SlackCalls, people: SlackPeople, clock: Callable[[], float]) -> None:
        self._calls, self._people = calls, people
        self._known = Remembered[str](clock)

    def id_of(self, channel: str) -> str:
        """Slack accepts a channel's name for posting, but only its id for reading."""
        if CHANNEL_ID.fullmatch(channel):
            return channel
        if ACCOUNT_ID.fullmatch(channel):
            return self._open(channel)
        name = channel.removeprefix("#")
        return self._known.get(name, lambda: self._look_up(name))

    def _look_up(self, name: str) -> str:
        found = list(dict.fromkeys(self._called(name)))
        if len(found) > 1:
            raise Permanent(
                f"Several workspaces have a channel #{name}: {', '.join(found)}. Write the id of the one you mean in the policy."
            )
        if found:
            return found[0]
        raise Permanent(
            f"The bot sees no channel #{name}. Check the name in the policy; if the channel is private, "
            "write `/invite @Countersign` there. Then replay the job."
        )

    def _called(self, name: str) -> Iterator[str]:
        for workspace in self._people.places():
            everywhere = {**workspace, "types": "public_channel,private_channel", "limit": LONG_PAGE}
            for page in self._calls.pages("conversations.list", everywhere):
                here = [text_at(one, "id") for one in objects_at(page, "channels") if one.get("name") == name]
                yield from here
                if here:
                    break

    def _open(self, account_id: str) -> str:
        """The id of our direct conversation with this person; safe to repeat."""
        return text_at(self._calls.call("conversations.open", {"users": account_id}), "channel", "id")
