"""A person's own page: four lists with a filter and pages, as plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Self

from bot.domain.card.card import Link

ROWS = 7  # of one list at a time: four lists of them stay below the 100 blocks of a page
LAST_PAGE = 50  # whoever looks for older rows finds them on the pages of the web


class Section(StrEnum):
    WAITS = "waits"
    ASKED = "asked"
    HELD = "held"
    DECIDED = "decided"


@dataclass(frozen=True)
class HomeState:
    """What a person has chosen on their page: one model alone, by its key, and which page of each list."""

    model: str = ""
    pages: Mapping[Section, int] = field(default_factory=dict)

    def page_of(self, section: Section) -> int:
        return self.pages.get(section, 0)

    def turned(self, section: Section, step: int) -> Self:
        """On the next page of a list, or the one before."""
        page = min(max(self.page_of(section) + step, 0), LAST_PAGE)
        return replace(self, pages={**self.pages, section: page})

    def filtered(self, model: str) -> Self:
        """One model alone, or all for "". Each list begins with its first page."""
        return replace(self, model=model, pages={})

    def as_text(self) -> str:
        return json.dumps({"model": self.model, "pages": dict(self.pages)}, sort_keys=True)

    @classmethod
    def read(cls, text: str) -> Self:
        """From `as_text`. Anything else is a page on which nothing was chosen."""
        try:
            kept = json.loads(text)
            pages = {Section(name): int(page) for name, page in kept["pages"].items()}
            model = str(kept["model"])[:64]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()
        return cls(model, {name: min(max(page, 0), LAST_PAGE) for name, page in pages.items()})


@dataclass(frozen=True)
class Row:
    """One request or one target. `age` is beside the title and changes by itself."""

    title: str
    lines: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    card: Link | None = None
    age: str = ""


@dataclass(frozen=True)
class Part:
    """One list. `empty` says what to do when there are no rows."""

    section: Section
    title: str
    rows: tuple[Row, ...]
    empty: str
    page: int = 0
    has_more: bool = False


@dataclass(frozen=True)
class HomePage:
    """`notice` takes the place of the lists for a person who has none. `model` is the printed name of the one that is chosen."""

    state: HomeState = field(default_factory=HomeState)
    parts: tuple[Part, ...] = ()
    notice: str = ""
    model: str = ""

    @property
    def digest(self) -> str:
        """Of all that it says but for ages, which change each minute."""
        ageless = [replace(part, rows=tuple(replace(row, age="") for row in part.rows)) for part in self.parts]
        said = asdict(replace(self, parts=tuple(ageless)))
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
