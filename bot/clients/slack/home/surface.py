"""Publishes Home tabs, opens the form, and unfurls links: the calls. What they look like is in the other modules of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from bot.clients.plain_text import is_web_address, one_line
from bot.clients.slack import blocks as slack_blocks
from bot.clients.slack.calls import SlackCalls, SlackError, object_at, text_at
from bot.clients.slack.home import forms, inbound
from bot.clients.slack.home.forms import ask_form, block_of, choices_of
from bot.clients.slack.home.views import card_button, home_view
from bot.clients.slack.rich_text import Block, bold, rich, text_of, timed
from bot.domain.home.form import AskForm, Choice, Field, SentForm
from bot.domain.home.page import HomePage
from bot.domain.home.preview import Preview
from bot.ports.home import Body, HomePress, SharedLinks, ShownSince, Typed

log = structlog.get_logger()
FORM_TIMEOUT = 2.0  # seconds; a trigger expires after three, and so does Slack's patience with an event
FACT_LIMIT = 300
CLOSED_OR_CHANGED = frozenset({"not_found", "hash_conflict", "view_not_found"})


class SlackHome:
    """Connects on the first call."""

    def __init__(self, token: str, *, api_url: str, timeout: float = 10.0) -> None:
        self._calls = SlackCalls(token, api_url, timeout)

    def publish(self, account: str, page: HomePage, replaces: str) -> str:
        """https://docs.slack.dev/reference/methods/views.publish"""
        shown: dict[str, object] = {"user_id": account, "view": home_view(page)}
        try:
            answer = self._calls.call("views.publish", {**shown, "hash": replaces} if replaces else shown)
        except SlackError as refusal:
            if refusal.code == "hash_conflict":
                raise ShownSince(str(refusal)) from None
            raise
        return text_at(object_at(answer, "view"), "hash")

    def open_form(self, trigger: str, form: AskForm) -> None:
        self._open(trigger, ask_form(form))

    def update_form(self, press: HomePress, form: AskForm) -> None:
        shown = {"view_id": press.view, "hash": press.mark, "view": ask_form(form)}
        try:
            self._calls.call("views.update", shown, timeout=FORM_TIMEOUT)
        except SlackError as refusal:
            if refusal.code not in CLOSED_OR_CHANGED:
                raise
            log.info("form_closed_or_changed", account=press.account, why=refusal.code)

    def open_notice(self, trigger: str, title: str, text: str) -> None:
        self._open(trigger, slack_blocks.notice(title, text))

    def unfurl(self, shared: SharedLinks, previews: Mapping[str, Preview]) -> None:
        """https://docs.slack.dev/reference/methods/chat.unfurl"""
        shown = {
            url: {"blocks": preview_blocks(preview, place)} for place, (url, preview) in enumerate(previews.items())
        }
        where = {"unfurl_id": shared.shown_by, "source": shared.source}
        if not shared.shown_by:
            where = {"channel": shared.place, "ts": shared.message}
        self._calls.call("chat.unfurl", {**where, "unfurls": shown}, timeout=FORM_TIMEOUT)

    def as_form(self, form: AskForm) -> Body:
        return ask_form(form)

    def as_mistakes(self, sent: SentForm, mistakes: Mapping[Field, str]) -> Mapping[str, str]:
        return {block_of(field, sent.drawn_for): text for field, text in mistakes.items()}

    def as_choices(self, choices: Sequence[Choice]) -> Body:
        return choices_of(choices)

    def read_opened(self, body: Body) -> str:
        return inbound.read_opened(body)

    def read_press(self, body: Body) -> HomePress:
        return inbound.read_press(body)

    def read_typed(self, body: Body) -> Typed:
        return inbound.read_typed(body)

    def read_form(self, body: Body) -> tuple[str, SentForm]:
        return inbound.read_form(body)

    def read_trigger(self, body: Body) -> tuple[str, str]:
        return inbound.read_trigger(body)

    def read_links(self, body: Body) -> SharedLinks:
        return inbound.read_links(body)

    def _open(self, trigger: str, view: Block) -> None:
        self._calls.call("views.open", {"trigger_id": trigger, "view": view}, timeout=FORM_TIMEOUT)


def preview_blocks(preview: Preview, place: int) -> list[Block]:
    elements = [bold(one_line(preview.title, forms.LABEL_LIMIT * 4))]
    for fact in preview.facts:
        value = fact.value if isinstance(fact.value, str) else fact.value.text
        elements += [text_of("\n"), bold(f"{one_line(fact.label, 80)}: "), *timed(one_line(value, FACT_LIMIT))]
    blocks: list[Block] = [rich(elements)]
    if preview.card is not None and is_web_address(preview.card.url):
        blocks.append({"type": "actions", "elements": [card_button(preview.card, f"link{place}")]})
    return blocks
