"""The page's routes: its files under a strict Content-Security-Policy, and the JSON routes under `/_sandbox/` for its script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, jsonify, request, send_from_directory

from .backend import Backend
from .home import HomeDeeds
from .interactions import Interactions
from .views import OpenView
from .web_api.calls import as_file, as_message
from .web_api.people import group_id
from .wire import Json, object_at, parsed, text_at
from .workspace import Channel, Message, SandboxPerson

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def page(backend: Backend, interactions: Interactions, home: HomeDeeds) -> Blueprint:
    routes = Blueprint("page", __name__)
    actions = _actions(backend, interactions, home) | _home_actions(backend, home)

    @routes.get("/")
    @routes.get("/archives/<path:_where>")
    def show_page(_where: str = "") -> Response:
        return send_from_directory(STATIC, "page.html")

    @routes.get("/static/<name>")
    def show_file(name: str) -> Response:
        return send_from_directory(STATIC, name)

    @routes.get("/_sandbox/pictures/<file_id>")
    def show_picture(file_id: str) -> Response:
        """Only files whose content is a picture, under the page's own policy; the Web API serves all others as downloads."""
        file = backend.workspace.files.get(file_id)
        if file is None or not file.is_picture:
            return Response("no such picture", 404)
        return Response(file.content, mimetype=file.mimetype)

    @routes.get("/_sandbox/state")
    def tell_state() -> Response | tuple[str, int]:
        """204 when nothing has changed since the page's revision."""
        revision = backend.workspace.revision
        if request.args.get("revision") == str(revision):
            return "", 204
        return jsonify(
            _state(backend, _actor(backend, request.args.get("person", "")), request.args.get("channel", ""), revision)
        )

    @routes.post("/_sandbox/<action>")
    def act(action: str) -> tuple[Response, int] | Response:
        """Accepts only JSON, which another site cannot send without a preflight request."""
        body = parsed(request.get_data(as_text=True))
        if action not in actions or request.mimetype != "application/json" or not isinstance(body, dict):
            return jsonify(error=f"there is no action {action!r} that takes this body"), 400
        try:
            return jsonify(actions[action](body, backend.workspace.person(text_at(body, "person"))))
        except LookupError as error:
            return jsonify(error=str(error)), 404

    @routes.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return routes


def _actions(
    backend: Backend, interactions: Interactions, home: HomeDeeds
) -> dict[str, Callable[[Json, SandboxPerson], Json]]:
    def click(body: Json, person: SandboxPerson) -> Json:
        message = _message(backend, body, person)
        answer = interactions.press(person, message, text_at(body, "action_id"), text_at(body, "chosen"))
        return {"status": answer.status, "trouble": answer.trouble}

    def submit(body: Json, person: SandboxPerson) -> Json:
        chosen = {block_id: str(text) for block_id, text in object_at(body, "values").items()}
        done = interactions.submit(person, _view(backend, body, person), chosen)
        return {"status": done.status, "errors": dict(done.errors), "trouble": done.trouble}

    def close(body: Json, person: SandboxPerson) -> Json:
        return {"status": interactions.close(person, _view(backend, body, person)).status}

    def command(body: Json, person: SandboxPerson) -> Json:
        channel = backend.workspace.channel(text_at(body, "channel"))
        answer = interactions.command(person, channel, text_at(body, "command"), text_at(body, "text"))
        return {"status": answer.status, "trouble": answer.trouble}

    def say(body: Json, person: SandboxPerson) -> Json:
        channel = backend.workspace.channel(text_at(body, "channel"))
        said = interactions.say(person, channel, text_at(body, "text"), text_at(body, "thread_ts"))
        home.share_links(said)
        return {"ts": said.ts}

    def shortcut(body: Json, person: SandboxPerson) -> Json:
        answer = interactions.use_shortcut(person, _message(backend, body, person), text_at(body, "callback_id"))
        return {"status": answer.status, "trouble": answer.trouble}

    deeds = {"click": click, "submit": submit, "close": close, "command": command, "say": say}
    return {**deeds, "message_shortcut": shortcut}


def _home_actions(backend: Backend, home: HomeDeeds) -> dict[str, Callable[[Json, SandboxPerson], Json]]:
    def open_home(_body: Json, person: SandboxPerson) -> Json:
        answers = home.open(person)
        return {"trouble": answers[-1].trouble if answers else ""}

    def press(body: Json, person: SandboxPerson) -> Json:
        view, values = _seen_view(backend, body, person), _texts(body)
        answer = home.press(person, view, text_at(body, "action_id"), text_at(body, "chosen"), values)
        return {"status": answer.status, "trouble": answer.trouble}

    def suggest(body: Json, person: SandboxPerson) -> Json:
        view = _seen_view(backend, body, person)
        found = home.suggest(person, view, text_at(body, "action_id"), text_at(body, "typed"), _texts(body))
        return {"options": list(found.options), "trouble": found.trouble}

    def shortcut(body: Json, person: SandboxPerson) -> Json:
        answer = home.shortcut(person, text_at(body, "callback_id"))
        return {"status": answer.status, "trouble": answer.trouble}

    return {"home": open_home, "press": press, "suggest": suggest, "shortcut": shortcut}


