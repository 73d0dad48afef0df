"""Shell patterns of names compared with each other: does one cover the other, and is there a name that both match?"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import takewhile

TOKEN = re.compile(r"\*|\[!?+\]?+[^\]]*+\]|.", re.DOTALL)  # as fnmatch reads them: an unclosed [ is a plain character
UNLIKE_ANY_LETTER = "\0"  # what a class of letters is to a pattern without classes
LIKELY_LETTERS = "xabcdefghijklmnopqrstuvwyz0123456789-_."
LAST_LETTER = 0x10FFFF


def covers(wide: str, narrow: str) -> bool:
    """Whether surely every name that `narrow` matches is matched by `wide`; says no when checking it would be expensive."""
    if any(character in wide for character in "?["):
        return wide == narrow
    if not narrow.startswith(wide.partition("*")[0]):  # the usual case, and quickly seen
        return False
    letters = (token if len(token) == 1 else UNLIKE_ANY_LETTER for token in TOKEN.findall(narrow))
    return fnmatchcase("".join(letters), wide)


def common_name(first: str, second: str) -> str | None:
    """One of the shortest names that both patterns match; None when there is none.

    Looked for from the end: each row holds, for one rest of `first` and every rest of `second`, the shortest name that both match.
    """
    tokens, others = TOKEN.findall(first), TOKEN.findall(second)
    if _begin_differently(tokens, others):
        return None
    row: list[str | None] = [""]
    for other in reversed(others):
        row.append(row[-1] if other == "*" else None)
    row.reverse()
    for token in reversed(tokens):
        row = _longer(token, others, row)
    return LIKELY_LETTERS[0] if row[0] == "" else row[0]  # nothing has an empty name, and what matches that matches all


def _begin_differently(tokens: list[str], others: list[str]) -> bool:
    """Also the usual case."""
    beginnings = takewhile(lambda pair: "*" not in pair, zip(tokens, others, strict=False))
    return any(_letter(token, other) is None for token, other in beginnings)


def _longer(token: str, others: list[str], below: list[str | None]) -> list[str | None]:
    """The row for one token more of the first pattern, given the row without it."""
    row = [below[-1] if token == "*" else None]
    for place in range(len(others) - 1, -1, -1):
        rests = _rests(token, others[place], row[-1], below[place], below[place + 1])
        row.append(min((name for name in rests if name is not None), key=len, default=None))
    return row[::-1]


def _rests(token: str, other: str, right: str | None, under: str | None, beyond: str | None) -> tuple[str | None, ...]:
    """The names to choose from. `right` is the rest behind `other`, `under` the one behind `token`, `beyond` behind both."""
    if token == "*":
        return under, right if other == "*" else _with_letter(token, other, right)
    if other == "*":
        return right, _with_letter(token, other, under)
    return (_with_letter(token, other, beyond),)


def _with_letter(token: str, other: str, rest: str | None) -> str | None:
    letter = None if rest is None else _letter(token, other)
    return None if letter is None or rest is None else letter + rest


@lru_cache(maxsize=4096)
def _letter(token: str, other: str) -> str | None:
    """A letter that suits both: a likely one, or one that begins where a class begins or ends."""
    mentioned = [*token, *other]
    following = [chr(ord(letter) + 1) for letter in mentioned if ord(letter) < LAST_LETTER]
    letters = (*LIKELY_LETTERS, *mentioned, *following)
    return next((one for one in letters if fnmatchcase(one, token) and fnmatchcase(one, other)), None)
