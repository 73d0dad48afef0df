"""Slack and Jira in memory: what was posted and opened, in whose place, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.card.card import Card
from bot.domain.grounds import SignedRequest
from bot.domain.model import SignedBy
from bot.domain.references import Image, PostedCard, SeenTicket, TicketMove, TicketPlan, TicketRef
from bot.errors import MessageGone, Permanent, Rejected
from bot.ports import Account, AccountKind, Attachment, Click, OwnPost, Ticket, TicketHint
from bot.ports.tickets import NOTHING_MORE

TEAM, APP = "T1", "A1"


@dataclass
class Message:
    channel: str
    ts: str
    key: str
    thread: str | None
    card: Card


class Notifier:
    """`post_settles` is as with Slack: what was posted is there at once, but a lost post may take so long to arrive."""

    name = "Slack"
    post_settles = 15.0
    post_spacing = 0.0

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.accounts: dict[str, Account] = {}
        self.groups: dict[str, frozenset[str]] = {}
        self.messages: list[Message] = []
        self.asked: list[str] = []
        self.clicks: list[Click] = []

    def post(
        self, channel: str, card: Card, key: str, thread: str | None = None, *, broadcast: bool = False
    ) -> PostedCard:
        message = Message(channel, f"{self._now().timestamp():.0f}.{len(self.messages):06}", key, thread, card)
        self.messages.append(message)
        return self._posted(message)

    def find_post(self, channel: str, key: str, since: datetime, thread: str | None = None) -> PostedCard | None:
        alike = (m for m in self.messages if (m.channel, m.key, m.thread) == (channel, key, thread))
        return next((self._posted(message) for message in alike), None)

    def update(self, posted: PostedCard, card: Card) -> bool:
        for message in self.messages:
            if (message.channel, message.ts) == (posted.channel, posted.message):
                message.card = card
                return True
        raise MessageGone(f"message_not_found: {posted.message}")

    def is_there(self, posted: PostedCard) -> bool:
        return any((one.channel, one.ts) == (posted.channel, posted.message) for one in self.messages)

    def has_button(self, posted: PostedCard, *actions: str) -> bool:
        found = (one.card for one in self.messages if (one.channel, one.ts) == (posted.channel, posted.message))
        return any(button.action in actions for card in found for button in card.buttons)

    def own_post(self, channel: str, message: str, thread: str = "") -> OwnPost | None:
        found = (one for one in self.messages if (one.channel, one.ts) == (channel, message))
        return next((OwnPost(one.key, self._posted(one)) for one in found), None)

    def account(self, account_id: str) -> Account:
        if account_id not in self.accounts:
            raise Permanent(f"user_not_found: {account_id}")
        return self.accounts[account_id]

    def find_account(self, email: str) -> Account | None:
        return next((account for account in self.accounts.values() if account.email == email), None)

    def members_of(self, group: str) -> frozenset[str]:
        if group not in self.groups:
            raise Permanent(f"subteam_not_found: {group}")
        return self.groups[group]

    def ask_reason(self, click: Click, title: str, prompt: str, *, optional: bool = False, initial: str = "") -> None:
        self.asked.append(title)

    def ask_person(self, click: Click, title: str, prompt: str) -> None:
        self.asked.append(title)

    def read_mention(self, text: str) -> str | None:
        return None

    def check_request(self, headers: Mapping[str, str]) -> None:
        raise Rejected("bad_signature", "the simulation sends no HTTP")

    def upload_image(self, content: bytes, name: str, alt: str) -> Image:
        return Image(name, alt)

    def share(self, posted: PostedCard, files: Sequence[Attachment], key: str) -> None:
        return

    def reply_privately(self, reply_to: str, text: str) -> None:
        return

    def as_reply(self, card: Card) -> Mapping[str, object]:
        return {"text": card.summary}

    def read_click(self, body: Mapping[str, object]) -> Click:
        raise Rejected("malformed", "the simulation presses buttons itself")

    def as_received(self, raw: str, headers: Mapping[str, str], body: Mapping[str, object]) -> SignedRequest:
        raise Rejected("malformed", "the simulation presses buttons itself")

    def signed(self, click: Click) -> Click:
        """The click with the request that it would have come in."""
        self.clicks.append(click)
        return replace(click, signed=SignedRequest(SignedBy.NOTIFIER, str(len(self.clicks)), "0", "of the simulation"))

    def read_signed(self, kept: SignedRequest) -> Click:
        return self.clicks[int(kept.body) - 1]

    def join(self, account_id: str, email: str, name: str) -> None:
        self.accounts[account_id] = Account(account_id, email, name, AccountKind.MEMBER)

    def _posted(self, message: Message) -> PostedCard:
        url = f"https://slack.example.com/archives/{message.channel}/p{message.ts}"
        return PostedCard(TEAM, APP, message.channel, message.ts, url)


@dataclass
class Issue:
    ref: TicketRef
    key: str
    status: str
    created: datetime
    comments: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


class Tickets:
    """A new ticket is found only `lag` after it was created, which never takes longer than `search_settles`."""

    name = "Jira"
    search_settles = 30.0

    def __init__(self, now: Callable[[], datetime], lag: timedelta) -> None:
        self._now = now
        self._lag = lag
        self.issues: list[Issue] = []

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> TicketHint:
        raise Rejected("bad_signature", "the simulation signs no webhooks")

    def find_ticket(self, plan: TicketPlan, key: str) -> Ticket | None:
        found = (issue for issue in self.issues if issue.key == key and issue.created + self._lag <= self._now())
        return next((Ticket(issue.ref, issue.status) for issue in found), None)

    def look_up(self, name: str) -> SeenTicket:
        return SeenTicket(name)

    def relate(self, ref: TicketRef, to: str, link_type: str) -> None:
        raise Permanent(f"there is no ticket {to}")

    def open_ticket(self, plan: TicketPlan, card: Card, key: str, parent: str = "") -> Ticket:
        number = len(self.issues) + 1
        name = f"{plan.project}-{number}"
        ref = TicketRef(str(10_000 + number), name, f"https://jira.example.com/browse/{name}")
        self.issues.append(Issue(ref, key, "To Do", self._now()))
        return Ticket(ref, "To Do")

    def get_ticket(self, ref: TicketRef) -> Ticket:
        issue = self._issue(ref)
        return Ticket(issue.ref, issue.status)

    def link(self, ref: TicketRef, key: str, title: str, url: str) -> None:
        self._issue(ref).links[key] = url

    def comment(
        self, ref: TicketRef, key: str, text: str, *, also: Mapping[str, str] = NOTHING_MORE, is_new: bool = False
    ) -> None:
        there = self._issue(ref).comments
        assert not (is_new and {key, *also} & set(there)), f"{ref.key} gets a comment twice"
        for one, said in {key: text, **also}.items():
            there.setdefault(one, said)

    def attach(self, ref: TicketRef, files: Sequence[Attachment]) -> None:
        self._issue(ref)

    def move(self, ref: TicketRef, to: TicketMove | str) -> None:
        self._issue(ref).status = to if isinstance(to, str) else to.to

    def _issue(self, ref: TicketRef) -> Issue:
        found = next((issue for issue in self.issues if issue.ref.id == ref.id), None)
        if found is None:
            raise Permanent(f"{ref.key} was deleted")
        return found


class NoMail:
    """No rule of the simulation sends mail."""

    def send(self, mail: object) -> None:
        raise Permanent("there is no mail server")
