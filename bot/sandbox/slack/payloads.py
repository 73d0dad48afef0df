"""The payloads of Slack's interactions, key by key as Slack sends them. `interactions` causes them and `delivery` sends them."""

from __future__ import annotations

from collections.abc import Mapping

from .backend import Backend
from .views import OpenView
from .web_api.calls import as_message
from .web_api.views import as_view
from .wire import Json, object_at, objects_at, text_at
from .workspace import Channel, Message, SandboxPerson

Chosen = Mapping[str, str]  # block id -> what was typed or chosen there; several choices are on separate lines


def block_actions(
    backend: Backend, person: SandboxPerson, message: Message, action_id: str, *, chosen: str = "", base_url: str = ""
) -> Json:
    """A press on one element of a message. Raises LookupError, which lists the elements."""
    block, element = _element(message, action_id)
    channel = backend.workspace.channels[message.channel]
    action = _action(element, str(block["block_id"]), backend.workspace.new_ts(), chosen)
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.id}
    if block not in message.blocks:
        container |= {"type": "message_attachment", "attachment_id": 1, "is_app_unfurl": True}
    container["is_ephemeral"] = bool(message.only_for)
    if message.is_reply:
        container["thread_ts"] = message.thread_ts
    payload: Json = {
        "type": "block_actions",
        **_who_and_where(backend, person),
        "container": container,
        "channel": {"id": channel.id, "name": _channel_name(channel)},
        "state": {"values": {}},
        "response_url": response_url(backend, person, channel, message.ts, base_url),
        "actions": [action],
    }
    if not message.only_for:
        payload["message"] = as_message(backend, message, base_url=base_url)
    return payload


def message_action(backend: Backend, person: SandboxPerson, message: Message, callback_id: str, base_url: str) -> Json:
    """A shortcut on a message. https://docs.slack.dev/interactivity/implementing-shortcuts"""
    channel = backend.workspace.channels[message.channel]
    return {
        "type": "message_action",
        **_who_and_where(backend, person),
        "callback_id": callback_id,
        "action_ts": backend.workspace.new_ts(),
        "message_ts": message.ts,
        "channel": {"id": channel.id, "name": _channel_name(channel)},
        "response_url": response_url(backend, person, channel, message.ts, base_url),
        "message": as_message(backend, message, base_url=base_url),
    }


def view_submission(backend: Backend, person: SandboxPerson, view: OpenView, chosen: Chosen) -> Json:
    shown = as_view(backend, view, state_of(backend, view, chosen))
    return {"type": "view_submission", **_who_and_where(backend, person), "view": shown, "response_urls": []}


def view_actions(
    backend: Backend, person: SandboxPerson, view: OpenView, action_id: str, chosen: str, values: Chosen
) -> Json:
    """A press on one element of a Home tab, or of a modal; `values` are the inputs that are filled in there."""
    block, element = element_in(objects_at(view.content, "blocks"), action_id)
    element = _with_options(backend, element)
    return {
        "type": "block_actions",
        **_who_and_where(backend, person),
        "container": {"type": "view", "view_id": view.id},
        "view": as_view(backend, view, state_of(backend, view, {**values, str(block["block_id"]): chosen})),
        "actions": [_action(element, str(block["block_id"]), backend.workspace.new_ts(), chosen)],
    }


def block_suggestion(
    backend: Backend, person: SandboxPerson, view: OpenView, action_id: str, typed: str, values: Chosen
) -> Json:
    """What somebody has typed so far into a menu that the bot fills."""
    block, _menu = element_in(objects_at(view.content, "blocks"), action_id)
    payload: Json = {
        "type": "block_suggestion",
        **_who_and_where(backend, person),
        "container": {"type": "view", "view_id": view.id},
        "view": as_view(backend, view, state_of(backend, view, values)),
        "action_id": action_id,
        "block_id": block["block_id"],
        "value": typed,
    }
    del payload["trigger_id"]
    return payload


def global_shortcut(backend: Backend, person: SandboxPerson, callback_id: str) -> Json:
    return {
        "type": "shortcut",
        **_who_and_where(backend, person),
        "callback_id": callback_id,
        "action_ts": backend.workspace.new_ts(),
    }


def view_closed(backend: Backend, person: SandboxPerson, view: OpenView) -> Json:
    payload: Json = {"type": "view_closed", **_who_and_where(backend, person), "view": as_view(backend, view)}
    del payload["trigger_id"]
    return {**payload, "is_cleared": False}


