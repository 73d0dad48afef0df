"""Texts for people, in the language of their reader. English in the code is the source; `catalogues` reads the translations.

`_("{name} is away", name=...)` is read in the language that `reading` has set, and in English outside of it. A parameter is a text, a
count (an int, with the language's separators), a moment (an aware datetime), or a list of texts (joined by "and"). Version numbers are
names and no counts: give them as text.

What the ledger keeps is English. `recorded("lineage", "run {run} finished", run=...)` writes such a sentence, and `from_record` reads it
back in the reader's language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Literal, Protocol, TypeVar, cast, get_args

from bot.language.records import Reader

NAME_FIRST = re.compile(r"\w\S*[:/@_.=]\w|[a-z]\d|\S+ v\d")  # not a hyphen alone, as in self-reported
PART_FIRST = re.compile(r"\{(\w+)\}")

ENGLISH, SPANISH = "en", "es"
LANGUAGES = (ENGLISH, SPANISH)

Value = str | int | datetime | date | Sequence[str]
Forms = tuple[str, ...]  # of a translation: one, or one for each plural
Subject = Literal["lineage", "fast track", "outcome"]  # of a sentence that the ledger keeps
SUBJECTS: tuple[str, ...] = get_args(Subject)
Anything = TypeVar("Anything")


def _english_list(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1]))) if items else ""


@dataclass(frozen=True)
class Catalogue:
    """One language. `messages` are the translations, by context and English text; `plural` says which form a number takes."""

    code: str
    messages: Mapping[tuple[str, str], Forms] = field(default_factory=dict)
    plural: Callable[[int], int] = lambda number: int(number != 1)
    count: Callable[[int], str] = "{:,}".format
    moment: Callable[[datetime], str] = lambda at: f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    day: Callable[[date], str] = lambda on: f"{on.day} {on:%B %Y}"
    list: Callable[[Sequence[str]], str] = _english_list

    def shown(self, value: Value) -> str:
        if isinstance(value, str):
            return reread(value, self)
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, date):
            return self.day(value)
        return self.count(value) if isinstance(value, int) else self.list([self.shown(item) for item in value])

    @cached_property
    def records(self) -> Reader:
        """Reads sentences that were recorded in English."""
        return Reader({text: forms[0] for (context, text), forms in self.messages.items() if context in SUBJECTS})


IN_ENGLISH = Catalogue(ENGLISH)
_reading: ContextVar[Catalogue] = ContextVar("reading", default=IN_ENGLISH)


@contextmanager
def reading(catalogue: Catalogue) -> Iterator[None]:
    """Within this block, and in no other thread or task, texts are read in that language."""
    before = _reading.set(catalogue)
    try:
        yield
    finally:
        _reading.reset(before)


def now_reading() -> str:
    """The code of the language that texts are read in now."""
    return _reading.get().code


class Source(Protocol):
    """What a text was made of."""

    def read(self, catalogue: Catalogue) -> str: ...


class Text(str):
    """A text in one language that can be read in another one later. Where it is stored or pickled, a plain string remains of it."""

    source: Source

    def __new__(cls, source: Source, catalogue: Catalogue | None = None) -> Text:
        text = super().__new__(cls, source.read(catalogue or _reading.get()))
        text.source = source
        return text

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


@dataclass(frozen=True)
class Message:
    """`several` is None where the text has no plural; else `number` chooses the form."""

    context: str
    one: str
    several: str | None
    number: int
    values: Mapping[str, Value]

    def read(self, catalogue: Catalogue) -> str:
        template = self._template(catalogue)
        values = {name: catalogue.shown(value) for name, value in self.values.items()}
        return template.format(**values) if values else template

    def first_part(self, catalogue: Catalogue) -> Value | None:
        """What its text begins with, where that is no word of its own."""
        found = PART_FIRST.match(self._template(catalogue))
        return self.values.get(found[1]) if found else None

    def _template(self, catalogue: Catalogue) -> str:
        forms = catalogue.messages.get((self.context, self.one))
        if forms:
            return forms[catalogue.plural(self.number) if self.several is not None else 0]
        return self.one if self.several is None or self.number == 1 else self.several


@dataclass(frozen=True)
class Shown:
    value: Value

    def read(self, catalogue: Catalogue) -> str:
        return catalogue.shown(self.value)


@dataclass(frozen=True)
class Sequel:
    """Whole sentences, one after the other."""

    sentences: tuple[str, ...]
    between: str

    def read(self, catalogue: Catalogue) -> str:
        return self.between.join(catalogue.shown(sentence) for sentence in self.sentences)

    @property
    def first(self) -> str:
        return self.sentences[0] if self.sentences else ""


@dataclass(frozen=True)
class Recorded:
    text: str

    def read(self, catalogue: Catalogue) -> str:
        constant = catalogue.messages.get(("", self.text)) if self.text else None
        return constant[0] if constant else catalogue.records.read(self.text)


@dataclass(frozen=True)
class Without:
    """What was recorded, without its ending: the record is read whole, since the rest of it alone would not be known again."""

    text: str
    ending: str

    def read(self, catalogue: Catalogue) -> str:
        whole = Recorded(self.text).read(catalogue)
        return whole.removesuffix(Message("", self.ending, None, 1, {}).read(catalogue)).removesuffix(self.ending)


def capitalised(text: str, catalogue: Catalogue | None = None) -> str:
    """As a sentence begins, but for a name such as models:/bike/3 or bike-demand, which stays as it is written."""
    return text if _begins_with_name(text, catalogue or _reading.get()) else f"{text[:1].upper()}{text[1:]}"


def _begins_with_name(text: str, catalogue: Catalogue) -> bool:
    """A word in the place of a parameter is a name. Of a plain string only its spelling tells."""
    source = text.source if isinstance(text, Text) else None
    if isinstance(source, Sequel | Alone):
        return _begins_with_name(source.first, catalogue)
    first = source.first_part(catalogue) if isinstance(source, Message) else None
    if isinstance(first, str):
        is_word = not isinstance(first, Text) and " " not in first
        return is_word or _begins_with_name(first, catalogue)
    return NAME_FIRST.match(text) is not None


@dataclass(frozen=True)
class Alone:
    text: str

    @property
    def first(self) -> str:
        return self.text

    def read(self, catalogue: Catalogue) -> str:
        text = catalogue.shown(self.text)
        return f"{capitalised(text, catalogue)}{'' if text.endswith(('.', '?')) else '.'}"


def _(text: str, /, **values: Value) -> Text:
    return Text(Message("", text, None, 1, values))


def pgettext(context: str, text: str, /, **values: Value) -> Text:
    """For a short text that other languages say in different ways; `context` is for translators."""
    return Text(Message(context, text, None, 1, values))


def ngettext(one: str, several: str, number: int, /, **values: Value) -> Text:
    """The form for `number`, which the text may show as {count}."""
    return Text(Message("", one, several, number, {"count": number, **values}))


def N_(text: str) -> str:
    """Marks a constant for the catalogues. It stays English, also in the ledger; `_` reads it where it is shown."""
    return text


def recorded(subject: Subject, text: str, /, **values: Value) -> str:
    """A sentence for the ledger: always English, also within a block in another language."""
    return Message(subject, text, None, 1, values).read(IN_ENGLISH)


def from_record(text: str) -> Text:
    """What `recorded`, or a constant marked by `N_`, has written. A text that neither has, such as a person's reason, stays as it is."""
    return Text(Recorded(text))


