"""A request's conversation as lines with printed names, for `describe`, the pages and `requests show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.conversation_state import Conversation
from bot.domain.model import TransitionRequest
from bot.domain.text import person_name
from bot.language import Text, _


@dataclass(frozen=True)
class Said:
    """`what` says what somebody did; `text` is their own words, `url` the message where there is one."""

    at: datetime
    person: str
    what: str
    text: str
    url: str = ""


def conversation_of(request: TransitionRequest, names: Mapping[str, str]) -> tuple[Said, ...]:
    """In the order in which it happened."""
    said = request.conversation
    found = [*_questions(said, names), *_handovers(said, names), *_comments(said, names)]
    return tuple(sorted(found, key=lambda one: one.at))


def said_text(said: Said) -> str:
    """On one line."""
    return _(
        "{person} {what} on {when}: {text}", person=said.person, what=said.what, when=said.at, text=said.text or "–"
    )


def _questions(said: Conversation, names: Mapping[str, str]) -> Iterator[Said]:
    for one in said.questions:
        url = one.posted.url if one.posted else ""
        yield Said(one.at, person_name(one.person, names), _("asked a question"), one.text, url)
        if one.answered_at is not None:
            yield Said(one.answered_at, person_name(one.answered_by, names), _("answered"), one.answer, url)


def _handovers(said: Conversation, names: Mapping[str, str]) -> Iterator[Said]:
    for one in said.handovers:
        what = _("handed it over to {person}", person=person_name(one.to, names))
        yield Said(one.at, person_name(one.by, names), what, one.note)


def _comments(said: Conversation, names: Mapping[str, str]) -> Iterator[Said]:
    for one in said.comments:
        yield Said(
            one.at,
            person_name(one.marked_by, names),
            _recorded(one.is_edit, person_name(one.author, names)),
            one.text,
            one.url,
        )


def _recorded(is_edit: bool, author: str) -> Text:
    if is_edit:
        return _("recorded the edited words of {author}", author=author)
    return _("recorded the words of {author}", author=author)