def slash_command(
    backend: Backend, person: SandboxPerson, channel: Channel, command: str, text: str, base_url: str
) -> dict[str, str]:
    return {
        "token": backend.app.verification_token,
        "team_id": person.team_id,
        "team_domain": backend.workspace.domain,
        "channel_id": channel.id,
        "channel_name": _channel_name(channel),
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": backend.app.app_id,
        "is_enterprise_install": "true" if backend.app.enterprise else "false",
        **({"enterprise_id": backend.app.enterprise} if backend.app.enterprise else {}),
        "response_url": response_url(backend, person, channel, "", base_url),
        "trigger_id": backend.triggers.issue(person.id),
    }


def event_callback(backend: Backend, event: Json, event_id: str) -> Json:
    app, team_id = backend.app, backend.workspace.id
    authorization = {"team_id": team_id, "user_id": app.bot_user_id, "is_bot": True, "is_enterprise_install": False}
    return {
        "token": app.verification_token,
        "team_id": team_id,
        "api_app_id": app.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(backend.workspace.now()),
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
    }


def response_url(backend: Backend, person: SandboxPerson, channel: Channel, message_ts: str, base_url: str) -> str:
    secret = backend.response_urls.issue(person.id, channel.id, message_ts)
    return f"{base_url}/actions/{backend.workspace.id}/{secret}"


def _who_and_where(backend: Backend, person: SandboxPerson) -> Json:
    user = {"id": person.id, "username": person.name, "name": person.name, "team_id": person.team_id}
    org = backend.app.enterprise
    return {
        "team": None if org else {"id": person.team_id, "domain": backend.workspace.domain},
        "enterprise": {"id": org, "name": "Organisation"} if org else None,
        "is_enterprise_install": bool(org),
        "user": user,
        "api_app_id": backend.app.app_id,
        "token": backend.app.verification_token,
        "trigger_id": backend.triggers.issue(person.id),
    }


def _channel_name(channel: Channel) -> str:
    return "directmessage" if channel.dm_with else "privategroup" if channel.is_private else channel.name


def _element(message: Message, action_id: str) -> tuple[Json, Json]:
    attached = [block for part in message.attachments for block in objects_at(part, "blocks")]
    return element_in([*message.blocks, *attached], action_id)


def element_in(blocks: list[Json], action_id: str) -> tuple[Json, Json]:
    """The interactive element with its block. Raises LookupError, which lists the elements."""
    there: list[str] = []
    for block in blocks:
        inner = [*objects_at(block, "elements"), object_at(block, "accessory"), object_at(block, "element")]
        for element in inner:
            if element.get("action_id") == action_id:
                return block, element
            there.append(text_at(element, "action_id"))
    known = ", ".join(filter(None, there)) or "none"
    raise LookupError(f"there is no element {action_id!r}; the elements: {known}")


def _with_options(backend: Backend, element: Json) -> Json:
    """A menu that the bot fills, with all options that it has offered so far."""
    if element.get("type") != "external_select":
        return element
    offered = backend.suggested.get(text_at(element, "action_id"), {})
    first = [object_at(element, "initial_option")] if element.get("initial_option") else []
    return {**element, "options": [*offered.values(), *first]}


def _action(element: Json, block_id: str, action_ts: str, chosen: str) -> Json:
    kept: Json = {key: element[key] for key in ("type", "action_id", "text", "value", "style", "url") if key in element}
    action: Json = {**kept, "block_id": block_id, "action_ts": action_ts}
    return action | ({} if element["type"] == "button" else _choice(element, chosen))


def _choice(element: Json, chosen: str) -> Json:
    """An input's state, in the format of its type. An option is chosen by its value."""
    if element["type"] == "plain_text_input":
        return {"type": "plain_text_input", "value": chosen or None}
    if element["type"] == "users_select":
        return {"type": "users_select", "selected_user": chosen or None}
    wanted = chosen.splitlines()
    options = [option for option in objects_at(element, "options") if text_at(option, "value") in wanted]
    if element["type"] == "checkboxes":
        return {"type": "checkboxes", "selected_options": options}
    return {"type": element["type"], "selected_option": options[0] if options else None}


def state_of(backend: Backend, view: OpenView, chosen: Chosen) -> dict[str, object]:
    inputs = [block for block in objects_at(view.content, "blocks") if block["type"] == "input"]
    values: dict[str, object] = {}
    for block in inputs:
        element, block_id = _with_options(backend, object_at(block, "element")), str(block["block_id"])
        values[block_id] = {text_at(element, "action_id"): _choice(element, chosen.get(block_id, ""))}
    return values
