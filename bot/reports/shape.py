"""The report's document model: headings, sentences, tables, drawings. HTML and PDF share it, so that they say the same.

`bot.reports.document` fills it. The templates receive it and decide how it looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.language import _


class Look(StrEnum):
    """How a cell is rendered. People's words and models' names are text; commits and digests are code."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    CODE = "code"


@dataclass(frozen=True)
class Cell:
    """`full` is the unshortened `text`, or the time in ISO 8601; `more` is printed below, smaller."""

    text: str
    look: Look = Look.TEXT
    link: str = ""
    full: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """`share` is its part of the width in the PDF."""

    title: str
    share: float
    look: Look = Look.TEXT


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its heading. `note` says where the other rows are, when not all are shown."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Matter:
    """One finding: the sentence, when it arose, and a link."""

    sentence: str
    at: Cell | None
    link: str


@dataclass(frozen=True)
class Group:
    title: str
    count: str
    is_grave: bool
    matters: tuple[Matter, ...]


@dataclass(frozen=True)
class Label:
    """A text centred in this box of the picture. Only for the PDF: in HTML the picture has its own text."""

    text: str
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Drawing:
    """`alt` describes the picture, `width` is in its own units; `lines` are the text instead when there is no picture."""

    title: str
    svg: str = ""
    alt: str = ""
    width: int = 0
    labels: tuple[Label, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """In reading order: sentences, groups, drawings, tables, and a preformatted text."""

    id: str
    title: str
    sentences: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()
    verbatim: str = ""
    note: str = ""


@dataclass(frozen=True)
class Headline:
    """One of the figures at the top; `wants_eyes` when it needs attention."""

    figure: str
    label: str
    wants_eyes: bool = False


@dataclass(frozen=True)
class Words:
    """What the templates say themselves."""

    open: str = field(default_factory=lambda: _("Open"))
    page: str = field(default_factory=lambda: _("Page {page} of {pages}"))
    checkpoint: str = field(default_factory=lambda: _("The signed checkpoint"))


@dataclass(frozen=True)
class Document:
    """`closed` is a time in ISO 8601. `quiet` is the sentence for a week without events, else empty. `language` is such as es."""

    week: str
    title: str
    days: str
    bounds: str
    closed: str
    quiet: str
    headlines: tuple[Headline, ...]
    sections: tuple[Section, ...]
    footer: tuple[str, ...]
    language: str
    words: Words
