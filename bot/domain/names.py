"""Text from outside: what can be kept, and how a name is shown to people. Names come from everybody who may write to the registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

NAME_LIMIT = 256  # characters; as many as MLflow's own column has, and few enough for an index of PostgreSQL
REPLACEMENT = "\ufffd"
NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
# The account in an address, up to its last @; a password may hold a slash that is not percent-encoded, a port is digits.
ACCOUNT = re.compile(r"(?<=://)(?:[^\s/?#]*|[^\s/?#:@]*:(?!\d{1,5}[/?#])[^\s@]*)@")

# Invisible although Unicode calls them letters or marks. Python's `isprintable` covers all other invisible characters.
BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
# Those that choose a look for the character before them. Text may have them, beside emoji; two names may not differ by one unseen.
SELECTORS = frozenset(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))

Kept = TypeVar("Kept")


def shown(name: str) -> str:
    """The name on one line, for cards, tickets and messages: an invisible character is written as its escape, such as `\\n`."""
    return "".join(letter if _is_seen(letter) else letter.encode("unicode_escape").decode() for letter in name)


def _is_seen(letter: str) -> bool:
    return letter.isprintable() and letter not in BLANKS and letter not in SELECTORS


def in_one_line(text: str) -> str:
    """Text from outside for the middle of a sentence: no line break or invisible character in it can begin a sentence of its own.

    The ledger keeps the text as it was given.
    """
    seen = (letter for letter in text if (letter.isprintable() and letter not in BLANKS) or letter.isspace())
    return " ".join("".join(seen).split())


def without_accounts(text: str) -> str:
    """The text, with every address in it without user name and password, such as `http://bot:secret@mlflow.example`."""
    return ACCOUNT.sub("", text)


def why_not_watched(name: str) -> str:
    """Why a registered model of that name cannot be watched; empty when it can. A line break is no reason."""
    if storable(name) != name:
        return "its name holds a NUL or half a character, which cannot be stored. Rename it, or delete it"
    if len(name) > NAME_LIMIT:
        return f"its name has {len(name)} characters, and {NAME_LIMIT} can be stored. Rename it"
    return ""


def storable(text: str) -> str:
    """Without what PostgreSQL, or JSON in it, cannot hold: NUL and half of a surrogate pair become U+FFFD."""
    return NOT_STORABLE.sub(REPLACEMENT, text)


def all_storable(value: Kept) -> Kept:
    """The same value, with every text in it made `storable`: dataclasses, tuples and mappings are gone through."""
    return _storable_in(value)  # type: ignore[no-any-return]


def _storable_in(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() and value.isascii() else type(value)(storable(value))
    if isinstance(value, tuple):
        return tuple(_storable_in(item) for item in value)
    if isinstance(value, Mapping):
        return {_storable_in(key): _storable_in(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _storable_in(getattr(value, field.name)) for field in fields(value)})
    return value
