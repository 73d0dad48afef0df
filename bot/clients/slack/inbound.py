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
from bot.clients.slack.buttons import action_of
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
    raise _malformed("type")


def read_mention(text: str) -> str | None:
    """The account id in `<@U0BEN000002|ben>` or `<@U0BEN000002>`; None for any other text."""
    found = MENTION.fullmatch(text.strip())
    return found["account"] if found else None


def _pressed_button(body: Body) -> Click:
    actions = body.get("actions")
    if not isinstance(actions, list) or len(actions) != 1 or not _is_object(actions[0]):
        raise _malformed("actions")
    container = _part(body, "container")
    value, shown = read_value(_word(actions[0], "value"))
    return Click(
        team=_team(body),
        app=_word(body, "api_app_id"),
        channel=_word(container, "channel_id"),
        message=_word(container, "message_ts"),
        account=_word(body, "user", "id"),
        action=action_of(_word(actions[0], "action_id")),
        value=value,
        trigger=_word(body, "trigger_id"),
        shown=shown,
    )


def _sent_form(body: Body) -> Click:
    view = _part(body, "view")
    if view.get("callback_id") != REASON_FORM:
        raise _malformed("view.callback_id")
    origin = _origin(view)
    return Click(
        team=_team(body),
        app=_word(body, "api_app_id"),
        channel=_word(origin, "channel"),
        message=_word(origin, "message"),
        account=_word(body, "user", "id"),
        action=_word(origin, "action"),
        value=_word(origin, "value"),
        trigger=_word(body, "trigger_id"),
        reason=_reason(view, may_be_empty=origin.get(OPTIONAL) is True),
        shown=_word(origin, "shown") if origin.get("shown") else "",
        is_form=True,
    )


def _team(body: Body) -> str:
    """Whose installation the click came through, to be compared with the one that posted the card.

    That is a workspace, or the whole organisation of an Enterprise Grid: then `team` is null, or the workspace that the person was in.
    """
    if body.get("is_enterprise_install") is True:
        return _word(body, "enterprise", "id")
    return _word(body, "team", "id")


def _origin(view: Body) -> Body:
    """What `reason_form` put into the view; Slack stores it and returns it unchanged."""
    try:
        origin = json.loads(_word(view, "private_metadata", limit=ORIGIN_LIMIT))
    except (ValueError, RecursionError) as error:
        raise _malformed("view.private_metadata") from error
    if not _is_object(origin):
        raise _malformed("view.private_metadata")
    return origin


def _reason(view: Body, *, may_be_empty: bool) -> str:
    """Trimmed, because Slack refuses an empty field but not one with only spaces. An empty one that is optional is null."""
    field = _part(_part(_part(_part(view, "state"), "values"), REASON_BLOCK), REASON_BLOCK)
    if may_be_empty and not str(field.get("value") or "").strip():
        return ""
    reason = _word(view, "state", "values", REASON_BLOCK, REASON_BLOCK, "value").strip()
    if not reason:
        raise Rejected("empty_reason", "Please write a reason: it is recorded with your decision.", status=400)
    if len(reason) > REASON_LIMIT:
        raise _malformed("reason")
    return reason


def _word(body: Body, *path: str, limit: int = FIELD_LIMIT) -> str:
    """The text at this path. Raises Rejected when it is missing, empty, too long or not text."""
    *way, last = path
    for name in way:
        body = _part(body, name)
    value = body.get(last)
    if not isinstance(value, str) or not value or len(value) > limit:
        raise _malformed(".".join(path))
    return value


def _part(body: Body, name: str) -> Body:
    part = body.get(name)
    if not _is_object(part):
        raise _malformed(name)
    return part


def _is_object(value: object) -> TypeGuard[Body]:
    return isinstance(value, Mapping)


def _malformed(field: str) -> Rejected:
    return Rejected("malformed", f'The interaction has no usable "{field}", so there is nothing to act on.', status=400)
