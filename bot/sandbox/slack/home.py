"""What a person does outside of channels: the Home tab, menus that the bot fills, global shortcuts, and links that it shows more of."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import payloads
from .answers import Answer
from .backend import Backend, Unfurl
from .block_kit.validation import checked_suggestions
from .delivery import Delivery
from .interactions import Interactions
from .views import OpenView
from .web_api.views import as_view
from .wire import Json, SlackError
from .workspace import Message, SandboxPerson

LINK = re.compile(r"https?://[^\s<>|]*[^\s<>|.,:;!?)]")
SHARED_AT_MOST = 5  # links of one message: https://docs.slack.dev/messaging/unfurling-links-in-messages
NO_FILLED_IN: Mapping[str, str] = {}


@dataclass(frozen=True)
class Suggested:
    """The options that the bot offered, and the sentence that a person sees when there was no usable answer."""

    options: tuple[Json, ...] = ()
    trouble: str = ""


class HomeDeeds:
    def __init__(self, backend: Backend, delivery: Delivery, interactions: Interactions) -> None:
        self._backend, self._delivery, self._interactions = backend, delivery, interactions

    def open(self, person: SandboxPerson, tab: str = "home") -> list[Answer]:
        """The person clicks on the app. Slack says so with the view that is there, if any."""
        app, workspace = self._backend.app, self._backend.workspace
        if "app_home_opened" not in app.events or (tab == "home" and not app.has_home):
            return []
        view = self._backend.homes.of(person.id)
        event: Json = {
            "type": "app_home_opened",
            "user": person.id,
            "channel": workspace.direct_channel(person.id).id,
            "tab": tab,
            "event_ts": workspace.new_ts(),
            **({"view": as_view(self._backend, view)} if view and tab == "home" else {}),
        }
        return self._interactions.event(event)

    def press(
        self,
        person: SandboxPerson,
        view: OpenView,
        action_id: str,
        chosen: str = "",
        values: Mapping[str, str] = NO_FILLED_IN,
    ) -> Answer:
        """On an element of the Home tab, or of a modal."""
        payload = payloads.view_actions(self._backend, person, view, action_id, chosen, values)
        return self._delivery.interaction(payload)

    def suggest(
        self,
        person: SandboxPerson,
        view: OpenView,
        action_id: str,
        typed: str,
        values: Mapping[str, str] = NO_FILLED_IN,
    ) -> Suggested:
        """The person types into a menu. What is no proper answer shows no results, as in Slack."""
        answer = self._delivery.interaction(
            payloads.block_suggestion(self._backend, person, view, action_id, typed, values)
        )
        if answer.trouble:
            return Suggested(trouble=answer.trouble)
        try:
            options = checked_suggestions(answer.body)
        except SlackError as mistake:
            return Suggested(trouble=str(mistake.details.get("errors", mistake.code)))
        known = self._backend.suggested.setdefault(action_id, {})
        known.update((str(option["value"]), option) for option in options)
        return Suggested(tuple(options))

    def shortcut(self, person: SandboxPerson, callback_id: str) -> Answer:
        known = dict(self._backend.app.shortcuts)
        if callback_id not in known:
            raise LookupError(f"there is no shortcut {callback_id!r}; there are {', '.join(known) or 'none'}")
        return self._delivery.interaction(payloads.global_shortcut(self._backend, person, callback_id))

    def share_links(self, message: Message) -> list[Answer]:
        """After somebody posted it: reports its links to the domains that the app has registered, once for each message."""
        app = self._backend.app
        found = dict.fromkeys(
            url for url in LINK.findall(message.text.replace("&amp;", "&")) if self._is_registered(url)
        )
        links = tuple(found)[:SHARED_AT_MOST]
        if not links or "link_shared" not in app.events or "links:read" not in app.scopes:
            return []
        unfurl_id = f"{message.channel}.{secrets.token_hex(8)}"
        self._backend.unfurls[unfurl_id] = Unfurl(message.channel, message.ts, links)
        event: Json = {
            "type": "link_shared",
            "channel": message.channel,
            "is_bot_user_member": True,
            "user": message.author,
            "message_ts": message.ts,
            "unfurl_id": unfurl_id,
            "source": "conversations_history",
            "links": [{"url": url, "domain": urlsplit(url).hostname or ""} for url in links],
            "event_ts": message.ts,
            **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
        }
        return self._interactions.event(event)

    def _is_registered(self, url: str) -> bool:
        place = urlsplit(url).netloc.lower()
        return any(place == domain or place.endswith(f".{domain}") for domain in self._backend.app.unfurl_domains)
