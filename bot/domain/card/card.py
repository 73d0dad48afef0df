"""A card: a vendor-free message. The clients turn it into Slack blocks or a Jira description; every text in it is plain, never markup."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.figures import OMIT_EMPTY
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
    """`action` is one of our actions (approve, reject); `value` begins with the request's id. `in_menu`: for seldom use, without a tone."""

    action: str
    label: str
    value: str
    tone: Tone = Tone.PLAIN
    confirm: Confirm | None = None
    in_menu: bool = False


class Mark(StrEnum):
    """The state of what a card is about, as a colour; the title says it in words."""

    PREPARING = "preparing"
    OPEN = "open"
    CARE = "care"
    UNDER_WAY = "under way"
    DONE = "done"
    REFUSED = "refused"
    OVER = "over"


class Weight(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Lead:
    """The one line below the title, in the weight that it deserves."""

    text: str
    weight: Weight = Weight.LOW


@dataclass(frozen=True)
class Chart:
    """Lines over the same labels. `words` says the same for readers who cannot see it."""

    title: str
    labels: tuple[str, ...]
    lines: tuple[tuple[str, tuple[float, ...]], ...]
    x_label: str
    y_label: str
    words: str


@dataclass(frozen=True)
class Item:
    """One line of a list: what it is, what there is to say about it, and what can be done. What `is_over` is struck out."""

    title: str
    text: str
    button: Button | None = None
    is_over: bool = False
    link: Link | None = None


class Called(StrEnum):
    GROUP = "group"
    PERSON = "person"


@dataclass(frozen=True)
class Mention:
    """Who is notified: one of the notifier's groups by its handle, or a person by e-mail. `name` is printed when none is found."""

    kind: Called
    key: str
    name: str


@dataclass(frozen=True)
class Card:
    """`summary` says everything in one plain sentence, for the notification and for screen readers.

    `mentions` are notified when the card is posted; `waits_for` is said before them. `image` was uploaded to the same notifier
    before. `links` share one line. `items` are a list below the paragraphs. A notifier that takes no `chart` refuses the card.
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
    mark: Mark | None = None
    lead: Lead | None = None
    links: tuple[Link, ...] = ()
    chart: Chart | None = None
    waits_for: str = ""
    items: tuple[Item, ...] = field(default=(), metadata={OMIT_EMPTY: True})
