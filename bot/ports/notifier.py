"""Where people are asked and answer, as a Protocol: accounts, clicks and messages. See also `bot.ports`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from bot.domain.grounds import SignedRequest
from bot.domain.references import Image, PostedCard
from bot.ports.files import Attachment

if TYPE_CHECKING:
    from bot.domain.card.card import Card


class AccountKind(StrEnum):
    MEMBER = "member"
    GUEST = "guest"
    BOT = "bot"
    DEACTIVATED = "deactivated"
    FOREIGN = "foreign"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True)
class Account:
    """A person's account with the notifier; `email` and `locale`, such as es-ES, are empty when the vendor does not give them.

    `timezone`, such as Europe/Madrid, is UTC then.
    """

    id: str
    email: str
    name: str
    kind: AccountKind
    locale: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True)
class Click:
    """A pressed button or a sent form, as the vendor signed it. `value` is the request's id that the button carried; it is not trusted yet.

    `shown` is the digest of what the card showed, empty for buttons that are no votes. `signed` is the request that it came in; only a
    click with one becomes a vote that counts. `is_form`: a sent form, in which an empty `reason` is the person's answer; `chosen` is the
    account that was picked in it.
    """

    team: str
    app: str
    channel: str
    message: str
    account: str
    action: str
    value: str
    trigger: str
    reason: str = ""
    signed: SignedRequest | None = None
    shown: str = ""
    is_form: bool = False
    chosen: str = ""


@dataclass(frozen=True)
class OwnPost:
    """A message that we posted, and under which key."""

    key: str
    posted: PostedCard


@dataclass(frozen=True)
class Marked:
    """A message on which somebody used our shortcut. `reply_to` takes the answer that only that person sees."""

    team: str
    app: str
    account: str
    channel: str
    message: str
    thread: str
    reply_to: str


@dataclass(frozen=True)
class WrittenReply:
    """`thread_key` is our key of the message that it is a reply to, empty when that is none of ours. `is_by_bot`: no person wrote it."""

    thread_key: str
    author: str
    text: str
    written_at: datetime
    url: str
    is_by_bot: bool = False


class Notifier(Protocol):
    """A chat. `key` is our idempotency key: it is stored with the message, so that a lost answer can be looked up."""

    name: str
    """What people call it."""
    post_settles: float
    """Seconds after which a post whose answer was lost can be found, or will never appear."""
    post_spacing: float
    """Seconds between two messages in one channel that are never refused as too many; 0 where it does not matter."""

    def post(
        self, channel: str, card: Card, key: str, thread: str | None = None, *, broadcast: bool = False
    ) -> PostedCard:
        """Posts to a channel (`#name` or id) or, given an account id, as a direct message. `broadcast` shows a reply in its channel too.

        Raises OutcomeUnknown, MessageGone, and ChartRefused for a card with a chart that the vendor refuses.
        """

    def find_post(self, channel: str, key: str, since: datetime, thread: str | None = None) -> PostedCard | None:
        """Finds the message by its key among those posted since then. Raises Temporary or, as `post`, MessageGone."""

    def own_post(self, channel: str, message: str, thread: str = "") -> OwnPost | None:
        """This message of a channel, or of a thread in it, if it is ours. Answers within 1.5 s or raises Temporary."""

    def is_there(self, posted: PostedCard) -> bool:
        """Whether the message, or the reply, is still in its channel."""

    def has_button(self, posted: PostedCard, *actions: str) -> bool:
        """Whether the message shows one of these buttons now, as of `bot.domain.card.card.Button`. False when it is gone."""

    def update(self, posted: PostedCard, card: Card) -> bool:
        """Replaces the message; safe to repeat. Raises MessageGone. False when it went without a part of the card: send that again."""

    def account(self, account_id: str) -> Account:
        """Answers within 1.5 s or raises Temporary; cached for at most 60 s."""

    def find_account(self, email: str) -> Account | None: ...

    def members_of(self, group: str) -> frozenset[str]:
        """Account ids in the user group named by its handle. Answers within 1.5 s or raises Temporary; cached for at most 60 s."""

    def ask_reason(self, click: Click, title: str, prompt: str, *, optional: bool = False, initial: str = "") -> None:
        """Opens a form that asks for a reason. It is submitted as a Click with the same action, value, channel and message.

        `optional`: the person may leave it empty. `initial`: what they have written already.
        """

    def ask_person(self, click: Click, title: str, prompt: str) -> None:
        """Opens a form that asks for a person and, optionally, a note. As `ask_reason`; `chosen` is the account."""

    def read_shortcut(self, body: Mapping[str, object]) -> Marked:
        """Parses a verified shortcut on a message. Only who pressed it and where is taken from it. Raises Rejected."""

    def read_reply(self, marked: Marked) -> WrittenReply:
        """The marked message as the vendor has it now, with the key of the message that its thread is under.

        Answers within 1.5 s or raises Temporary. Raises Refused when it is no reply in a thread, or is gone.
        """

    def read_mention(self, text: str) -> str | None:
        """The account that a mention in a command names; None for any other text."""

    def check_request(self, headers: Mapping[str, str], body: bytes) -> None:
        """Verifies the signature over these bytes, then their shape, before anything else reads them. Raises Rejected."""

    def upload_image(self, content: bytes, name: str, alt: str) -> Image:
        """Uploads a PNG that cards can show (`Card.image`); it is not visible before a card shows it. Safe to repeat.

        A card whose image the vendor refuses is posted or updated without it, so a picture never blocks a card.
        """

    def share(self, posted: PostedCard, files: Sequence[Attachment], key: str) -> None:
        """Adds the files that the message's thread lacks, and sees them there. Raises OutcomeUnknown, MessageGone."""

    def as_notice(self, title: str, text: str) -> Mapping[str, object]:
        """What takes the place of a form that was sent, when there is more to say than that it was taken."""

    def reply_privately(self, reply_to: str, text: str) -> None:
        """A text that only the person who clicked sees. One attempt within a second; raises Temporary."""

    def as_reply(self, card: Card) -> Mapping[str, object]:
        """The card as the answer to a command, visible only to the person who sent it."""

    def read_click(self, body: Mapping[str, object]) -> Click:
        """Parses a verified button press or form. Does not decide whether it is allowed. Raises Rejected."""

    def as_received(self, raw: str, headers: Mapping[str, str], body: Mapping[str, object]) -> SignedRequest:
        """The verified request as it is kept with a vote. `raw` is empty over a socket, where the vendor signs nothing: we seal `body`."""

    def read_signed(self, kept: SignedRequest) -> Click:
        """Verifies the signature of a kept request again, and parses it. Raises Rejected, with the reason, when it does not hold."""
