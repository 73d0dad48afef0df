"""The Notifier on Slack: posting, looking up and updating messages, people, and clicks.

Rendering is in `blocks`, calls and their failures in `calls`, people and mentions in `people`, pictures and other files in `files`, the
parsing of clicks in `inbound`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from http.client import HTTPException

import structlog
from slack_sdk.webhook import WebhookClient

from bot import tracing
from bot.clients.slack import blocks as slack_blocks
from bot.clients.slack import inbound, shortcuts
from bot.clients.slack.blocks import fallback
from bot.clients.slack.bodies import check_shape, check_signature
from bot.clients.slack.calls import Answer, SlackCalls, SlackError, Wait, object_at, objects_at, text_at
from bot.clients.slack.channels import ACCOUNT_ID, SlackChannels
from bot.clients.slack.files import SlackFiles, SlackImages
from bot.clients.slack.forms import person_form
from bot.clients.slack.people import PATIENCE, SlackMentions, SlackPeople
from bot.clients.slack.signed_requests import RequestSignatures
from bot.domain.card.card import Card, Mention
from bot.domain.grounds import SignedRequest
from bot.domain.references import Image, PostedCard
from bot.errors import ChartRefused, MessageGone, OutcomeUnknown, Temporary
from bot.ports import Account, Attachment, Click, Marked, OwnPost, WrittenReply

log = structlog.get_logger()
EVENT_TYPE = "countersign"
PAGE = 200  # https://docs.slack.dev/apis/web-api/pagination advises 100 to 200
CLOCKS_DIFFER_BY = 600.0  # seconds: the database's clock wrote `since`, Slack's wrote the message
REPLY_TIMEOUT = 1  # seconds; Slack wants a click answered within three
FORM_TIMEOUT = 2.0  # seconds; a trigger expires after three
NOT_TO_BE_SEEN = ("channel_not_found", "not_in_channel", "thread_not_found")  # so none of our messages is there
TOMBSTONE = "tombstone"  # what stands where a message with replies was deleted


REFUSED_CARDS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})

Content = dict[str, object]


@dataclass(frozen=True)
class Sent:
    """`is_whole` is False when the message went without its picture, in short, or without a mention that was not found."""

    answer: Answer
    is_whole: bool


class SlackNotifier:
    """Thread-safe; connects on the first call.

    `timeout` is in seconds. `clock` counts seconds for the caches. `wait` sleeps while Slack processes a picture.
    `signing_secrets`, newest first, verify kept requests; with `socket_mode`, so does our own seal, made
    with the token or with one of `earlier_tokens`.
    """

    def __init__(
        self,
        token: str,
        *,
        api_url: str = "https://slack.com/api/",
        timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = time.sleep,
        signing_secrets: Sequence[str] = (),
        socket_mode: bool = False,
        earlier_tokens: Sequence[str] = (),
    ) -> None:
        self.name = "Slack"
        self.post_settles = timeout + 5.0  # seconds; Slack may still write a message after our timeout
        self.post_spacing = 1.0  # seconds; about one a second: https://docs.slack.dev/apis/web-api/rate-limits
        self._signing_secrets = tuple(signing_secrets)  # without one, nothing over HTTP is believed
        self._calls = SlackCalls(token, api_url, timeout)
        self._people = SlackPeople(self._calls, clock)
        self._mentions = SlackMentions(self._people, clock)
        self._files = SlackFiles(self._calls, self._people, timeout, wait)
        self._images = SlackImages(self._calls, self._files, wait)
        self._channels = SlackChannels(self._calls, self._people, clock)
        self._signatures = RequestSignatures(signing_secrets, (token, *earlier_tokens), seals_count=socket_mode)

    def home(self) -> str:
        """The id of the bot's workspace, or of the organisation that it is installed for as a whole."""
        return self._people.bot().team

    def post(
        self, channel: str, card: Card, key: str, thread: str | None = None, *, broadcast: bool = False
    ) -> PostedCard:
        """Makes every call that can fail before the message is sent, because nothing may fail afterwards."""
        is_by_id = ACCOUNT_ID.fullmatch(channel) or self._people.bot().is_org_wide  # where a name may stand for several
        place = self._channels.id_of(channel) if is_by_id else channel

        message: Content = {
            "channel": place,
            **({"thread_ts": thread} if thread else {}),
            **({"reply_broadcast": True} if thread and broadcast else {}),
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": key}},
            "unfurl_links": False,
            "unfurl_media": False,
        }
        sent = self._send(
            card, lambda content: self._calls.call_once("chat.postMessage", {**message, **content})
        ).answer
        posted = self._posted(text_at(sent, "channel"), text_at(sent, "ts"), thread)
        if (
            thread and text_at(sent, "message", "thread_ts") != thread
        ):  # Slack posts it at the channel's root, and says `ok`
            self._take_back(posted.channel, posted.message)
            raise _gone(thread)

        return posted

    def find_post(self, channel: str, key: str, since: datetime, thread: str | None = None) -> PostedCard | None:
        """Finds a reply only when its `thread` is given: a channel's history leaves replies out."""
        place = self._channels.id_of(channel)
        oldest = f"{since.timestamp() - CLOCKS_DIFFER_BY:.6f}"
        span: dict[str, object] = {"channel": place, "oldest": oldest, "include_all_metadata": True, "limit": PAGE}
        history = partial(self._calls.pages, "conversations.history", span)
        found = self._find_reply(span, key, thread) if thread else self._first_ours(history(), key)
        return self._posted(place, found, thread) if found else None

    def own_post(self, channel: str, message: str, thread: str = "") -> OwnPost | None:
        method, just = _look_at(channel, message, thread)
        try:
            page = self._calls.call(method, {**just, "include_all_metadata": True}, timeout=PATIENCE)
        except SlackError as refusal:
            if refusal.code not in NOT_TO_BE_SEEN:
                raise
            return None
        key = next((key for place, key in self._ours([page]) if place == message), None)
        return OwnPost(key, self._posted(channel, message, thread or None)) if key else None

    def is_there(self, posted: PostedCard) -> bool:
        return self._shown(posted) is not None

    def has_button(self, posted: PostedCard, *actions: str) -> bool:
        blocks = objects_at(self._shown(posted) or {}, "blocks")
        return any(text_at(one, "action_id") in actions for block in blocks for one in objects_at(block, "elements"))

    def _shown(self, posted: PostedCard) -> Answer | None:
        """The message as Slack has it now; None when it is gone."""
        method, just = _look_at(posted.channel, posted.message, posted.thread)
        try:
            page = self._calls.call(method, just)
        except SlackError as refusal:
            if refusal.code != "thread_not_found":
                raise
            return None
        shown = (one for one in objects_at(page, "messages") if text_at(one, "ts") == posted.message)
        return next((one for one in shown if text_at(one, "subtype") != TOMBSTONE), None)

    def update(self, posted: PostedCard, card: Card) -> bool:
        message: Content = {"channel": posted.channel, "ts": posted.message}
        try:
            return self._send(card, lambda content: self._calls.call("chat.update", {**message, **content})).is_whole
        except SlackError as refusal:
            if refusal.code != "message_not_found":
                raise
        if self.is_there(posted):
            raise Temporary(f"Slack shows message {posted.message} and could not find it for the update. Trying again.")
        raise _gone(posted.message)

    def account(self, account_id: str) -> Account:
        return self._people.account(account_id)

    def find_account(self, email: str) -> Account | None:
        return self._people.find_account(email)

    def members_of(self, group: str) -> frozenset[str]:
        return self._people.members_of(group)

    def upload_image(self, content: bytes, name: str, alt: str) -> Image:
        return self._images.upload(content, name, alt)

    def share(self, posted: PostedCard, files: Sequence[Attachment], key: str) -> None:
        self._files.share(posted, files, key)

    def ask_reason(self, click: Click, title: str, prompt: str, *, optional: bool = False, initial: str = "") -> None:
        view = slack_blocks.reason_form(click, title, prompt, optional=optional, initial=initial)
        self._calls.call("views.open", {"trigger_id": click.trigger, "view": view}, timeout=FORM_TIMEOUT)

    def ask_person(self, click: Click, title: str, prompt: str) -> None:
        view = person_form(click, title, prompt)
        self._calls.call("views.open", {"trigger_id": click.trigger, "view": view}, timeout=FORM_TIMEOUT)

    def as_notice(self, title: str, text: str) -> Mapping[str, object]:
        return slack_blocks.notice(title, text)

    def check_request(self, headers: Mapping[str, str], body: bytes) -> None:
        check_signature(self._signing_secrets, headers, body, time.time())
        check_shape(body, next((text for name, text in headers.items() if name.lower() == "content-type"), ""))

    def reply_privately(self, reply_to: str, text: str) -> None:
        """Not Bolt's `respond`: it would wait half a minute while Slack waits for us, and repeat itself after a lost answer."""
        slack = WebhookClient(reply_to, timeout=REPLY_TIMEOUT, retry_handlers=[])
        slack.proxy = None  # the SDK ignores NO_PROXY; without a proxy here, urllib honours NO_PROXY and HTTPS_PROXY
        blocks = slack_blocks.lines_of(text)
        try:
            with tracing.call("slack", "private answer"):
                slack.send(text=fallback(text), blocks=blocks, response_type="ephemeral", replace_original=False)
        except (OSError, HTTPException, ValueError) as error:
            raise Temporary(f"Slack did not take the private answer ({type(error).__name__})") from None

    def as_reply(self, card: Card) -> Mapping[str, object]:
        """Leaves the picture out, because a refused reply cannot be sent again; people mentioned are printed by name."""
        return {"response_type": "ephemeral", **_content(replace(card, image=None))}

    def read_click(self, body: Mapping[str, object]) -> Click:
        return inbound.read_click(body)

    def as_received(self, raw: str, headers: Mapping[str, str], body: Mapping[str, object]) -> SignedRequest:
        if raw:
            return self._signatures.of_http(raw, headers)
        return self._signatures.seal(body, int(time.time()))

    def read_signed(self, kept: SignedRequest) -> Click:
        return self._signatures.read(kept)

    def read_shortcut(self, body: Mapping[str, object]) -> Marked:
        return shortcuts.read_shortcut(body)

    def read_reply(self, marked: Marked) -> WrittenReply:
        link = _link(self._people.bot().workspace_url, marked.channel, marked.message, marked.thread)
        return shortcuts.read_reply(marked, self._calls, self._people.bot().id, EVENT_TYPE, link)

    def read_mention(self, text: str) -> str | None:
        return inbound.read_mention(text)

    def _send(self, card: Card, send: Callable[[Content], Answer]) -> Sent:
        """Sends the card without its picture, then in short and plain, when Slack refuses it: it must appear, with its buttons.

        A picture may not be processed yet, or be gone. That makes no duplicate, because a refused message was not posted.
        """
        found = self._mentions.found(card.mentions)
        forms = [card, replace(card, image=None)] if card.image else [card]
        for form in forms:
            try:
                is_whole = form is card and len(found) == len(set(card.mentions))
                return Sent(send(_content(form, found)), is_whole)
            except SlackError as refusal:
                if refusal.code not in REFUSED_CARDS:
                    raise
                if form.chart:
                    raise ChartRefused(str(refusal)) from None
                if form.image:
                    log.warning("image_not_taken", file=form.image.file, why=str(refusal))
                else:
                    log.warning("card_not_taken", title=card.title, why=str(refusal))
        return Sent(send(_content_in_short(card)), is_whole=False)

    def _find_reply(self, span: Content, key: str, thread: str) -> str | None:
        try:
            return self._first_ours(self._calls.pages("conversations.replies", {**span, "ts": thread}), key)
        except SlackError as refusal:
            if refusal.code != "thread_not_found":
                raise
        stray = self._first_ours(self._calls.pages("conversations.history", span), key)
        if stray:
            self._take_back(str(span["channel"]), stray)
        raise _gone(thread)

    def _take_back(self, channel: str, message: str) -> None:
        """Deletes a reply of ours that stands alone at the channel's root."""
        try:
            self._calls.call("chat.delete", {"channel": channel, "ts": message})
        except SlackError as refusal:
            if refusal.code != "message_not_found":
                log.warning("stray_not_deleted", channel=channel, message=message, why=str(refusal))
        except Temporary as trouble:
            raise OutcomeUnknown(
                f"{trouble} A reply to a deleted message came to stand alone in the channel; it is deleted later."
            ) from None

    def _first_ours(self, pages: Iterable[Answer], key: str) -> str | None:
        return next((place for place, its_key in self._ours(pages) if its_key == key), None)

    def _ours(self, pages: Iterable[Answer]) -> Iterator[tuple[str, str]]:
        """The messages with a key, and it. They must also be our bot's, because any app can write any metadata."""
        bot = self._people.bot()
        for page in pages:
            for message in objects_at(page, "messages"):
                metadata = object_at(message, "metadata")
                if metadata.get("event_type") == EVENT_TYPE and message.get("bot_id") == bot.id:
                    yield text_at(message, "ts"), text_at(metadata, "event_payload", "key")

    def _posted(self, channel: str, message: str, thread: str | None) -> PostedCard:
        if not channel or not message:
            raise OutcomeUnknown("Slack took the message but did not say where it stands; it is looked up by its key.")
        bot = self._people.bot()
        return PostedCard(
            bot.team,
            bot.app,
            channel,
            message,
            _link(bot.workspace_url, channel, message, thread),
            thread or "",
        )


