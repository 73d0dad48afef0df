"""The translations that come with the program, read from their .po files, once in a process: some 70 ms for each.

Nothing is compiled beforehand, so that a clone, an editable installation and a wheel work alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from io import BytesIO

from bot.language import ENGLISH, IN_ENGLISH, LANGUAGES, SPANISH, Catalogue, Forms, reading

SPANISH_I = ("i", "í", "hi", "hí")  # the sound before which "y" becomes "e"
NOT_THAT_SOUND = ("hia", "hie", "hio", "ia", "ie", "io", "iu")


def in_language(code: str) -> AbstractContextManager[None]:
    """Within this block, texts are read in that language, one of LANGUAGES."""
    return reading(catalogue_of(code))


def language_of(locale: str, otherwise: str) -> str:
    """The language that we have for a locale such as es-ES or es_419; `otherwise` when there is none."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else otherwise


def read_catalogues() -> None:
    """For a process that answers people, as it starts: its first answer in a language does not wait for this."""
    for code in LANGUAGES:
        catalogue_of(code)


@cache
def catalogue_of(code: str) -> Catalogue:
    if code == ENGLISH:
        return IN_ENGLISH
    from babel.dates import (  # takes a while, and an installation in English needs none of it
        format_date,
        format_skeleton,
    )
    from babel.messages.pofile import read_po
    from babel.numbers import format_decimal

    po = read_po(BytesIO(files("bot.language").joinpath(f"{code}.po").read_bytes()), locale=code)
    messages: dict[tuple[str, str], Forms] = {}
    for message in po:
        one = message.id if isinstance(message.id, str) else message.id[0]
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        if one and forms and all(forms) and not message.fuzzy:
            messages[message.context or "", one] = forms

    def moment(at: datetime) -> str:
        day, hour = (format_skeleton(parts, at.astimezone(UTC), locale=code) for parts in ("yMMMd", "Hm"))
        return f"{day}, {hour} UTC"

    return Catalogue(
        code=code,
        messages=messages,
        count=lambda number: format_decimal(number, locale=code),
        moment=moment,
        day=lambda on: format_date(on, "long", locale=code),
        list=LISTS[code],
    )


def _spanish_list(items: Sequence[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    last = items[-1].lower()
    and_ = "e" if last.startswith(SPANISH_I) and not last.startswith(NOT_THAT_SOUND) else "y"
    return f"{', '.join(items[:-1])} {and_} {items[-1]}"


LISTS = {SPANISH: _spanish_list}
