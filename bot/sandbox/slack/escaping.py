"""How Slack escapes a command's text when the command's `should_escape` is on.

https://docs.slack.dev/interactivity/implementing-slash-commands: typed people, channels and links are sent with their ids.
"""

from __future__ import annotations

import re

from .web_api.people import group_id
from .workspace import Workspace

LIVE = re.compile(
    r"(?P<link>https?://[^\s<>|]+)"
    r"|(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?<!\w)@(?P<name>[\w-]+(?:\.[\w-]+)*)"
    r"|(?<!\w)#(?P<channel>[\w-]+)"
)
EVERYBODY = ("here", "channel", "everyone")


def escaped(text: str, workspace: Workspace) -> str:
    """An unknown name stays unchanged."""
    pieces, last = [], 0
    for found in LIVE.finditer(text):
        pieces += [_plain(text[last : found.start()]), _token(found, workspace)]
        last = found.end()
    return "".join([*pieces, _plain(text[last:])])


def _token(found: re.Match[str], workspace: Workspace) -> str:
    typed = found.group()
    if found["link"]:
        return f"<{_plain(typed)}>"
    if found["mail"]:
        return f"<mailto:{typed}|{typed}>"
    if found["channel"]:
        channel = workspace.find_channel(found["channel"])
        return f"<#{channel.id}|{channel.name}>" if channel else typed
    return _mention(found["name"], workspace)


def _mention(name: str, workspace: Workspace) -> str:
    if name in EVERYBODY:
        return f"<!{name}>"
    if name in workspace.groups:
        return f"<!subteam^{group_id(name)}|@{name}>"
    ids = [person.id for person in workspace.people.values() if person.name == name]
    return f"<@{ids[0]}|{name}>" if ids else f"@{name}"


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