def _look_at(channel: str, message: str, thread: str) -> tuple[str, Content]:
    """What to call for this message alone. A channel's history leaves replies out, and a thread's begins with its first message."""
    just: Content = {"channel": channel, "oldest": message, "latest": message, "inclusive": True}
    if thread:
        return "conversations.replies", {**just, "ts": thread, "limit": 2}
    return "conversations.history", {**just, "limit": 1}


def _link(workspace_url: str, channel: str, message: str, thread: str | None) -> str:
    """As `chat.getPermalink` builds it. It is not asked: while it is slow, the card is visible and not on record, so no click counts."""
    in_thread = f"?thread_ts={thread}&cid={channel}" if thread else ""
    return f"{workspace_url}archives/{channel}/p{message.replace('.', '')}{in_thread}"


def _gone(message: str) -> MessageGone:
    return MessageGone(f"Message {message} was deleted in Slack. It is posted anew where it is still needed.")


def _content(card: Card, found: Mapping[Mention, str] = slack_blocks.NO_IDS) -> Content:
    """Always sends `blocks`, so that an update removes what the card no longer has."""
    return _message(slack_blocks.blocks_of(card, found), card)


def _content_in_short(card: Card) -> Content:
    return _message(slack_blocks.plain_blocks_of(card), card)


def _message(blocks: Sequence[Content], card: Card) -> Content:
    return {"blocks": blocks, "text": fallback(card.summary), "parse": "none", "link_names": False}
