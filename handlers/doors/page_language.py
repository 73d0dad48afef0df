"""In which language a page is: the reader's Slack, else what the browser asks for, else the policy's. And the texts of the templates.

In a template `_("{name} is away", name=...)` and `ngettext` escape the text and its values; a value that is markup stays markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime

import structlog
from flask import Blueprint, Response, g, request
from markupsafe import Markup, escape

from bot.domain.names import shown
from bot.errors import CountersignError
from bot.language import ENGLISH, Message, Shown, Text, capitalised, moment, now_reading, reread
from bot.language.catalogues import in_language, language_of
from bot.services import Services
from handlers.doors.errors import DATABASE_DOWN

log = structlog.get_logger()

VARY = "Cookie, Accept-Language"


def speak_to_people(door: Blueprint, s: Services) -> None:
    """Each request begins in the browser's language; `speak_as` changes to the reader's, once they are known."""

    @door.before_request
    def begin() -> None:
        g.languages = ExitStack()
        speak(asked_language(s))

    @door.after_request
    def labelled(response: Response) -> Response:
        response.headers.setdefault("Vary", VARY)
        return response

    @door.teardown_request
    def end(_error: BaseException | None) -> None:
        languages = g.pop("languages", None)
        if languages is not None:
            languages.close()

    door.add_app_template_global(text, "_")
    door.add_app_template_global(several_texts, "ngettext")
    door.add_app_template_global(context_text, "pgettext")
    door.add_app_template_global(now_reading, "language")
    door.add_app_template_global(number)
    door.add_app_template_global(percent)
    door.add_app_template_filter(lambda name: shown(str(name)), "shown")
    door.add_app_template_filter(isolated, "bdi")
    door.add_app_template_filter(sentence_case, "first_upper")


def asked_language(s: Services) -> str:
    """What the browser asks for, else the policy's."""
    known = (language_of(locale, otherwise="") for locale in request.accept_languages.values())
    return next(filter(None, known), "") or _of_policy(s)


def _of_policy(s: Services) -> str:
    """English while it cannot be read: the page itself says what is wrong."""
    try:
        return s.store.policy().language
    except (CountersignError, *DATABASE_DOWN) as trouble:
        log.warning("language_unknown", kind=type(trouble).__name__)
        return ENGLISH


def speak(language: str) -> None:
    """Until the end of the request."""
    g.languages.enter_context(in_language(language))


def speak_as(locale: str) -> None:
    """In the language of a reader's Slack; where we do not have it, what the browser asked for stays."""
    if "languages" in g:
        speak(language_of(locale, now_reading()))


def text(message: str, /, **values: object) -> Markup:
    return _filled(Message("", message, None, 1, {}), values)


def context_text(context: str, message: str, /, **values: object) -> Markup:
    return _filled(Message(context, message, None, 1, {}), values)


def several_texts(one: str, several: str, number: int, /, **values: object) -> Markup:
    return _filled(Message("", one, several, number, {}), {"count": number, **values})


def isolated(name: object) -> Markup:
    """A name written from right to left turns nothing else around."""
    return Markup("<bdi>{}</bdi>").format(name)


def sentence_case(said: str) -> str:
    return str(capitalised(reread(said)))


def number(count: int) -> str:
    return str(Text(Shown(count)))


def percent(change: float) -> str:
    """With its sign, and the decimal point that metrics have in every language."""
    return f"{change:+.1f} %"


def when(at: datetime | None) -> Markup:
    """A time for people and for programs; nothing for None."""
    if at is None:
        return Markup("")
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), str(moment(at)))


def _filled(message: Message, values: Mapping[str, object]) -> Markup:
    """The message without its values is a template, in which only names in braces are special."""
    template = Markup(escape(str(Text(message))))  # nosec B704
    return template.format(**{name: _shown(value) for name, value in values.items()}) if values else template


def _shown(value: object) -> object:
    if isinstance(value, Markup):
        return value
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, int | str):
        return escape(str(Text(Shown(value))))
    return escape(str(value))
