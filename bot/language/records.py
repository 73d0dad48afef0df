"""Reading sentences back that were recorded in English: which text with placeholders made them, and with which values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from string import Formatter

LONGEST = 4_000  # characters; what is longer quotes a text from outside


class Reader:
    """`translations` by the English text, both with the same placeholders."""

    def __init__(self, translations: Mapping[str, str]) -> None:
        self._translations = translations

    def read(self, sentence: str) -> str:
        """The translation; the sentence itself when no text made it. A final full stop may have been taken off."""
        for pattern, translation in self._patterns if len(sentence) <= LONGEST else ():
            found = pattern.fullmatch(sentence)
            if found is not None:
                values = {name: self._value(text) for name, text in found.groupdict().items()}
                said = translation.format(**values)
                return said if sentence.endswith(".") else said.removesuffix(".")
        return sentence

    def _value(self, text: str) -> str:
        """Which may be a recorded sentence too; a single word is a name."""
        return self.read(text) if " " in text else text

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """The one with the most words of its own comes first."""
        texts = sorted(self._translations, key=lambda text: -len("".join(_words_of(text))))
        return [(_pattern(text), self._translations[text]) for text in texts]


def _words_of(text: str) -> list[str]:
    return [words for words, _, _, _ in Formatter().parse(text)]


def _pattern(text: str) -> re.Pattern[str]:
    parts: list[str] = []
    seen: set[str] = set()
    for words, name, _, _ in Formatter().parse(text.removesuffix(".")):
        parts.append(re.escape(words))
        if name is not None:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.+?)")
            seen.add(name)
    if text.endswith("."):
        parts.append(r"\.?")
    return re.compile("".join(parts), re.DOTALL)
