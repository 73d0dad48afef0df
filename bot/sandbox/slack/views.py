"""Modals and Home tabs: who sees which one, and the trigger ids that let a bot open modals."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .wire import Json, SlackError, text_at

TRIGGER_LIVES = 3.0  # seconds, https://docs.slack.dev/interactivity/handling-user-interaction


@dataclass(frozen=True)
class OpenView:
    """`content` is the view as the bot sent it; `errors` are the sentences under its inputs, by block id."""

    id: str
    person_id: str
    content: Json
    hash: str
    errors: Mapping[str, str] = field(default_factory=dict)


class Triggers:
    """A trigger id is valid for one use and `lives` seconds: three, as in Slack, unless a test changes that."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.lives = TRIGGER_LIVES
        self._now = now
        self._issued: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()

    def issue(self, person_id: str) -> str:
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self._issued[trigger_id] = (person_id, self._now())
        return trigger_id

    def redeem(self, trigger_id: str) -> str:
        """Returns the id of the person whose action made this trigger."""
        if trigger_id in self._used:
            raise SlackError("exchanged_trigger_id")
        if trigger_id not in self._issued:
            raise SlackError("invalid_trigger_id")
        person_id, issued = self._issued[trigger_id]
        if self._now() - issued > self.lives:
            raise SlackError("expired_trigger_id")
        self._used.add(trigger_id)
        return person_id


class Views:
    """One modal per person; a new one replaces the old one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_person: dict[str, OpenView] = {}

    def open(self, person_id: str, content: Json) -> OpenView:
        view = OpenView(f"V{secrets.token_hex(5).upper()}", person_id, content, _new_hash())
        with self._lock:
            self._by_person[person_id] = view
        return view

    def update(self, view: OpenView, content: Json) -> OpenView:
        return self._replace(replace(view, content=content, hash=_new_hash(), errors={}))

    def show_errors(self, view: OpenView, errors: Mapping[str, str]) -> OpenView:
        return self._replace(replace(view, errors=errors))

    def close(self, view: OpenView) -> None:
        with self._lock:
            if self.of(view.person_id) is not None:
                del self._by_person[view.person_id]

    def of(self, person_id: str) -> OpenView | None:
        return self._by_person.get(person_id)

    def find(self, view_id: str = "", external_id: str = "") -> OpenView | None:
        for view in list(self._by_person.values()):
            if view.id == view_id or (external_id and text_at(view.content, "external_id") == external_id):
                return view
        return None

    def _replace(self, view: OpenView) -> OpenView:
        with self._lock:
            self._by_person[view.person_id] = view
        return view


class Homes:
    """The Home tab of each person, as the bot published it last; it keeps its id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_person: dict[str, OpenView] = {}

    def of(self, person_id: str) -> OpenView | None:
        return self._by_person.get(person_id)

    def publish(self, person_id: str, content: Json, seen: str = "") -> OpenView:
        """`seen` is the hash of the view that the bot believes to replace, empty when it does not care."""
        with self._lock:
            before = self._by_person.get(person_id)
            if seen and (before is None or before.hash != seen):
                raise SlackError("hash_conflict")
            id_ = before.id if before else f"V{secrets.token_hex(5).upper()}"
            self._by_person[person_id] = OpenView(id_, person_id, content, _new_hash())
            return self._by_person[person_id]


def _new_hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}"
