"""The Web API's `views.*` and `apps.connections.open`: modals and Home tabs of people, and a socket for the bot."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..backend import Backend
from ..block_kit.validation import checked_view
from ..views import OpenView
from ..wire import Json, SlackError, text_at
from .calls import Call, Method

LARGEST_VIEW = 250_000  # bytes


def open_view(call: Call) -> Json:
    backend = call.backend
    content = checked_view(call.arguments.get("view"))
    external_id = text_at(content, "external_id")
    if external_id and backend.views.find(external_id=external_id):
        raise SlackError("duplicate_external_id")
    person_id = backend.triggers.redeem(call.needed("trigger_id", "invalid_trigger_id"))
    view = backend.views.open(person_id, content)
    backend.workspace.touch()
    return {"view": as_view(backend, view)}


def update_view(call: Call) -> Json:
    backend = call.backend
    view = backend.views.find(call.text("view_id"), call.text("external_id"))
    if view is None:
        raise SlackError("not_found")
    if call.text("hash") and call.text("hash") != view.hash:
        raise SlackError("hash_conflict")
    updated = backend.views.update(view, checked_view(call.arguments.get("view")))
    backend.workspace.touch()
    return {"view": as_view(backend, updated)}


def publish_view(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/views.publish"""
    backend = call.backend
    if not backend.app.has_home:
        raise SlackError("not_enabled")
    person = backend.workspace.people.get(call.needed("user_id"))
    if person is None or person.is_bot or person.deleted:
        raise SlackError("user_not_found")
    content = checked_view(call.arguments.get("view"), "home")
    if len(json.dumps(content).encode()) > LARGEST_VIEW:
        raise SlackError("view_too_large")
    view = backend.homes.publish(person.id, content, call.text("hash"))
    backend.workspace.touch()
    return {"view": as_view(backend, view)}


def open_connection(call: Call) -> Json:
    ticket = call.backend.sockets.issue_ticket()
    address = call.base_url.replace("http", "ws", 1)
    return {"url": f"{address}/link/?ticket={ticket}&app_id={call.backend.app.app_id}"}


def as_view(backend: Backend, view: OpenView, state: Mapping[str, object] | None = None) -> Json:
    """A view as Slack shows it to the bot: its own content, and the keys that Slack adds."""
    app = backend.app
    defaults: Json = {"private_metadata": "", "callback_id": "", "external_id": "", "submit": None, "close": None}
    defaults |= {"clear_on_close": False, "notify_on_close": False}
    return {
        **defaults,
        **view.content,
        "id": view.id,
        "team_id": backend.workspace.id,
        "hash": view.hash,
        "state": {"values": state or {}},
        "previous_view_id": None,
        "root_view_id": view.id,
        "app_id": app.app_id,
        "app_installed_team_id": app.enterprise or backend.workspace.id,
        "bot_id": app.bot_id,
    }


METHODS: dict[str, tuple[Method, str]] = {
    "views.open": (open_view, ""),
    "views.update": (update_view, ""),
    "views.publish": (publish_view, ""),
    "apps.connections.open": (open_connection, ""),
}
