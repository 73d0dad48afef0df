"""One call of the Web API, parsed, and the renderings that several methods share.

The methods are in the other modules of this folder.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..backend import Backend
from ..wire import Json, SlackError, flag_at, parsed
from ..workspace import Channel, Message, SandboxPerson, UploadedFile

T = TypeVar("T")
MAXIMUM_PAGE = 1000


@dataclass(frozen=True)
class Call:
    """`base_url` is the sandbox's address as the caller used it, without a slash at the end."""

    arguments: Mapping[str, object]
    base_url: str
    backend: Backend

    def text(self, name: str, default: str = "") -> str:
        value = self.arguments.get(name, default)
        return str(value) if isinstance(value, str | int | float) else default

    def needed(self, name: str, error: str = "invalid_arguments") -> str:
        value = self.text(name)
        if not value:
            raise SlackError(error, response_metadata={"messages": [f"[ERROR] missing required field: {name}"]})
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        return flag_at(self.arguments, name) if name in self.arguments else default

    def structure(self, name: str) -> object:
        return parsed(self.arguments.get(name))

    def check_workspace(self) -> None:
        """An app of a whole organisation must say which workspace it asks about; for others the argument is ignored."""
        if self.backend.app.enterprise and self.needed("team_id", "missing_argument") != self.backend.workspace.id:
            raise SlackError("team_access_not_granted")

    def require(self, scope: str) -> None:
        scopes = self.backend.app.scopes
        if scope not in scopes:
            raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(scopes)))


Method = Callable[[Call], Json]


def page_of(call: Call, rows: Sequence[T], default_limit: int) -> tuple[list[T], str]:
    """One page of rows and the next cursor, which is empty on the last page."""
    limit = min(int(call.text("limit") or default_limit) or default_limit, MAXIMUM_PAGE)
    start = _offset(call.text("cursor"))
    more = start + limit < len(rows)
    cursor = base64.b64encode(f"next:{start + limit}".encode()).decode() if more else ""
    return list(rows[start : start + limit]), cursor


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
    except (binascii.Error, ValueError):
        raise SlackError("invalid_cursor") from None


def as_user(person: SandboxPerson, *, with_email: bool) -> Json:
    profile: Json = {"real_name": person.real_name, "display_name": person.name, "team": person.team_id}
    if with_email and not person.is_bot:
        profile["email"] = person.email
    confirmed: Json = {} if person.is_bot else {"is_email_confirmed": person.is_email_confirmed}
    return {
        **confirmed,
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "real_name": person.real_name,
        "deleted": person.deleted,
        "tz": person.timezone,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": False,
        "profile": profile,
    }


def as_channel(channel: Channel) -> Json:
    if channel.dm_with:
        return {"id": channel.id, "created": channel.created, "is_im": True, "user": channel.dm_with, "is_open": True}
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "created": channel.created,
        "is_channel": True,
        "is_im": False,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_member": channel.bot_is_member,
        "is_shared": False,
        "is_ext_shared": False,
    }


def as_file(file: UploadedFile, base_url: str) -> Json:
    return {
        "id": file.id,
        "name": file.name,
        "title": file.title,
        "size": len(file.content),
        "mimetype": file.mimetype,
        "alt_txt": file.alt,
        "url_private": f"{base_url}/files/{file.id}/{file.name}",
        "permalink": f"{base_url}/files/{file.id}/{file.name}",
    }


def as_message(backend: Backend, message: Message, *, with_metadata: bool = False, base_url: str = "") -> Json:
    """A message as the Web API and the interaction payloads show it."""
    app = backend.app
    shown: Json = {"type": "message", "user": message.author, "ts": message.ts, "text": message.text}
    if message.is_tombstone:
        shown |= {"subtype": "tombstone", "hidden": True}
    if message.author == app.bot_user_id:
        profile = {"id": app.bot_id, "app_id": app.app_id, "name": app.name, "team_id": backend.workspace.id}
        shown |= {"bot_id": app.bot_id, "app_id": app.app_id, "team": backend.workspace.id, "bot_profile": profile}
    if message.blocks:
        shown["blocks"] = list(message.blocks)
    if message.attachments:
        shown["attachments"] = list(message.attachments)
    if message.edited:
        shown["edited"] = {"user": message.author, "ts": message.edited}
    if message.reactions:
        shown["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)} for name, users in message.reactions.items()
        ]
    if message.files:
        shown["files"] = [as_file(file, base_url) for file in message.files]
    if with_metadata and message.metadata is not None:
        shown["metadata"] = message.metadata
    return shown | _thread(backend, message)


def _thread(backend: Backend, message: Message) -> Json:
    if message.is_reply:
        subtype: Json = {"subtype": "thread_broadcast"} if message.is_broadcast else {}
        return {"thread_ts": message.thread_ts, **subtype}
    replies = backend.workspace.replies_to(message)
    if not replies:
        return {}
    authors = list(dict.fromkeys(reply.author for reply in replies))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(authors),
        "reply_users": authors,
        "latest_reply": replies[-1].ts,
    }
