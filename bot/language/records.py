"""Reading sentences back that were recorded in English: which text with placeholders made them, and with which values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

# Values that may be recorded sentences too; the others are names, figures and quotes.
NESTED = ("commands", "failed", "fix", "gap", "how", "list", "places", "trouble", "what", "where", "why")
BETWEEN = "; "
LONGEST = 4_000  # characters; what is longer quotes a text from outside
TRIES = 100  # parts of a sentence that are compared with the texts; a name from outside may look like many sentences


class Reader:
    """`translations` by the English text, both with the same placeholders."""

    def __init__(self, translations: Mapping[str, str]) -> None:
        self._translations = translations

    def read(self, sentence: str) -> str:
        """The translation; the sentence itself when no text made it. A final full stop may have been taken off.

        Of sentences that were joined by semicolons each is read alone, if all are known and more of them is.
        """
        if len(sentence) > LONGEST:
            return sentence
        return _Reading(self._texts).read(sentence)[1]

    @cached_property
    def _texts(self) -> list[Text]:
        return [Text.parse(text, said) for text, said in self._translations.items()]


@dataclass(frozen=True)
class Text:
    """A text with placeholders: the words that it begins with, then each placeholder with the words after it."""

    begins: str
    then: tuple[tuple[str, str], ...]
    has_stop: bool
    translation: str

    @classmethod
    def parse(cls, text: str, translation: str) -> Text:
        words, names = [""], []
        for literal, name, _, _ in Formatter().parse(text.removesuffix(".")):
            words[-1] += literal
            if name is not None:
                names.append(name)
                words.append("")
        return cls(words[0], tuple(zip(names, words[1:], strict=True)), text.endswith("."), translation)

    @cached_property
    def own(self) -> int:
        """How many letters of its own it has."""
        return len(self.begins) + sum(len(words) for _name, words in self.then)

    def values_in(self, sentence: str) -> dict[str, str] | None:
        """The values with which it became this sentence; None if it did not.

        Each of its words counts where it comes first, so a sentence of any kind costs no more than its length.
        """
        if self.has_stop:
            sentence = sentence.removesuffix(".")
        if not sentence.startswith(self.begins):
            return None
        values: dict[str, str] = {}
        place, last = len(self.begins), len(self.then) - 1
        for number, (name, words) in enumerate(self.then):
            if name in values:
                end = place + len(values[name])
            elif number == last:
                end = len(sentence) - len(words)
            else:
                end = sentence.find(words, place)
            value = sentence[place:end]
            if end < place or not sentence.startswith(words, end) or values.setdefault(name, value) != value:
                return None
            place = end + len(words)
        return values if place == len(sentence) else None


class _Reading:
    """Of one sentence, with the sentences in it."""

    def __init__(self, texts: list[Text]) -> None:
        self._texts = texts
        self._tries = TRIES
        self._known: dict[str, tuple[int, str]] = {}

    def read(self, sentence: str) -> tuple[int, str]:
        """With how many letters of it were recognized."""
        whole = self._one(sentence)
        parts = [self._one(part) for part in sentence.split(BETWEEN, TRIES)] if BETWEEN in sentence else []
        known = sum(known for known, _said in parts)
        if all(known for known, _said in parts) and known > whole[0]:
            return known, BETWEEN.join(said for _known, said in parts)
        return whole

    def _one(self, sentence: str) -> tuple[int, str]:
        if sentence not in self._known:
            self._known[sentence] = (0, sentence)
            if self._tries > 0:
                self._tries -= 1
                self._known[sentence] = self._compare(sentence)
        return self._known[sentence]

    def _compare(self, sentence: str) -> tuple[int, str]:
        best = (0, sentence)
        for text in self._texts:
            values = text.values_in(sentence)
            if values is None:
                continue
            read = {name: self.read(value) for name, value in values.items() if name in NESTED}
            known = text.own + sum(known for known, _said in read.values())
            if known > best[0]:
                said = text.translation.format(**values | {name: said for name, (_known, said) in read.items()})
                best = (known, said if sentence.endswith(".") else said.removesuffix("."))
        return best
