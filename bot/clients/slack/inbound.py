"""Parses what Slack sends: headers, clicks in Bolt's bodies, mentions in commands. Pure.

`bodies` verifies the signature. Anything unexpected raises Rejected with a label for the metric. Whether a click is allowed is decided
elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TypeGuard

from bot.clients.slack.blocks import OPTIONAL, REASON_BLOCK, REASON_FORM, REASON_LIMIT
from bot.clients.slack.buttons import BEFORE_VALUE, MENU, action_of
from bot.clients.slack.forms import PERSON_BLOCK, PERSON_FORM
from bot.domain.request.shown import read_value
from bot.errors import Rejected
from bot.ports import Click

FIELD_LIMIT = 2_000  # the longest value that a button may carry
ORIGIN_LIMIT = 3_000  # the longest private_metadata that a view may carry
TIMESTAMP = re.compile(r"[0-9]{1,12}")
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
# What `should_escape` in the manifest makes of @ben: https://docs.slack.dev/interactivity/implementing-slash-commands
MENTION = re.compile(r"<@(?P<account>[UW][A-Z0-9]{2,30})(\|[^<>|]{0,100})?>")

Body = Mapping[str, object]


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuses a missing or malformed timestamp or signature with 401; Bolt would answer 500."""
    by_name = {name.lower(): value for name, value in headers.items()}
    for name, form in (("X-Slack-Request-Timestamp", TIMESTAMP), ("X-Slack-Signature", SIGNATURE)):
        value = by_name.get(name.lower())
        if not value:
            raise Rejected("unsigned", f"The request has no {name} header, so it is not Slack's.")
        if not form.fullmatch(value):
            raise Rejected("malformed_signature", f"The {name} header is not of the form that Slack sends.")


def read_click(body: Body) -> Click:
    """A pressed button (`block_actions`) or the sent reason form (`view_submission`)."""
    kind = body.get("type")
    if kind == "block_actions":
        return _pressed_button(body)
    if kind == "view_submission":
        return _sent_form(body)
    raise malformed("type")


def read_mention(text: str) -> str | None:
    """The account id in `<@U0BEN000002|ben>` or `<@U0BEN000002>`; None for any other text."""
    found = MENTION.fullmatch(text.strip())
    return found["account"] if found else None


def _pressed_button(body: Body) -> Click:
    actions = body.get("actions")
    if not isinstance(actions, list) or len(actions) != 1 or not _is_object(actions[0]):
        raise malformed("actions")
    container = part_of(body, "container")
    action, carried = _pressed(actions[0])
    value, shown = read_value(carried)
    return Click(
        team=team_of(body),
        app=word_of(body, "api_app_id"),
        channel=word_of(container, "channel_id"),
        message=word_of(container, "message_ts"),
        account=word_of(body, "user", "id"),
        action=action_of(action),
        value=value,
        trigger=word_of(body, "trigger_id"),
        shown=shown,
    )


def _pressed(element: Body) -> tuple[str, str]:
    """The action and the value of a button, or of what was chosen in the menu behind the buttons."""
    if element.get("type") != "overflow" or element.get("action_id") != MENU:
        return word_of(element, "action_id"), word_of(element, "value")
    action, _, value = word_of(element, "selected_option", "value").partition(BEFORE_VALUE)
    if not action or not value:
        raise malformed("actions.selected_option.value")
    return action, value


def _sent_form(body: Body) -> Click:
    view = part_of(body, "view")
    if view.get("callback_id") not in (REASON_FORM, PERSON_FORM):
        raise malformed("view.callback_id")
    asks_person = view.get("callback_id") == PERSON_FORM
    origin = _origin(view)
    return Click(
        team=team_of(body),
        app=word_of(body, "api_app_id"),
        channel=word_of(origin, "channel") if origin.get("message") else "",
        message=word_of(origin, "message") if origin.get("message") else "",  # a command opened the form
        account=word_of(body, "user", "id"),
        action=word_of(origin, "action"),
        value=word_of(origin, "value"),
        trigger=word_of(body, "trigger_id"),
        reason=_reason(view, may_be_empty=origin.get(OPTIONAL) is True),
        shown=word_of(origin, "shown") if origin.get("shown") else "",
        is_form=True,
        chosen=word_of(view, "state", "values", PERSON_BLOCK, PERSON_BLOCK, "selected_user") if asks_person else "",
    )


def team_of(body: Body) -> str:
    """Whose installation the click came through, to be compared with the one that posted the card.

    That is a workspace, or the whole organisation of an Enterprise Grid: then `team` is null, or the workspace that the person was in.
    """
    if body.get("is_enterprise_install") is True:
        return word_of(body, "enterprise", "id")
    return word_of(body, "team", "id")


def _origin(view: Body) -> Body:
    """What `reason_form` put into the view; Slack stores it and returns it unchanged."""
    try:
        origin = json.loads(word_of(view, "private_metadata", limit=ORIGIN_LIMIT))
    except (ValueError, RecursionError) as error:
        raise malformed("view.private_metadata") from error
    if not _is_object(origin):
        raise malformed("view.private_metadata")
    return origin


def _reason(view: Body, *, may_be_empty: bool) -> str:
    """Trimmed, because Slack refuses an empty field but not one with only spaces. An empty one that is optional is null."""
    field = part_of(part_of(part_of(part_of(view, "state"), "values"), REASON_BLOCK), REASON_BLOCK)
    if may_be_empty and not str(field.get("value") or "").strip():
        return ""
    reason = word_of(view, "state", "values", REASON_BLOCK, REASON_BLOCK, "value").strip()
    if not reason:
        raise Rejected("empty_reason", "Please write a reason: it is recorded with your decision.", status=400)
    if len(reason) > REASON_LIMIT:
        raise malformed("reason")
    return reason


def word_of(body: Body, *path: str, limit: int = FIELD_LIMIT) -> str:
    """The text at this path. Raises Rejected when it is missing, empty, too long or not text."""
    *way, last = path
    for name in way:
        body = part_of(body, name)
    value = body.get(last)
    if not isinstance(value, str) or not value or len(value) > limit:
        raise malformed(".".join(path))
    return value


def part_of(body: Body, name: str) -> Body:
    part = body.get(name)
    if not _is_object(part):
        raise malformed(name)
    return part


def _is_object(value: object) -> TypeGuard[Body]:
    return isinstance(value, Mapping)


def malformed(field: str) -> Rejected:
    return Rejected("malformed", f'The interaction has no usable "{field}", so there is nothing to act on.', status=400)
