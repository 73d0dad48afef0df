"""A card's buttons as Slack's elements: in a row, and the seldom ones in a menu behind them. Those of a list have ids of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.clients.plain_text import one_line
from bot.clients.slack.rich_text import Block
from bot.domain.card.card import Button, Confirm, Tone

BUTTONS_LIMIT = 25
BUTTON_TEXT_LIMIT = 75
MENU_LIMIT = 5  # https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element
MENU = "menu"  # the action id of the menu; what was chosen is in its option's value
BEFORE_VALUE = ":"  # in that value, between the action and the button's value
WHOSE = 16  # characters of a button's value that are in its action id, which must be unique in a message
OF_A_LIST = re.compile(r"(?P<action>[a-z_]+)\.[0-9a-f]{16}")


def button_blocks(buttons: Sequence[Button]) -> list[Block]:
    shown = [button_of(button) for button in buttons if not button.in_menu][: BUTTONS_LIMIT - 1]
    elements = [*shown, *_menu([button for button in buttons if button.in_menu])]
    return [{"type": "actions", "elements": elements}] if elements else []


def plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": one_line(text, limit), "emoji": False}


def button_of(button: Button) -> Block:
    element: Block = {
        "type": "button",
        "action_id": button.action,
        "text": plain(button.label, BUTTON_TEXT_LIMIT),
        "value": button.value,
    }
    style: Block = {} if button.tone is Tone.PLAIN else {"style": str(button.tone)}
    confirm: Block = {"confirm": {**_confirm(button.confirm), **style}} if button.confirm else {}
    return {**element, **style, **confirm}


def _menu(buttons: Sequence[Button]) -> list[Block]:
    """An option's value may have 150 characters: https://docs.slack.dev/reference/block-kit/composition-objects/option-object."""
    options = [
        {"text": plain(button.label, BUTTON_TEXT_LIMIT), "value": f"{button.action}{BEFORE_VALUE}{button.value}"}
        for button in buttons[:MENU_LIMIT]
    ]
    return [{"type": "overflow", "action_id": MENU, "options": options}] if options else []


def button_of_a_list(button: Button) -> Block:
    return {**button_of(button), "action_id": f"{button.action}.{button.value[:WHOSE]}"}


def action_of(action_id: str) -> str:
    """Our action behind an action id, which may be one of a list."""
    found = OF_A_LIST.fullmatch(action_id)
    return found["action"] if found else action_id


def _confirm(confirm: Confirm) -> Block:
    return {
        "title": plain(confirm.title, 100),
        "text": plain(confirm.text, 300),
        "confirm": plain(confirm.yes, 30),
        "deny": plain(confirm.no, 30),
    }
