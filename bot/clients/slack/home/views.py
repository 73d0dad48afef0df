"""Turns a person's page into a Home tab. Pure; `surface` publishes it.

As in `blocks`, only elements are used in which Slack parses no markup. https://docs.slack.dev/surfaces/app-home
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.clients.plain_text import is_web_address, one_line
from bot.clients.slack.home.forms import choice_of, plain, search
from bot.clients.slack.rich_text import Block, bold, rich, text_of, timed
from bot.domain.card.card import Link
from bot.domain.home.form import Choice
from bot.domain.home.page import HomePage, Part, Row
from bot.language import N_, _
from bot.ports.home import Deed

BLOCKS_LIMIT = 100  # https://docs.slack.dev/reference/views/home-tab-views
TITLE_LIMIT = 150
LINE_LIMIT = 400
BETWEEN = ":"
FILTER = f"home.{Deed.FILTER}"
INTRO = N_(
    "What waits for you, what you asked for, and what is in production. You approve or reject on a request's card, in its channel: there "
    "you see all that the decision is about, and your signed vote is bound to that card."
)


def home_view(page: HomePage) -> Block:
    """At most 100 blocks, whatever the lists hold."""
    return {"type": "home", "private_metadata": page.state.as_text(), "blocks": list(_blocks(page))[:BLOCKS_LIMIT]}


def _blocks(page: HomePage) -> Iterator[Block]:
    yield {"type": "header", "text": plain("Countersign", TITLE_LIMIT)}
    if page.notice:
        yield rich(timed(one_line(page.notice, 2 * LINE_LIMIT)))
        return
    yield {"type": "context", "elements": [plain(_(INTRO), LINE_LIMIT)]}
    yield _tools(page)
    for part in page.parts:
        yield {"type": "divider"}
        yield from _part(part)


def _tools(page: HomePage) -> Block:
    """The form, and the filter: one model, or all."""
    ask = _button(Deed.ASK, _("Request a promotion"), "ask")
    chosen = Choice(page.state.model, page.model) if page.model else None
    menu = {
        **search(_("Show one model"), 0),
        "action_id": FILTER,
        **({"initial_option": choice_of(chosen)} if chosen else {}),
    }
    every = [_button(Deed.ALL_MODELS, _("Show all models"), "all")] if page.state.model else []
    return {
        "type": "actions",
        "block_id": f"tools.{page.state.model}",
        "elements": [{**ask, "style": "primary"}, menu, *every],
    }


def _part(part: Part) -> Iterator[Block]:
    yield {"type": "header", "text": plain(part.title, TITLE_LIMIT)}
    if not part.rows:
        yield {"type": "context", "elements": [plain(part.empty, LINE_LIMIT)]}
    for place, row in enumerate(part.rows):
        yield from _row(row, f"{part.section}{BETWEEN}{place}")
    turns = [_button(Deed.NEWER, _("Newer"), part.section)] if part.page else []
    turns += [_button(Deed.OLDER, _("Older"), part.section)] if part.has_more else []
    if turns:
        yield {"type": "actions", "elements": turns}


def _row(row: Row, name: str) -> Iterator[Block]:
    """The title and its lines in one block, and the way to the card in another: rich text takes no button at its side."""
    elements = [bold(one_line(row.title, TITLE_LIMIT))]
    if row.age:
        elements.append(text_of(f" · {one_line(row.age, LINE_LIMIT)}"))
    for line in row.lines:
        elements += [text_of("\n"), *timed(one_line(line, LINE_LIMIT))]
    for link in row.links:
        elements += [text_of("\n"), _link(link)]
    yield rich(elements)
    if row.card is not None and is_web_address(row.card.url):
        yield {"type": "actions", "elements": [card_button(row.card, name)]}


def card_button(card: Link, name: str) -> Block:
    """Slack follows the address by itself, and reports the press too."""
    return {
        "type": "button",
        "action_id": f"home.{Deed.OPEN}{BETWEEN}{name}",
        "text": plain(card.text, 75),
        "url": card.url,
    }


def _link(link: Link) -> Block:
    if not is_web_address(link.url):
        return text_of(one_line(link.text, LINE_LIMIT))
    return {"type": "link", "url": link.url, "text": one_line(link.text, LINE_LIMIT)}


def _button(deed: Deed, label: str, name: str) -> Block:
    action = f"home.{deed}{BETWEEN}{name}"
    return {"type": "button", "action_id": action, "text": plain(label, 75), "value": name}
