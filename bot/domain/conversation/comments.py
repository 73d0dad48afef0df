"""Putting on record what a person wrote in a card's thread. Each text of a message once; an edited message is recorded again as an edit."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.conversation_state import Comment
from bot.domain.events import CommentRecorded, Event
from bot.domain.model import TransitionRequest
from bot.domain.names import storable
from bot.errors import Refused
from bot.language import _

MOST = 100  # of one request, edits included: its row, its page and its ticket hold them all
TEXT_LIMIT = 4_000  # characters


def record(request: TransitionRequest, comment: Comment) -> list[Event]:
    """Empty when just this text of the message is on record already. Raises Refused."""
    said = replace(comment, text=storable(comment.text).strip())
    if not said.text:
        raise Refused(_("this message has no text, and only text goes on record"))
    if len(said.text) > TEXT_LIMIT:
        raise Refused(
            _(
                "this message has more than {count} characters. Write in the thread what matters, and mark that",
                count=TEXT_LIMIT,
            )
        )
    earlier = [one for one in request.conversation.comments if one.message == said.message]
    if earlier and earlier[-1].text == said.text:
        return []
    if len(request.conversation.comments) >= MOST:
        raise Refused(_("{count} comments are on record for this request, and no more are kept", count=MOST))
    return [CommentRecorded(said.at, request.id, replace(said, is_edit=bool(earlier)))]