def without_ending(text: str, ending: str) -> Text:
    """As `from_record`, without `ending`, which is marked by `N_`."""
    return Text(Without(text, ending))


def listed(items: Iterable[str]) -> Text:
    """With the language's "and" before the last one."""
    return Text(Shown(tuple(items)))


def moment(at: datetime) -> Text:
    """To the minute, in UTC."""
    return Text(Shown(at))


def day(on: date) -> Text:
    """With the month in letters."""
    return Text(Shown(on))


def count_text(number: int) -> Text:
    """With the language's separators."""
    return Text(Shown(number))


def sentences(*texts: str, between: str = " ") -> Text:
    """The texts that are not empty, one after the other."""
    return Text(Sequel(tuple(text for text in texts if text), between))


def as_sentence(text: str) -> Text:
    """A refusal reads on in a log line; alone it is a sentence."""
    return Text(Alone(text))


def reread(text: str, catalogue: Catalogue | None = None) -> str:
    """The same text in the language that is read now; a plain string stays as it is."""
    return Text(text.source, catalogue) if isinstance(text, Text) else text


def translated(whole: Anything) -> Anything:
    """A text, a tuple or a frozen dataclass, such as a card, with each text in it in the language that is read now."""
    if isinstance(whole, Text):
        return cast(Anything, reread(whole))
    if isinstance(whole, tuple):
        return cast(Anything, tuple(translated(part) for part in whole))
    if is_dataclass(whole) and not isinstance(whole, type):
        parts = {part.name: translated(getattr(whole, part.name)) for part in fields(whole)}
        return cast(Anything, replace(whole, **parts))
    return whole
