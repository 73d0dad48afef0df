"""A person's own page at the notifier, the form in which they ask there, and links that it shows more of, as a Protocol.

See also `bot.ports`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from bot.domain.home.page import HomeState
from bot.errors import Permanent

if TYPE_CHECKING:
    from bot.domain.home.form import AskForm, Choice, Field, SentForm
    from bot.domain.home.page import HomePage, Section
    from bot.domain.home.preview import Preview

Body = Mapping[str, object]


class ShownSince(Permanent):
    """The page that was to be replaced is no longer the one that the person sees: read what is to be shown again."""


class Deed(StrEnum):
    """What a press on the page, or in the form, asks for."""

    FILTER = "filter"
    ALL_MODELS = "all"
    OLDER = "older"
    NEWER = "newer"
    ASK = "ask"
    OPEN = "open"
    CHOOSE_MODEL = "choose"


@dataclass(frozen=True)
class HomePress:
    """`chosen` is a model's key. `trigger` opens a form. `view` with its `mark` is the form in which a model was chosen."""

    account: str
    deed: Deed
    state: HomeState = field(default_factory=HomeState)
    section: Section | None = None
    chosen: str = ""
    trigger: str = ""
    view: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Typed:
    """What a person has typed so far into a menu. `model` is the key of the one whose versions it has."""

    account: str
    menu: Field
    text: str
    model: str = ""


@dataclass(frozen=True)
class SharedLinks:
    """Addresses in a message. `place` says where: a channel's id; empty for a message that is not sent yet.

    `with_strangers`: people of other organisations read there too. `event` is the same when the vendor repeats itself.
    """

    event: str
    place: str
    message: str
    shown_by: str
    source: str
    urls: tuple[str, ...]
    with_strangers: bool


class PersonalHome(Protocol):
    def publish(self, account: str, page: HomePage, replaces: str) -> str:
        """Shows the page to this person alone; returns its mark. `replaces` is the mark of the one that it replaces, or empty.

        Safe to repeat. Raises ShownSince, Temporary, and Permanent when the person has no such page.
        """

    def open_form(self, trigger: str, form: AskForm) -> None:
        """A trigger is good for three seconds and one form."""

    def update_form(self, press: HomePress, form: AskForm) -> None:
        """Replaces the form in which a model was chosen; nothing happens when the person has closed it or chosen again."""

    def open_notice(self, trigger: str, title: str, text: str) -> None: ...

    def unfurl(self, shared: SharedLinks, previews: Mapping[str, Preview]) -> None:
        """Shows more of these addresses below the message."""

    def as_form(self, form: AskForm) -> Body:
        """What takes the place of a form that was sent."""

    def as_mistakes(self, sent: SentForm, mistakes: Mapping[Field, str]) -> Mapping[str, str]:
        """Sentences beside the fields of the form that was sent."""

    def as_choices(self, choices: Sequence[Choice]) -> Body:
        """The answer to what was typed into a menu."""

    def read_opened(self, body: Body) -> str:
        """The account whose page was opened; empty for another tab. Raises Rejected, as all that read."""

    def read_press(self, body: Body) -> HomePress: ...

    def read_typed(self, body: Body) -> Typed: ...

    def read_form(self, body: Body) -> tuple[str, SentForm]:
        """The account that sent it, and what it sent."""

    def read_trigger(self, body: Body) -> tuple[str, str]:
        """The account that ran a shortcut, and its trigger."""

    def read_links(self, body: Body) -> SharedLinks: ...
