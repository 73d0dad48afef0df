"""A second notifier: a board as Mattermost has it, with posts as JSON, threads by `root_id`, and actions that call back with a token.

In memory and small. It knows none of the first notifier's words: whatever the bot needs of a notifier must be in the port.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.card.card import Card, Item, Link
from bot.domain.grounds import SignedBy, SignedRequest
from bot.domain.references import Image, PostedCard
from bot.domain.request.shown import read_value
from bot.errors import MessageGone, Permanent, Refused, Rejected
from bot.ports import Account, AccountKind, Attachment, Click, OwnPost
from bot.ports.notifier import Marked, WrittenReply

TEAM, APP, TOKEN = "board-team", "countersign-on-the-board", b"the-boards-own-token"
Post = dict[str, object]


@dataclass
class Board:
    """`posts` are what the board holds, `files` and `private` what came beside."""

    now: Callable[[], datetime]
    name: str = "Board"
    post_settles: float = 0.0
    post_spacing: float = 0.0
    accounts: dict[str, Account] = field(default_factory=dict)
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    private: list[str] = field(default_factory=list)
    forms: list[Post] = field(default_factory=list)

    def join(self, account_id: str, email: str, name: str) -> None:
        self.accounts[account_id] = Account(account_id, email, name, AccountKind.MEMBER)

    # What a person does on the board

    def press(self, account: str, post: Post, action: str) -> tuple[dict[str, str], bytes]:
        """The call that the board makes: its headers and its body."""
        button = next(one for one in actions_of(post) if one["action"] == action)
        said = {"user_id": account, "channel_id": post["channel_id"], "post_id": post["id"], "context": button}
        body = json.dumps(said).encode()
        return {"X-Board-Signature": _signature(body), "X-Board-Time": f"{self.now().timestamp():.0f}"}, body

    def texts(self) -> str:
        """Everything that was written here, in any form."""
        return json.dumps([self.posts, self.files, self.private, self.forms])

    # The port

    def post(
        self, channel: str, card: Card, key: str, thread: str | None = None, *, broadcast: bool = False
    ) -> PostedCard:
        """The board shows every reply in its channel, so a broadcast is nothing more."""
        if thread and all(post["id"] != thread for post in self.posts):
            raise MessageGone(f"there is no post {thread}")
        post: Post = {"id": f"p{len(self.posts) + 1}", "channel_id": channel, "root_id": thread or "", **_drawn(card)}
        self.posts.append({**post, "key": key})
        return self._posted(self.posts[-1])

    def find_post(self, channel: str, key: str, since: datetime, thread: str | None = None) -> PostedCard | None:
        wanted = (channel, key, thread or "")
        found = (one for one in self.posts if (one["channel_id"], one["key"], one["root_id"]) == wanted)
        return next((self._posted(one) for one in found), None)

    def own_post(self, channel: str, message: str, thread: str = "") -> OwnPost | None:
        wanted = (channel, message, thread)
        found = (one for one in self.posts if (one["channel_id"], one["id"], one["root_id"]) == wanted)
        return next((OwnPost(one["key"], self._posted(one)) for one in found), None)

    def is_there(self, posted: PostedCard) -> bool:
        return any(one["id"] == posted.message for one in self.posts)

    def update(self, posted: PostedCard, card: Card) -> bool:
        for one in self.posts:
            if one["id"] == posted.message:
                one.update(_drawn(card))
                return True
        raise MessageGone(f"there is no post {posted.message}")

    def account(self, account_id: str) -> Account:
        if account_id not in self.accounts:
            raise Permanent(f"there is no user {account_id}")
        return self.accounts[account_id]

    def find_account(self, email: str) -> Account | None:
        return next((one for one in self.accounts.values() if one.email == email), None)

    def members_of(self, group: str) -> frozenset[str]:
        if group not in self.groups:
            raise Permanent(f"there is no group {group}")
        return self.groups[group]

    def ask_reason(self, click: Click, title: str, prompt: str, *, optional: bool = False, initial: str = "") -> None:
        form: Post = {"title": title, "prompt": prompt, "optional": optional, "initial": initial, "value": click.value}
        self.forms.append(form)

    def ask_person(self, click: Click, title: str, prompt: str) -> None:
        self.forms.append({"title": title, "prompt": prompt, "value": click.value, "asks": "person"})

    def read_shortcut(self, body: Mapping[str, object]) -> Marked:
        said = {name: str(body[name]) for name in ("user_id", "channel_id", "post_id", "root_id")}
        return Marked(TEAM, APP, said["user_id"], said["channel_id"], said["post_id"], said["root_id"], reply_to="")

    def read_reply(self, marked: Marked) -> WrittenReply:
        found = next((one for one in self.posts if one["id"] == marked.message), None)
        if found is None or not found["root_id"]:
            raise Refused("this is no reply")
        root = next(one for one in self.posts if one["id"] == found["root_id"])
        url = f"https://board.example.com/posts/{found['id']}"
        return WrittenReply(str(root["key"]), str(found["author"]), str(found["message"]), self.now(), url)

    def read_mention(self, text: str) -> str | None:
        return next((one.id for one in self.accounts.values() if f"@{one.name}" == text), None)

    def check_request(self, headers: Mapping[str, str], body: bytes) -> None:
        if not hmac.compare_digest(headers.get("X-Board-Signature", ""), _signature(body)):
            raise Rejected("bad_signature", "the signature is not the board's")

    def upload_image(self, content: bytes, name: str, alt: str) -> Image:
        self.files.append(name)
        return Image(name, alt)

    def share(self, posted: PostedCard, files: Sequence[Attachment], key: str) -> None:
        self.files += [one.name for one in files if one.name not in self.files]

    def as_notice(self, title: str, text: str) -> Mapping[str, object]:
        return {"title": title, "text": text}

    def reply_privately(self, reply_to: str, text: str) -> None:
        self.private.append(text)

    def as_reply(self, card: Card) -> Mapping[str, object]:
        return _drawn(card)

    def read_click(self, body: Mapping[str, object]) -> Click:
        context = body.get("context")
        if not isinstance(context, dict):
            raise Rejected("malformed", "the call has no context", 400)
        value, shown = read_value(str(context["value"]))
        where = (str(body["channel_id"]), str(body["post_id"]), str(body["user_id"]))
        return Click(TEAM, APP, *where, action=str(context["action"]), value=value, trigger="", shown=shown)

    def as_received(self, raw: str, headers: Mapping[str, str], body: Mapping[str, object]) -> SignedRequest:
        return SignedRequest(SignedBy.NOTIFIER, raw, headers["X-Board-Time"], headers["X-Board-Signature"])

    def read_signed(self, kept: SignedRequest) -> Click:
        self.check_request({"X-Board-Signature": kept.signature}, kept.body.encode())
        return self.read_click(json.loads(kept.body))

    def _posted(self, post: Post) -> PostedCard:
        where = (str(post["channel_id"]), str(post["id"]))
        return PostedCard(TEAM, APP, *where, f"https://board.example.com/posts/{post['id']}", str(post["root_id"]))


def actions_of(post: Post) -> list[dict[str, str]]:
    found = post["actions"]
    assert isinstance(found, list)
    return found


def _signature(body: bytes) -> str:
    return hmac.new(TOKEN, body, hashlib.sha256).hexdigest()


def _drawn(card: Card) -> Post:
    """A card as the board's JSON. Every part of it is drawn, so that a word that does not belong here is seen."""
    lines = [f"**{card.title}**", card.summary, *([card.lead.text] if card.lead else [])]
    lines += [f"{fact.label}: {_value(fact.value)}" for fact in card.facts]
    lines += ["|".join(row) for table in card.tables for row in (table.columns, *table.rows)]
    lines += [*card.paragraphs, *(_line(item) for item in card.items), *(_value(link) for link in card.links)]
    lines += [f"{card.waits_for} {', '.join(one.name for one in card.mentions)}".strip(), card.footer]
    if card.chart is not None:
        lines += [card.chart.title, card.chart.words]
    buttons = [*card.buttons, *(item.button for item in card.items if item.button)]
    actions = [{"action": one.action, "name": one.label, "value": one.value} for one in buttons]
    asked = [text for one in buttons if one.confirm for text in (one.confirm.title, one.confirm.text)]
    return {"message": "\n".join(line for line in lines if line), "actions": actions, "asks": asked}


def _line(item: Item) -> str:
    return f"- {'~~' if item.is_over else ''}{item.title}: {item.text} {_value(item.link) if item.link else ''}"


def _value(value: str | Link) -> str:
    return value if isinstance(value, str) else f"[{value.text}]({value.url})"
