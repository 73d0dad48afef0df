"""Names that a database or people take for another. Pure."""

from __future__ import annotations

import unicodedata

LONGEST = 255  # of any name that MLflow takes
LIKE_LETTERS = str.maketrans("0135|$", "olesls")


def plain(name: str) -> str:
    """The same text for all names that some database takes for one: it may ignore case, accents, width and what cannot be seen.

    A name that MLflow takes for too long stays as it is, because the work grows with the square of its length.
    """
    if len(name) > LONGEST:
        return name
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    return "".join(letter for letter in letters if unicodedata.category(letter)[0] not in "MCZ")


def looks_like(name: str) -> str:
    """The same text for all names in ASCII that look alike to people."""
    return plain(name).translate(LIKE_LETTERS).replace("rn", "m").replace("vv", "w").replace("i", "l")


def shown(text: str, most: int = LONGEST) -> str:
    """For logs and sentences: on one line, and not longer than that."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:most])
