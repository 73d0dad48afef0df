"""The `response_url` of an interaction, which accepts five answers within thirty minutes without a token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from .block_kit.validation import checked_blocks
from .wire import Json, SlackError, flag_at, objects_at, text_at
from .workspace import Message, Workspace

USES = 5  # https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
LIVES = 30 * 60.0


@dataclass
class ResponseUrl:
    person_id: str
    channel_id: str
    message_ts: str
    issued: float
    uses_left: int = USES


class ResponseUrls:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._issued: dict[str, ResponseUrl] = {}

    def issue(self, person_id: str, channel_id: str, message_ts: str = "") -> str:
        """Returns the secret at the end of the address."""
        secret = secrets.token_urlsafe(18)
        self._issued[secret] = ResponseUrl(person_id, channel_id, message_ts, self._now())
        return secret

    def redeem(self, secret: str) -> ResponseUrl:
        url = self._issued.get(secret)
        if url is None:
            raise SlackError("invalid_url")
        if self._now() - url.issued > LIVES:
            raise SlackError("expired_url")
        if url.uses_left == 0:
            raise SlackError("used_url")
        url.uses_left -= 1
        return url


def answer(workspace: Workspace, bot_user_id: str, url: ResponseUrl, body: Json) -> None:
    """Carries out the body: a new message (ephemeral unless `in_channel`), a replacement, or a deletion."""
    with workspace.lock:
        original = workspace.find_message(url.channel_id, url.message_ts)
        if flag_at(body, "delete_original"):
            if original is not None:
                workspace.remove(original)
            return
        blocks = checked_blocks(body["blocks"], workspace.pictures()) if body.get("blocks") else []
        text = text_at(body, "text")
        if not text and not blocks:
            raise SlackError("no_text")
        if flag_at(body, "replace_original") and original is not None:
            edited = "" if blocks else workspace.new_ts()
            workspace.put(replace(original, text=text, blocks=blocks, edited=edited))
            return
        workspace.put(
            Message(
                url.channel_id,
                workspace.new_ts(),
                bot_user_id,
                text,
                blocks,
                objects_at(body, "attachments"),
                thread_ts=text_at(body, "thread_ts"),
                only_for="" if body.get("response_type") == "in_channel" else url.person_id,
            )
        )
