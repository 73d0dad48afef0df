"""A local Slack: real `slack_sdk` and `slack_bolt` clients talk to it over HTTP, and a page in a browser shows it as a chat.

    slack = SlackSandbox()
    with serving(slack) as url:                     # the page under `url`, the Web API under f"{url}/api/"
        slack.interactivity_url = "http://127.0.0.1:8080/slack/events"
        slack.click("ana", "model-approvals", ts, "approve")

Everything is in memory. The Web API, the interactions and the page are separate modules; the demo and the tests use this class.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Flask

from bot.sandbox.faults import Faults

from .answers import NO_ANSWER, Answer
from .backend import ALL_SCOPES, InstalledApp, new_backend
from .delivery import FORM, Delivery
from .home import HomeDeeds, Suggested
from .interactions import Interactions, Submission
from .openid import OpenId, openid
from .page import page
from .socket_door import SocketDoor
from .views import OpenView
from .web_api import web_api
from .wire import Json, object_at, objects_at
from .workspace import TEAM_ID, Message, SandboxPerson, Workspace

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["NO_ANSWER", "TEAM_ID", "Answer", "Message", "SandboxPerson", "SlackSandbox", "Submission"]

PEOPLE = (
    SandboxPerson("U0ANA000001", "ana", "Ana Ruiz", "ana@example.com"),
    SandboxPerson("U0BEN000002", "ben", "Ben Okafor", "ben@example.com"),
    SandboxPerson("U0CY0000003", "cy", "Cy Lindqvist", "cy@example.com"),
    SandboxPerson("U0DORA00004", "dora", "Dora Meyer", "dora@example.com"),
    SandboxPerson("U0GUEST0005", "gil", "Gil Haddad (guest)", "gil@partner.example", is_restricted=True),
)
CHANNELS = ("model-approvals", "compliance", "general")
GROUPS = {"ml-leads": ("U0ANA000001", "U0BEN000002"), "risk": ("U0CY0000003",)}


class SlackSandbox:
    """`app` holds the switches (`limit_posts`, `refuse_attachments`, `revoked`, `answer_within`, `should_escape`, `looks_at_files`).

    `faults` makes the server misbehave.
    """

    def __init__(
        self,
        *,
        signing_secret: str = "sandbox-signing-secret",
        bot_token: str = "xoxb-sandbox",
        app_token: str = "xapp-sandbox",
        interactivity_url: str | None = None,
        people: Sequence[SandboxPerson] = PEOPLE,
        channels: Sequence[str] = CHANNELS,
        groups: Mapping[str, Sequence[str]] | None = None,
        scopes: Collection[str] = ALL_SCOPES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.workspace = Workspace(people, channels, _known(people, groups), now)
        self.app = InstalledApp(signing_secret, bot_token, app_token, interactivity_url, frozenset(scopes))
        self.backend = new_backend(self.workspace, self.app)
        self.delivery = Delivery(self.backend)
        self.interactions = Interactions(self.backend, self.delivery, lambda: self.public_url)
        self.home = HomeDeeds(self.backend, self.delivery, self.interactions)
        self.sockets = self.backend.sockets
        self.openid = OpenId(self.backend)
        self.faults = Faults(SocketDoor(self.sockets, self._flask()))

    @property
    def public_url(self) -> str:
        return self.openid.issuer

    @public_url.setter
    def public_url(self, url: str) -> None:
        self.openid.issuer = url

    @property
    def team_id(self) -> str:
        return self.workspace.id

    @property
    def app_id(self) -> str:
        return self.app.app_id

    @property
    def bot_user_id(self) -> str:
        return self.app.bot_user_id

    @property
    def interactivity_url(self) -> str | None:
        return self.app.interactivity_url

    @interactivity_url.setter
    def interactivity_url(self, url: str | None) -> None:
        self.app.interactivity_url = url

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.public_url = self.public_url or f"http://{environ.get('HTTP_HOST', 'localhost')}"
        return self.faults(environ, start_response)

    def messages(self, channel: str) -> list[Message]:
        """All messages in a channel that everyone sees, with threads, oldest first."""
        said = self.workspace.messages(self.workspace.channel(channel).id)
        return [message for message in said if not message.only_for]

    def ephemerals(self, person: str) -> list[Message]:
        """The messages that only this person sees, in all channels, oldest first."""
        who = self.workspace.person(person)
        everywhere = [message for channel in self.workspace.channels for message in self.workspace.messages(channel)]
        return sorted((message for message in everywhere if message.only_for == who.id), key=lambda message: message.ts)

    def direct_messages(self, person: str) -> list[Message]:
        """The conversation between the bot and this person."""
        return self.messages(self.workspace.direct_channel(self.workspace.person(person).id).id)

    def click(
        self,
        person: str,
        channel: str,
        message_ts: str,
        action_id: str,
        *,
        chosen: str = "",
        team_id: str | None = None,
        app_id: str | None = None,
        channel_id: str | None = None,
        forged_ts: str | None = None,
        value: str | None = None,
        message: Json | None = None,
    ) -> int:
        """Presses a button as this person and returns the status of the bot's answer, or NO_ANSWER.

        `chosen` is the value of the option chosen in a select, radio group or menu. The keywords after it forge requests that Slack
        would never send.
        """
        payload = self.click_payload(person, channel, message_ts, action_id, chosen=chosen)
        if team_id is not None:
            object_at(payload, "team")["id"] = object_at(payload, "user")["team_id"] = team_id
        if app_id is not None:
            payload["api_app_id"] = app_id
        if channel_id is not None:
            object_at(payload, "channel")["id"] = object_at(payload, "container")["channel_id"] = channel_id
        if message is not None:
            payload["message"] = message
        if forged_ts is not None:
            object_at(payload, "container")["message_ts"] = object_at(payload, "message")["ts"] = forged_ts
        if value is not None:
            objects_at(payload, "actions")[0]["value"] = value
        who, pressed = self.workspace.person(person), self._message(person, channel, message_ts)
        return self.interactions.send_press(who, pressed, payload).status

    def use_shortcut(self, person: str, channel: str, message_ts: str, callback_id: str) -> int:
        """Uses the app's shortcut on a message as this person; returns the status of the bot's answer, or NO_ANSWER."""
        who, marked = self.workspace.person(person), self._message(person, channel, message_ts)
        return self.interactions.use_shortcut(who, marked, callback_id).status

    def edit(self, message: Message, text: str) -> Message:
        """As its author does."""
        ts = self.workspace.new_ts()
        return self.workspace.put(replace(message, text=text, edited=ts))

    def click_payload(self, person: str, channel: str, message_ts: str, action_id: str, *, chosen: str = "") -> Json:
        """The payload of a click, without sending it; change it and pass it to `send`."""
        who, pressed = self.workspace.person(person), self._message(person, channel, message_ts)
        return self.interactions.payload_of_press(who, pressed, action_id, chosen)

    def send(self, payload: Json) -> Answer:
        """Sends any interaction payload, correctly signed, or by socket when one is connected."""
        return self.delivery.interaction(payload)

    def open_view_of(self, person: str) -> OpenView | None:
        """The modal that this person has open."""
        return self.backend.views.of(self.workspace.person(person).id)

    def submit_view(self, person: str, values: Mapping[str, str], view_id: str | None = None) -> Submission:
        """Fills in the modal's inputs, by block id, and submits it."""
        return self.interactions.submit(self.workspace.person(person), self._view(person, view_id), values)

    def close_view(self, person: str, view_id: str | None = None) -> Answer:
        return self.interactions.close(self.workspace.person(person), self._view(person, view_id))

    def command(self, person: str, command: str, text: str = "", *, channel: str = "") -> Answer:
        """Types a slash command into `channel`, by default the first one; `@ben` is escaped as in Slack."""
        where = self.workspace.channel(channel) if channel else next(iter(self.workspace.channels.values()))
        return self.interactions.command(self.workspace.person(person), where, command, text)

    def say(self, person: str, channel: str, text: str, *, thread_ts: str = "") -> Message:
        where = self.workspace.channel(channel)
        said = self.interactions.say(self.workspace.person(person), where, text, thread_ts)
        self.home.share_links(said)
        return said

    def open_home(self, person: str) -> list[Answer]:
        """Clicks on the app's Home tab, as this person."""
        return self.home.open(self.workspace.person(person))

    def home_of(self, person: str) -> OpenView | None:
        """The Home tab that the bot has published for this person."""
        return self.backend.homes.of(self.workspace.person(person).id)

    def press_home(self, person: str, action_id: str, chosen: str = "") -> Answer:
        view = self.home_of(person)
        if view is None:
            raise LookupError(f"{person} has no Home tab yet")
        return self.home.press(self.workspace.person(person), view, action_id, chosen)

    def press_view(
        self, person: str, action_id: str, chosen: str = "", values: Mapping[str, str] | None = None
    ) -> Answer:
        """On an element of the modal that this person has open; `values` are its other inputs."""
        return self.home.press(self.workspace.person(person), self._view(person, None), action_id, chosen, values or {})

    def suggest(self, person: str, action_id: str, typed: str = "", *, in_home: bool = False) -> Suggested:
        """Types into a menu of the open modal, or of the Home tab, that the bot fills."""
        view = self.home_of(person) if in_home else self._view(person, None)
        if view is None:
            raise LookupError(f"{person} has no Home tab yet")
        return self.home.suggest(self.workspace.person(person), view, action_id, typed)

    def shortcut(self, person: str, callback_id: str) -> Answer:
        return self.home.shortcut(self.workspace.person(person), callback_id)

    def send_event(self, event: Json, event_id: str = "") -> list[Answer]:
        """An Events API delivery with Slack's retries, without their pauses."""
        return self.interactions.event(event, event_id)

    def verify_address(self) -> bool:
        return self.interactions.verify_address()

    def post_signed(
        self,
        body: str | bytes,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str = FORM,
        timestamp: str | None = None,
        secret: str | None = None,
    ) -> Answer:
        """Any raw body, signed; `timestamp`, `secret` and `headers` make the wrong signatures that a test needs."""
        return self.delivery.post_signed(body, headers, content_type=content_type, timestamp=timestamp, secret=secret)

    def _message(self, person: str, channel: str, ts: str) -> Message:
        who, where = self.workspace.person(person), self.workspace.channel(channel)
        message = self.workspace.find_message(where.id, ts)
        if message is None or message.only_for not in ("", who.id):
            raise LookupError(f"{who.name} sees no message {ts} in {where.name}")
        return message

    def _view(self, person: str, view_id: str | None) -> OpenView:
        view = self.open_view_of(person)
        if view is None or view_id not in (None, view.id):
            raise LookupError(f"{person} has no modal {view_id or ''} open".replace("  ", " "))
        return view

    def _flask(self) -> Flask:
        flask = Flask(__name__, static_folder=None)
        flask.register_blueprint(openid(self.openid))
        flask.register_blueprint(web_api(self.backend))
        flask.register_blueprint(page(self.backend, self.interactions, self.home))

        return flask


def _known(people: Sequence[SandboxPerson], groups: Mapping[str, Sequence[str]] | None) -> Mapping[str, Sequence[str]]:
    """Removes unknown people from the default groups; groups that are given must name known people."""
    ids = {person.id for person in people}
    if groups is None:
        return {handle: [member for member in members if member in ids] for handle, members in GROUPS.items()}
    for handle, members in groups.items():
        strangers = sorted(set(members) - ids)
        if strangers:
            raise ValueError(
                f"group {handle!r} names {strangers[0]}, who is not among the people; add them or take the id out"
            )
    return groups
