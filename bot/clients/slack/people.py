"""Slack's accounts, user groups and the bot itself, cached for 60 s, and the ids of those whom a card mentions.

Who may vote is decided elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from bot.clients.slack.calls import Answer, Seconds, SlackCalls, SlackError, object_at, objects_at, text_at
from bot.domain.card.card import Called, Mention
from bot.errors import OutsideError, Permanent, Temporary
from bot.ports import Account, AccountKind

PATIENCE = 1.5  # seconds; Slack wants a click answered within three, and the decision is recorded before that
FRESH_FOR = 60.0
REMEMBERED = 2_000
PAGE = 100  # workspaces
ALL = ""  # used as the key of what is asked for all at once

Found = TypeVar("Found")


@dataclass(frozen=True)
class Bot:
    """The bot that the token belongs to. `workspace_url` ends in a slash.

    `team` is its workspace, or the organisation (E...) of an Enterprise Grid that it is installed for as a whole.
    """

    team: str
    app: str
    id: str
    user: str
    workspace_url: str
    is_org_wide: bool = False


@dataclass(frozen=True)
class UserGroup:
    """`place` is how lists are asked for in its workspace. `is_one_of_several`: another workspace has the same handle."""

    id: str
    place: Answer
    is_one_of_several: bool = False


class Remembered(Generic[Found]):
    """A cache: each answer is kept for 60 s, the oldest is dropped when there are too many. Failures are never cached."""

    def __init__(self, clock: Seconds, capacity: int = REMEMBERED) -> None:
        self._clock = clock
        self._capacity = capacity
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[float, Found]] = OrderedDict()

    def get(self, key: str, look_up: Callable[[], Found]) -> Found:
        """Looks up outside the lock: two threads may both ask, but none waits for another's network."""
        asked = self._clock()
        with self._lock:
            at, known = self._found.get(key, (None, None))
        if at is not None and known is not None and asked - at < FRESH_FOR:
            return known
        return self.renew(key, look_up)

    def renew(self, key: str, look_up: Callable[[], Found]) -> Found:
        asked = self._clock()
        found = look_up()
        with self._lock:
            self._found[key] = (asked, found)
            self._found.move_to_end(key)
            while len(self._found) > self._capacity:
                self._found.popitem(last=False)
        return found


class Deadline:
    """Shares `PATIENCE` among the calls that answer one question."""

    def __init__(self, question: str) -> None:
        self._question = question
        self._ends = time.monotonic() + PATIENCE

    def left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise Temporary(f"Slack did not tell {self._question} within {PATIENCE} s. Please try again.")
        return left


class SlackPeople:
    """Thread-safe. `clock` counts seconds for the caches."""

    def __init__(self, calls: SlackCalls, clock: Seconds) -> None:
        self._calls = calls
        self._bot: Bot | None = None
        self._accounts = Remembered[Account](clock)
        self._groups = Remembered[Mapping[str, UserGroup]](clock)
        self._places = Remembered[tuple[Answer, ...]](clock)
        self._members = Remembered[frozenset[str]](clock)

    def bot(self, deadline: Deadline | None = None) -> Bot:
        """Asked once: a token always belongs to the same app in the same workspace."""
        if self._bot is None:
            self._bot = self._who_am_i(deadline or Deadline("who the bot is"))
        return self._bot

    def account(self, account_id: str) -> Account:
        return self._accounts.get(account_id, lambda: self._look_up_account(account_id))

    def find_account(self, email: str) -> Account | None:
        deadline = Deadline(f"who {email} is")
        try:
            answer = self._calls.call("users.lookupByEmail", {"email": email}, timeout=deadline.left())
        except SlackError as error:
            if error.code == "users_not_found":
                return None
            raise
        return account_of(object_at(answer, "user"), self.bot(deadline).team)

    def members_of(self, group: str) -> frozenset[str]:
        deadline = Deadline(f"who is in @{group.removeprefix('@')}")
        found = self._group(group, deadline)
        return self._members.get(found.id, lambda: self._look_up_members(found, deadline))

    def group_id(self, group: str) -> str:
        return self._group(group, Deadline(f"which group is @{group.removeprefix('@')}")).id

    def places(self, deadline: Deadline | None = None) -> tuple[Answer, ...]:
        """What each list of channels or groups must be asked with: one workspace after the other, for an app of a whole organisation."""
        deadline = deadline or Deadline("in which workspaces the bot is")
        if not self.bot(deadline).is_org_wide:
            return (MappingProxyType({}),)
        return self._places.get(ALL, lambda: self._look_up_places(deadline))

    def _group(self, group: str, deadline: Deadline) -> UserGroup:
        """Of the active group with this handle. Raises Permanent, which lists the active groups, when there is none.

        Slack allows twenty such questions a minute, so one list serves all groups.
        """
        handle = group.removeprefix("@")
        known = self._groups.get(ALL, lambda: self._look_up_groups(deadline))
        if handle not in known:  # it may be new
            known = self._groups.renew(ALL, lambda: self._look_up_groups(deadline))
        if handle not in known:
            there = ", ".join(f"@{name}" for name in sorted(known)) or "none"
            raise Permanent(
                f"There is no active user group @{handle} in Slack; there are: {there}. Enable it again, or correct "
                "slack_group in the policy."
            )
        if known[handle].is_one_of_several:
            raise Permanent(
                f"Several workspaces of the organisation have a user group @{handle}. Give one of them another handle, or list `people:`."
            )
        return known[handle]

    def _who_am_i(self, deadline: Deadline) -> Bot:
        me = self._calls.call("auth.test", timeout=deadline.left())
        bot_id = text_at(me, "bot_id")
        if not bot_id:
            raise Permanent("SLACK_BOT_TOKEN is a person's token. Use the bot's, which starts with xoxb-.")
        app = text_at(self._calls.call("bots.info", {"bot": bot_id}, timeout=deadline.left()), "bot", "app_id")
        is_org_wide = me.get("is_enterprise_install") is True
        team = text_at(me, "enterprise_id" if is_org_wide else "team_id")
        if not team or not app:
            raise Permanent(
                "Slack does not tell the bot's workspace and app, so no click could be trusted. Reinstall the app."
            )
        return Bot(team, app, bot_id, text_at(me, "user_id"), text_at(me, "url"), is_org_wide)

    def _look_up_account(self, account_id: str) -> Account:
        deadline = Deadline(f"who {account_id} is")
        answer = self._calls.call("users.info", {"user": account_id, "include_locale": True}, timeout=deadline.left())
        account = account_of(object_at(answer, "user"), self.bot(deadline).team)
        if account.id != account_id:  # a vote must never count for another account
            raise Temporary(f"Slack was asked who {account_id} is and answered about {account.id}. Please try again.")
        return account

    def _look_up_groups(self, deadline: Deadline) -> Mapping[str, UserGroup]:
        found: dict[str, UserGroup] = {}
        for place in self.places(deadline):
            for group in objects_at(self._calls.call("usergroups.list", place, timeout=deadline.left()), "usergroups"):
                if group.get("date_delete"):  # disabled: its handle may belong to another by now
                    continue
                handle, id_ = text_at(group, "handle"), text_at(group, "id")
                other = found.get(handle)
                found[handle] = UserGroup(id_, place, is_one_of_several=other is not None and other.id != id_)
        return found

    def _look_up_members(self, group: UserGroup, deadline: Deadline) -> frozenset[str]:
        asked = {**group.place, "usergroup": group.id}
        listed = self._calls.call("usergroups.users.list", asked, timeout=deadline.left()).get("users")
        return frozenset(str(member) for member in listed) if isinstance(listed, list) else frozenset()

    def _look_up_places(self, deadline: Deadline) -> tuple[Answer, ...]:
        teams = objects_at(self._calls.call("auth.teams.list", {"limit": PAGE}, timeout=deadline.left()), "teams")
        return tuple(MappingProxyType({"team_id": text_at(team, "id")}) for team in teams)


