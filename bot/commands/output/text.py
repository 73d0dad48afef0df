"""Text on a terminal: only printable characters, and how wide they are.

Names, reasons and errors come from outside. A control character could steer the terminal, and a bidirectional one could reorder the line.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime

from bot.domain.text import format_utc

NOTHING = "-"


def printable(value: object) -> str:
    """On one line, with a space for each character that is not printable. A time carries its zone; "-" for nothing."""
    said = format_utc(value) if isinstance(value, datetime) else value
    text = NOTHING if said is None or said == "" else str(said)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(printable(line) if line else "" for line in text.split("\n"))


def readable(text: str, width: int | None) -> str:
    """The same, with its lines broken between words for that many columns; None for a pipe, where no line is broken."""
    lines = printable_lines(text).split("\n")
    return "\n".join(part for line in lines for part in (wrapped(line, width) if width else [line]))


def cells(text: str) -> int:
    """How many columns of a terminal the text takes: East Asian letters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(letter) for letter in text)


def _cells_of(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def cut(text: str, width: int) -> str:
    """The text, or as much of it as fits with an ellipsis."""
    if cells(text) <= width:
        return text
    kept = ""
    for letter in text:
        if cells(kept + letter) > width - 1:
            break
        kept += letter
    return f"{kept.rstrip()}…"


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken between words and indented as the first one; a longer word goes on in the next line."""
    indent = min(len(text) - len(text.lstrip(" ")), width // 2)
    if indent:
        return [" " * indent + line for line in wrapped(text.lstrip(" "), width - indent)]
    lines, line = list[str](), ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _folded(word, width)
        lines += full
    return [*lines, line]


def _folded(word: str, width: int) -> list[str]:
    parts, part = list[str](), ""
    for letter in word:
        if part and cells(part + letter) > width:
            parts.append(part)
            part = ""
        part += letter
    return [*parts, part]
