"""Parses what Slack sends of Home tabs, forms, menus and links. Pure. `bodies` has verified the signature.

Anything unexpected raises Rejected with a label for the metric. Whether somebody may do it is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeGuard

from bot.clients.slack.home.forms import FORM, MODELS, REASON_LIMIT, VERSIONS, block_of
from bot.clients.slack.home.views import BETWEEN, FILTER
from bot.domain.home.form import Field, SentForm
from bot.domain.home.page import HomeState, Section
from bot.errors import Rejected
from bot.ports.home import Deed, HomePress, SharedLinks, Typed

TEXT_LIMIT = 3_000
LINKS_LIMIT = 20
MENUS = {MODELS: Field.MODEL, FILTER: Field.MODEL, VERSIONS: Field.VERSION}

Body = Mapping[str, object]


def read_opened(body: Body) -> str:
    event = _part(body, "event")
    return _text(event, "user") if event.get("tab") == "home" else ""


def read_press(body: Body) -> HomePress:
    """On the Home tab, in the form, or on a link that was shown more of."""
    actions = body.get("actions")
    if not isinstance(actions, list) or len(actions) != 1 or not _is_object(actions[0]):
        raise _malformed("actions")
    action = actions[0]
    name, _, where = _text(action, "action_id").partition(BETWEEN)
    deed = _deed(name)
    account = _text(body, "user", "id")
    if deed is Deed.OPEN:
        return HomePress(account, deed)
    view = _part(body, "view")
    return HomePress(
        account,
        deed,
        HomeState.read(_given(view, "private_metadata")),
        _section(where) if deed in (Deed.OLDER, Deed.NEWER) else None,
        _chosen(action) if deed in (Deed.FILTER, Deed.CHOOSE_MODEL) else "",
        _text(body, "trigger_id"),
        _text(view, "id"),
        _given(view, "hash"),
    )


def read_typed(body: Body) -> Typed:
    menu = MENUS.get(_text(body, "action_id"))
    if menu is None:
        raise _malformed("action_id")
    model = _drawn_for(_part(body, "view")) if menu is Field.VERSION else ""
    return Typed(_text(body, "user", "id"), menu, _given(body, "value")[:TEXT_LIMIT], model)


def read_form(body: Body) -> tuple[str, SentForm]:
    view = _part(body, "view")
    if view.get("callback_id") != FORM:
        raise _malformed("view.callback_id")
    drawn_for = _drawn_for(view)
    values = _part(_part(view, "state"), "values")
    sent = SentForm(
        _text(view, "id"),
        _chosen(_field(values, block_of(Field.MODEL, ""))),
        drawn_for,
        _chosen(_field(values, block_of(Field.VERSION, drawn_for))),
        _chosen(_field(values, block_of(Field.TARGET, drawn_for))),
        _given(_field(values, block_of(Field.REASON, "")), "value").strip(),
    )
    if len(sent.reason) > REASON_LIMIT:
        raise _malformed("reason")
    return _text(body, "user", "id"), sent


def read_trigger(body: Body) -> tuple[str, str]:
    return _text(body, "user", "id"), _text(body, "trigger_id")


def read_links(body: Body) -> SharedLinks:
    """Without a place for a message that is being written: then its channel is not known."""
    event = _part(body, "event")
    links = event.get("links")
    if not isinstance(links, list) or not all(_is_object(link) for link in links):
        raise _malformed("links")
    source = _given(event, "source")
    return SharedLinks(
        _text(body, "event_id"),
        _text(event, "channel") if source == "conversations_history" else "",
        _given(event, "message_ts"),
        _given(event, "unfurl_id"),
        source,
        tuple(dict.fromkeys(_text(link, "url") for link in links[:LINKS_LIMIT])),
        body.get("is_ext_shared_channel") is True,
    )


def _deed(name: str) -> Deed:
    try:
        return Deed(name.partition(".")[2])
    except ValueError:
        raise _malformed("action_id") from None


def _section(name: str) -> Section:
    try:
        return Section(name)
    except ValueError:
        raise _malformed("action_id") from None


def _drawn_for(view: Body) -> str:
    """The key of the model that the form's other menus were made for, as we put it there."""
    try:
        kept = json.loads(_given(view, "private_metadata"))
    except (ValueError, RecursionError):
        raise _malformed("view.private_metadata") from None
    if not _is_object(kept):
        raise _malformed("view.private_metadata")
    return _given(kept, "model")[:64]


def _field(values: Body, block: str) -> Body:
    """What is filled in there; empty for a block that the form does not have."""
    inside = values.get(block)
    if not _is_object(inside) or not inside:
        return {}
    (first, *_others) = inside.values()
    return first if _is_object(first) else {}


def _chosen(element: Body) -> str:
    option = element.get("selected_option")
    return _given(option, "value")[:150] if _is_object(option) else ""


def _given(body: Body, name: str) -> str:
    """The text there, or an empty one."""
    value = body.get(name)
    return value if isinstance(value, str) and len(value) <= TEXT_LIMIT else ""


def _text(body: Body, *path: str) -> str:
    *way, last = path
    for name in way:
        body = _part(body, name)
    value = _given(body, last)
    if not value:
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
    return Rejected("malformed", f'What Slack sent has no usable "{field}", so there is nothing to act on.', status=400)
