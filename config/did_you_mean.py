"""A hint for a mistyped word. The caller says what is wrong with the word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

GUESSED_LENGTH = 60  # characters; comparing longer words takes long and does not help


def guess(word: str, known: Iterable[str]) -> str:
    """The known word that is the closest, as a question with a space before it; empty when none is close."""
    close = get_close_matches(word, sorted(known), n=1) if len(word) <= GUESSED_LENGTH else []
    return f' Did you mean "{close[0]}"?' if close else ""
