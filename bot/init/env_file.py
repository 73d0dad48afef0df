"""`countersign.env`: reads it as a shell would, and changes single settings in place. Pure; comments and order stay."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from bot.errors import InvalidSettings

ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
HEAD = """\
# Settings of Countersign, with secrets: never commit this file. Load it with: set -a && . ./{name} && set +a
# docs/reference.md explains each setting.
"""


def values_in(text: str, name: str) -> dict[str, str]:
    """The last value of each setting. Raises InvalidSettings with the lines that cannot be read, such as one that was cut off."""
    found: dict[str, str] = {}
    mistakes = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        assignment = ASSIGNMENT.fullmatch(line)
        words = _words(assignment[2]) if assignment else None
        if assignment is None or words is None or len(words) > 1:
            mistakes.append(
                f"{name} line {number} is not NAME=VALUE. Correct or remove it; quote spaces and $ with ' '."
            )
        else:
            found[assignment[1]] = words[0] if words else ""
    if mistakes:
        raise InvalidSettings(tuple(mistakes))
    return found


def changed(text: str, wanted: Mapping[str, str], name: str) -> str:
    """The file with these values: a setting that it has is replaced where it is, another is added at its end."""
    lines = text.splitlines() if text else HEAD.format(name=name).splitlines()
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
        lines[at] = f"{export}{line}"
    return "\n".join(lines) + "\n"


def _words(text: str) -> list[str] | None:
    """None for an unfinished quote, and for what a shell would run or expand."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return None
    return None if re.search(r"[$`;&|<>()]", text) and not text.lstrip().startswith("'") else words
