"""The marked texts of the code, and those of a catalogue."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

import bot

ROOT = Path(bot.__file__).parents[1]
CATALOGUES = ROOT / "bot" / "language"
KEYWORDS = {**DEFAULT_KEYWORDS, "recorded": ((1, "c"), 2)}  # as `make messages` has them
Key = tuple[str, str]


@cache
def marked() -> Mapping[Key, tuple[str, ...]]:
    """The English forms by context and text."""
    found: dict[Key, tuple[str, ...]] = {}
    for package in ("bot", "handlers", "config"):
        extracted = extract_from_dir(ROOT / package, _mappings(), _options(), KEYWORDS)
        for _file, _line, message, _comments, context in extracted:
            forms = (message,) if isinstance(message, str) else tuple(message)
            found[context or "", forms[0]] = forms
    return found


@cache
def _mappings() -> list[tuple[str, str]]:
    """Which files are read, and how: as `make messages` does."""
    return [(one["pattern"], one["method"]) for one in _configured()]


def _options() -> dict[str, dict[str, str]]:
    return {
        one["pattern"]: {name: one[name] for name in one if name not in ("pattern", "method")} for one in _configured()
    }


def _configured() -> list[dict[str, str]]:
    found: list[dict[str, str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    return found


def catalogue(language: str) -> dict[Key, Message]:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return {(one.context or "", forms_of(one.id)[0]): one for one in read_po(file, locale=language) if one.id}


def forms_of(text: object) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(str(form) for form in text or ())  # type: ignore[attr-defined]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def languages() -> Iterator[str]:
    yield from sorted(path.stem for path in CATALOGUES.glob("*.po"))
