"""What `countersign doctor` and `countersign init` read from Slack: the token, its scopes, channels, groups, people. No conclusions."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bot.clients.slack import blocks as slack_blocks
from bot.clients.slack.blocks import fallback
from bot.clients.slack.calls import Answer, SlackCalls, objects_at, text_at
from bot.clients.slack.home.forms import ask_form
from bot.clients.slack.home.views import home_view
from bot.clients.slack.people import SlackPeople, account_of
from bot.domain.card.card import Card
from bot.domain.home.sample import sample_form, sample_home
from bot.ports import Account, AccountKind, Click

TIMEOUT = 10.0  # seconds
LONG_PAGE = 999  # channels; Slack allows only twenty calls a minute
PAGE_OF_PEOPLE = 200  # as https://docs.slack.dev/reference/methods/users.list recommends
SCOPES_HEADER = "x-oauth-scopes"  # https://docs.slack.dev/authentication/installing-with-oauth


@dataclass(frozen=True)
class Installation:
    """The token's app and workspace; `scopes` is empty when Slack, or a proxy in front of it, does not send them."""

    workspace: str
    user: str
    is_bot: bool
    scopes: frozenset[str]
    is_org_wide: bool = False


@dataclass(frozen=True)
class ChannelSeen:
    id: str
    name: str
    joined: bool
    archived: bool
    private: bool


@dataclass(frozen=True)
class UserGroupSeen:
    handle: str
    members: int


@dataclass(frozen=True)
class MemberSeen:
    """A full member; `handle` is the name that Slack shows behind the @, and `email` is empty without the scope users:read.email."""

    handle: str
    name: str
    email: str


class SlackCheckup:
    """Connects on the first call."""

    def __init__(self, bot_token: str, *, app_token: str, api_url: str) -> None:
        self._calls = SlackCalls(bot_token, api_url, TIMEOUT)
        self._socket_calls = SlackCalls(app_token, api_url, TIMEOUT)
        self._people = SlackPeople(self._calls, time.monotonic)

    def installation(self) -> Installation:
        me, headers = self._calls.call_with_headers("auth.test")
        scopes = (scope.strip() for scope in headers.get(SCOPES_HEADER, "").split(","))
        return Installation(
            text_at(me, "team"),
            text_at(me, "user"),
            bool(text_at(me, "bot_id")),
            frozenset(scopes) - {""},
            me.get("is_enterprise_install") is True,
        )

    def channels(self, *, private: bool) -> list[ChannelSeen]:
        """All channels that the bot can see. Private ones are those it is a member of, and need the scope groups:read."""
        kinds = "public_channel,private_channel" if private else "public_channel"
        asked = [{**place, "types": kinds, "limit": LONG_PAGE} for place in self._people.places()]
        pages = [page for one in asked for page in self._calls.pages("conversations.list", one)]
        return [_as_channel(seen) for page in pages for seen in objects_at(page, "channels")]

    def read_history(self, channel_id: str) -> None:
        """Raises SlackError when the bot may not read it."""
        self._calls.call("conversations.history", {"channel": channel_id, "limit": 1})

    def user_groups(self) -> tuple[UserGroupSeen, ...]:
        """The active ones, by handle. Raises SlackError on a plan without user groups."""
        found = {
            text_at(group, "handle"): _count(group)
            for place in self._people.places()
            for group in objects_at(self._calls.call("usergroups.list", {**place, "include_count": True}), "usergroups")
        }
        return tuple(UserGroupSeen(handle, members) for handle, members in sorted(found.items()))

    def members(self) -> tuple[MemberSeen, ...]:
        """Everyone who could vote: no guests, bots or deactivated accounts."""
        team = self._people.bot().team
        asked = [{**place, "limit": PAGE_OF_PEOPLE} for place in self._people.places()]
        users = [
            user
            for one in asked
            for page in self._calls.pages("users.list", one)
            for user in objects_at(page, "members")
        ]
        known = {
            account.id: (text_at(user, "name"), account) for user in users for account in (account_of(user, team),)
        }
        return tuple(
            MemberSeen(handle, account.name, account.email)
            for handle, account in known.values()
            if account.kind is AccountKind.MEMBER
        )

    def members_of(self, group: str) -> frozenset[str]:
        """Raises Permanent, which lists the existing groups, when there is no such user group."""
        return self._people.members_of(group)

    def check_card(self, card: Card) -> None:
        """Raises SlackError when Slack would refuse the card, with what and where."""
        message = {"text": fallback(card.summary), "blocks": slack_blocks.blocks_of(card)}
        self._calls.call("blocks.validate", {"message": message})

    def check_forms(self) -> None:
        """The same for the forms that we open."""
        longest = "🚲" * slack_blocks.REASON_LIMIT
        click = Click("T1", "A1", "C1", "1.1", "U1", "approve", "0" * 32, "", shown="0" * 64)
        of_home = (home_view(sample_home(longest)), ask_form(sample_form(longest)))
        for view in (
            slack_blocks.reason_form(click, longest, longest),
            slack_blocks.notice(longest, longest),
            *of_home,
        ):
            self._calls.call("blocks.validate", {"view": view})

    def find_account(self, email: str) -> Account | None:
        return self._people.find_account(email)

    def open_socket(self) -> None:
        """Requests a Socket Mode address without connecting to it; the address expires."""
        self._socket_calls.call("apps.connections.open")


def _as_channel(seen: object) -> ChannelSeen:
    channel = seen if isinstance(seen, dict) else {}
    return ChannelSeen(
        id=text_at(channel, "id"),
        name=text_at(channel, "name"),
        joined=channel.get("is_member") is True,
        archived=channel.get("is_archived") is True,
        private=channel.get("is_private") is True,
    )


def _count(group: Answer) -> int:
    """Slack writes it as a text in some answers: https://docs.slack.dev/reference/objects/usergroup-object"""
    count = str(group.get("user_count", 0))
    return int(count) if count.isdecimal() else 0
