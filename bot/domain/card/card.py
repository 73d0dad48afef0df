"""A card: a vendor-free message. The clients turn it into Slack blocks or a Jira description; every text in it is plain, never markup."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.references import Image


class Tone(StrEnum):
    PRIMARY = "primary"
    DANGER = "danger"
    PLAIN = "plain"


@dataclass(frozen=True)
class Link:
    text: str
    url: str


@dataclass(frozen=True)
class Fact:
    """One labelled line. A Link becomes a link only when its url is http(s)."""

    label: str
    value: str | Link


@dataclass(frozen=True)
class Table:
    """Rows of cells, all as text; every row is as long as `columns`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Confirm:
    title: str
    text: str
    yes: str
    no: str


@dataclass(frozen=True)
class Button:
    """`action` is one of our own words (approve, reject); `value` an opaque request id."""

    action: str
    label: str
    value: str
    tone: Tone = Tone.PLAIN
    confirm: Confirm | None = None


class Called(StrEnum):
    GROUP = "group"
    PERSON = "person"


@dataclass(frozen=True)
class Mention:
    """Somebody to be notified by name: a notifier's group by its handle, or a person by e-mail. `name` is printed when it is not found."""

    kind: Called
    key: str
    name: str


@dataclass(frozen=True)
class Card:
    """`summary` is the whole story in one plain sentence: the notification's text and the screen reader's.

    `mentions` are notified when the card is posted; `image` is one that the same notifier keeps already.
    """

    title: str
    summary: str
    facts: tuple[Fact, ...] = ()
    tables: tuple[Table, ...] = ()
    paragraphs: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()
    footer: str = ""
    mentions: tuple[Mention, ...] = ()
    image: Image | None = None
