"""Modals that ask for more than a reason. `blocks` has the one that asks for a reason only."""

from __future__ import annotations

import json

from bot.clients.slack.blocks import MODAL_TITLE_LIMIT, OPTIONAL, REASON_BLOCK, REASON_LIMIT
from bot.clients.slack.buttons import plain
from bot.clients.slack.rich_text import Block
from bot.language import _
from bot.ports import Click

PERSON_FORM = "countersign.person"
PERSON_BLOCK = "person"


def person_form(click: Click, title: str, prompt: str) -> Block:
    """Asks for a person and, optionally, a note. As the form for a reason, it carries the click's origin."""
    place = {"channel": click.channel, "message": click.message, "shown": click.shown}
    origin = {"action": click.action, "value": click.value, **place, OPTIONAL: True}
    note = {"type": "plain_text_input", "action_id": REASON_BLOCK, "multiline": True, "max_length": REASON_LIMIT}
    return {
        "type": "modal",
        "callback_id": PERSON_FORM,
        "private_metadata": json.dumps(origin),
        "title": plain(title, MODAL_TITLE_LIMIT),
        "submit": plain(title, MODAL_TITLE_LIMIT),
        "close": plain(_("Cancel"), MODAL_TITLE_LIMIT),
        "blocks": [
            {
                "type": "input",
                "block_id": PERSON_BLOCK,
                "label": plain(prompt, 2_000),
                "element": {"type": "users_select", "action_id": PERSON_BLOCK},
            },
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "label": plain(_("What should they know?"), 2_000),
                "element": note,
                OPTIONAL: True,
            },
        ],
    }
