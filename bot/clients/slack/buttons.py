"""Slack's buttons, with the dialog that confirms a press. The buttons of a list are told apart by whose they are."""

from __future__ import annotations

import re

from bot.clients.plain_text import one_line
from bot.clients.slack.rich_text import Block
from bot.domain.card.card import Button, Confirm, Tone

BUTTON_TEXT_LIMIT = 75
WHOSE = 16  # characters of a button's value that are in its action id, which must be unique in a message
OF_A_LIST = re.compile(r"(?P<action>[a-z_]+)\.[0-9a-f]{16}")


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
