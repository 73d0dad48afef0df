"""`countersign.env`: reads it as a shell would, and changes single settings in place. Pure; comments and order stay."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from bot.errors import InvalidSettings

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
PIECE = re.compile(
    r"""'(?P<single>[^']*)'|"(?P<double>(?:[^"\\$`]|\\.)*)"|\\(?P<escaped>.)|(?P<bare>[^ \t\r'"\\$`;&|<>()]+)"""
)
VALUE = re.compile(rf"(?P<word>(?:{re.sub(r'[?]P<[a-z]+>', '?:', PIECE.pattern)})*+)(?P<after>[ \t]+#.*|[ \t]*)")
ESCAPED_IN_DOUBLE = re.compile(r'\\([$`"\\])')
HEAD = """\
# Settings of Countersign, with secrets: never commit this file. Load it with: set -a && . ./{name} && set +a
# docs/reference.md explains each setting.
"""


def values_in(text: str, name: str) -> dict[str, str]:
    """The last value of each setting. Raises InvalidSettings with the lines that cannot be read, such as one that was cut off."""
    found: dict[str, str] = {}
    mistakes = []
    for number, line in enumerate(_lines(text), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        assignment = ASSIGNMENT.fullmatch(line)
        value = _value_in(assignment[2]) if assignment else None
        if assignment is None or value is None:
            mistakes.append(
                f"{name} line {number} is not NAME=VALUE. Correct or remove it; quote spaces and $ with ' '."
            )
        else:
            found[assignment[1]] = value
    if mistakes:
        raise InvalidSettings(tuple(mistakes))
    return found


def changed(text: str, wanted: Mapping[str, str], name: str) -> str:
    """The file with these values: a setting that it has is replaced where it is, another is added at its end.

    Lines end as a shell ends them.
    """
    lines = _lines(text) if text else HEAD.format(name=name).splitlines()
    known = values_in(text, name)
    for setting, value in wanted.items():
        if known.get(setting) == value:
            continue
        line = f"{setting}={shlex.quote(value)}"
        places = [at for at, old in enumerate(lines) if (found := ASSIGNMENT.fullmatch(old)) and found[1] == setting]
        if not places:
            lines.append(line)
            continue
        at = places[-1]  # the one that counts
        export = "export " if lines[at].lstrip().startswith("export ") else ""
        comment = _comment_in(lines[at])
        lines[at] = f"{export}{line}{comment}"
    return "\n".join(lines) + "\n"


def _lines(text: str) -> list[str]:
    """As a shell ends them, or Windows; `splitlines` would end one at a form feed too."""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _value_in(assigned: str) -> str | None:
    """What a shell makes of it; None for an unfinished quote, a second word, and what it would run or expand."""
    found = VALUE.fullmatch(assigned)
    if found is None or found["word"].startswith("~"):
        return None
    pieces = list(PIECE.finditer(found["word"]))
    if any(":~" in (piece["bare"] or "") for piece in pieces):
        return None
    return "".join(_unquoted(piece) for piece in pieces)


def _unquoted(piece: re.Match[str]) -> str:
    if piece["double"] is not None:
        return ESCAPED_IN_DOUBLE.sub(r"\1", piece["double"])
    return next(text for name in ("single", "escaped", "bare") if (text := piece[name]) is not None)


def _comment_in(line: str) -> str:
    """The one at the line's end, with the blanks before it."""
    assignment = ASSIGNMENT.fullmatch(line)
    found = VALUE.fullmatch(assignment[2]) if assignment else None
    return found["after"].rstrip() if found else ""