def _texts(body: Json) -> dict[str, str]:
    return {name: str(value) for name, value in object_at(body, "values").items()}


def _seen_view(backend: Backend, body: Json, person: SandboxPerson) -> OpenView:
    """A view that the person has in front of them: the Home tab, or a modal."""
    home = backend.homes.of(person.id)
    return home if home is not None and home.id == text_at(body, "view_id") else _view(backend, body, person)


def _message(backend: Backend, body: Json, person: SandboxPerson) -> Message:
    channel = backend.workspace.channel(text_at(body, "channel"))
    message = backend.workspace.find_message(channel.id, text_at(body, "ts"))
    if message is None or message.only_for not in ("", person.id):
        raise LookupError("this message is gone")
    return message


def _view(backend: Backend, body: Json, person: SandboxPerson) -> OpenView:
    view = backend.views.of(person.id)
    if view is None or view.id != text_at(body, "view_id"):
        raise LookupError("this dialog is gone")
    return view


def _actors(backend: Backend) -> list[SandboxPerson]:
    """The people that a user of the page can act as."""
    return [person for person in backend.workspace.people.values() if not (person.is_bot or person.deleted)]


def _actor(backend: Backend, name_or_id: str) -> SandboxPerson:
    """The person that the page names, or the first one when there is no such person."""
    actors = _actors(backend)
    return next((person for person in actors if name_or_id in (person.id, person.name)), actors[0])


def _state(backend: Backend, person: SandboxPerson, channel_id: str, revision: int) -> Json:
    workspace, app = backend.workspace, backend.app
    workspace.direct_channel(person.id)
    channels = [channel for channel in workspace.channels.values() if channel.dm_with in ("", person.id)]
    chosen = next((channel for channel in channels if channel.id == channel_id), channels[0])
    return {
        "revision": revision,
        "workspace": workspace.name,
        "me": person.id,
        "bot": {"id": app.bot_user_id, "name": app.name, "by_socket": bool(backend.sockets)},
        "people": [_shown_person(somebody) for somebody in workspace.people.values()],
        "actors": [somebody.id for somebody in _actors(backend)],
        "message_shortcuts": [{"callback_id": id_, "name": name} for id_, name in app.message_shortcuts],
        "groups": {group_id(handle): handle for handle in workspace.groups},
        "channels": [_shown_channel(backend, channel, person) for channel in channels],
        "channel": chosen.id,
        "messages": [_shown_message(backend, row, person) for row in _seen_by(backend, chosen, person)],
        "view": _shown_view(backend.views.of(person.id)),
        "home": _shown_view(backend.homes.of(person.id)),
        "has_home": app.has_home,
        "shortcuts": [{"callback_id": id_, "name": name} for id_, name in app.shortcuts],
    }


def _shown_person(person: SandboxPerson) -> Json:
    return {"id": person.id, "name": person.name, "real_name": person.real_name, "is_guest": person.is_restricted}


def _shown_channel(backend: Backend, channel: Channel, person: SandboxPerson) -> Json:
    said = _seen_by(backend, channel, person)
    shown: Json = {"id": channel.id, "name": channel.name, "is_private": channel.is_private}
    return {**shown, "is_direct": bool(channel.dm_with), "latest": said[-1].ts if said else ""}


def _seen_by(backend: Backend, channel: Channel, person: SandboxPerson) -> list[Message]:
    return [row for row in backend.workspace.messages(channel.id) if row.only_for in ("", person.id)]


def _shown_message(backend: Backend, message: Message, person: SandboxPerson) -> Json:
    shown = as_message(backend, message)
    shown["author"] = backend.author_name(message.author)
    shown["is_app"] = message.author not in backend.workspace.people
    shown["only_for_you"] = bool(message.only_for)
    shown["is_broadcast"] = message.is_broadcast
    shown["trouble"] = backend.workspace.troubles.get((person.id, message.ts), "")
    shown["files"] = [as_file(file, "") for file in message.files]
    return shown


def _shown_view(view: OpenView | None) -> Json | None:
    if view is None:
        return None
    return {"id": view.id, "hash": view.hash, "content": view.content, "errors": dict(view.errors)}
