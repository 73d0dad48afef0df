"""Reading sentences back that were recorded in English: which text with placeholders made them, and with which values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from string import Formatter

# Values that may be recorded sentences too; the others are names, figures and quotes.
NESTED = ("commands", "failed", "fix", "gap", "how", "list", "places", "trouble", "what", "where", "why")
BETWEEN = "; "
LONGEST = 4_000  # characters; what is longer quotes a text from outside


class Reader:
    """`translations` by the English text, both with the same placeholders."""

    def __init__(self, translations: Mapping[str, str]) -> None:
        self._translations = translations

    def read(self, sentence: str) -> str:
        """The translation; the sentence itself when no text made it. A final full stop may have been taken off.

        Of sentences that were joined by semicolons each is read alone, if all are known and more of them is.
        """
        return self._read(sentence)[1]

    def _read(self, sentence: str) -> tuple[int, str]:
        """With how many letters of it were recognized."""
        whole = self._one(sentence)
        parts = [self._one(part) for part in sentence.split(BETWEEN)] if BETWEEN in sentence else []
        known = sum(known for known, _said in parts)
        if all(known for known, _said in parts) and known > whole[0]:
            return known, BETWEEN.join(said for _known, said in parts)
        return whole

    def _one(self, sentence: str) -> tuple[int, str]:
        best = (0, sentence)
        for own, words, pattern, translation in self._patterns if len(sentence) <= LONGEST else ():
            found = pattern.fullmatch(sentence) if words in sentence else None
            if found is None:
                continue
            read = {name: self._read(text) for name, text in found.groupdict().items() if name in NESTED}
            known = own + sum(known for known, _said in read.values())
            if known > best[0]:
                values = found.groupdict() | {name: said for name, (_known, said) in read.items()}
                said = translation.format(**values)
                best = (known, said if sentence.endswith(".") else said.removesuffix("."))
        return best

    @cached_property
    def _patterns(self) -> list[tuple[int, str, re.Pattern[str], str]]:
        """How many letters of its own each text has, the longest row of them, what it may have become, and its translation."""
        found = []
        for text, said in self._translations.items():
            words = _words_of(text.removesuffix("."))
            found.append((sum(map(len, words)), max(words, key=len), _pattern(text), said))
        return found


def _words_of(text: str) -> list[str]:
    return [words for words, _, _, _ in Formatter().parse(text)]


def _pattern(text: str) -> re.Pattern[str]:
    parts: list[str] = []
    seen: set[str] = set()
    for words, name, _, _ in Formatter().parse(text.removesuffix(".")):
        parts.append(re.escape(words))
        if name is not None:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.*?)")
            seen.add(name)
    if text.endswith("."):
        parts.append(r"\.?")
    return re.compile("".join(parts), re.DOTALL)