def account_of(user: Answer, team: str) -> Account:
    """From a https://docs.slack.dev/reference/objects/user-object, as seen from the workspace `team`."""
    if not text_at(user, "id"):
        raise Temporary("Slack's answer names no account. Please try again.")
    profile = object_at(user, "profile")
    name = text_at(profile, "real_name") or text_at(user, "real_name") or text_at(user, "name")
    return Account(
        text_at(user, "id"),
        text_at(profile, "email"),
        name,
        _kind(user, team),
        text_at(user, "locale"),
        zone_of(text_at(user, "tz")),
    )


def zone_of(named: str) -> str:
    """UTC for a zone that this machine does not know."""
    try:
        return ZoneInfo(named).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


def _kind(user: Answer, team: str) -> AccountKind:
    """The most restrictive kind that applies. An account without a known workspace is FOREIGN."""
    if user.get("deleted"):
        return AccountKind.DEACTIVATED
    if user.get("is_bot") or user.get("is_workflow_bot") or text_at(user, "id") == "USLACKBOT":  # whose is_bot is false
        return AccountKind.BOT
    if team not in _teams(user):
        return AccountKind.FOREIGN
    if user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_stranger"):
        return AccountKind.GUEST
    if user.get("is_email_confirmed") is False:  # anybody may type an address; only its owner can confirm it
        return AccountKind.UNCONFIRMED
    return AccountKind.MEMBER


def _teams(user: Answer) -> frozenset[str]:
    """On Enterprise Grid a person belongs to an organisation and several of its workspaces, and `team_id` names only one."""
    grid = object_at(user, "enterprise_user")
    listed = grid.get("teams")
    others = [str(team) for team in listed] if isinstance(listed, list) else []
    return frozenset({text_at(user, "team_id"), text_at(grid, "enterprise_id"), *others} - {""})


log = structlog.get_logger()
NOT_FOUND = ""


class SlackMentions:
    """A mention never fails a post: a person or group that cannot be found is printed by name."""

    def __init__(self, people: SlackPeople, clock: Seconds) -> None:
        self._people = people
        self._by_email = Remembered[str](clock)
        self._look_up: dict[Called, Callable[[str], str]] = {Called.GROUP: self._group, Called.PERSON: self._person}

    def found(self, mentions: Sequence[Mention]) -> dict[Mention, str]:
        """The ids that were found. Stops at the first call that Slack does not answer, so that the card is not delayed further."""
        ids: dict[Mention, str] = {}
        for mention in mentions:
            try:
                ids[mention] = self._look_up[mention.kind](mention.key)
            except Permanent as refusal:
                log.warning("mention_not_found", who=mention.key, why=str(refusal))
            except OutsideError as trouble:
                log.warning("mentions_not_asked", who=mention.key, why=str(trouble))
                break
        return {mention: id_ for mention, id_ in ids.items() if id_ != NOT_FOUND}

    def _group(self, handle: str) -> str:
        return self._people.group_id(handle)

    def _person(self, email: str) -> str:
        return self._by_email.get(email, lambda: self._account_with(email))

    def _account_with(self, email: str) -> str:
        account = self._people.find_account(email)
        return account.id if account else NOT_FOUND
