"""The shape of the report: headings, sentences, tables, drawings. One shape for every form, so that HTML and PDF say the same.

What stands in it is decided in `bot.reports.document`, how it looks in the templates, which are given exactly this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Look(StrEnum):
    """How a cell is set. A person's words and a model's name are text; commits and digests are code."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    CODE = "code"


@dataclass(frozen=True)
class Cell:
    """`full` is the whole of what `text` shortens, or the moment in ISO 8601; `more` stands below in smaller letters."""

    text: str
    look: Look = Look.TEXT
    link: str = ""
    full: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """`share` is its part of the width on paper."""

    title: str
    share: float
    look: Look = Look.TEXT


@dataclass(frozen=True)
class Table:
    """The first cell of a row names it. `note` says where the rest is, when there is more than is shown."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Matter:
    """One thing that needs attention: the sentence, when it came to be, where it leads."""

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
    """A text that stands centred in this box of the picture. Only for paper: on a screen the picture has its own."""

    text: str
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Drawing:
    """`alt` says what the picture shows, which is `width` wide in its own units; `lines` stand where there is no picture to draw."""

    title: str
    svg: str = ""
    alt: str = ""
    width: int = 0
    labels: tuple[Label, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """In the order of reading: sentences, groups, drawings, tables, and a text to be kept letter by letter."""

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
    """One of the figures at the top; `wants_eyes` when it is not as it should be."""

    figure: str
    label: str
    wants_eyes: bool = False


@dataclass(frozen=True)
class Document:
    """`closed` is the moment in ISO 8601. `quiet` is empty unless nothing happened in the week."""

    week: str
    title: str
    days: str
    bounds: str
    closed: str
    quiet: str
    headlines: tuple[Headline, ...]
    sections: tuple[Section, ...]
    footer: tuple[str, ...]
