"""What must be true after a sweep that nothing disturbed: what people moved is recorded, and nothing waits in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.domain.events import MoveObserved
from bot.domain.ledger.chain import Entry
from bot.domain.model import (
    State,
    VersionId,
)
from bot.store.transaction import Transaction
from tests.sim.laws import truth
from tests.sim.registry import Place
from tests.sim.world import World

Broken = Iterator[tuple[str, str]]
SILENT_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class Seen:
    """What stood where at the end of a sweep that nothing disturbed."""

    at: datetime
    seq: int
    places: dict[Place, tuple[VersionId, ...]]
    models: dict[str, Any]


class AfterSweeps:
    def __init__(self, world: World) -> None:
        self.world = world
        self.seen = self._look()

    def what_is_missing(self) -> list[tuple[str, str]]:
        """Laws that the sweep has not kept yet: a slow lane may still bring it about, so the caller may try again for a while."""
        with self.world.store.transaction() as tx:
            entries = [entry for entry in tx.ledger.entries() if entry.seq > self.seen.seq]
            return [*self._unrecorded(entries, tx), *self._silent(tx)]

    def remember(self) -> None:
        self.seen = self._look()

    def _look(self) -> Seen:
        with self.world.store.transaction() as tx:
            seq = tx.ledger.count()
        models = {name: model.created for name, model in self.world.registry.models.items()}
        return Seen(self.world.clock.now(), seq, self.world.registry.places(), models)

    def _unrecorded(self, entries: list[Entry], tx: Transaction) -> Broken:
        """A move by hand at a watched place is in the ledger; so is a model that is gone or came under another name."""
        now = self.world.registry.places()
        for place in sorted({*now, *self.seen.places}):
            if not self._was_watched_all_along(place):
                continue
            before, after = self.seen.places.get(place, ()), now.get(place, ())
            created = self.world.registry.models[place[0]].created if place[0] in self.world.registry.models else None
            if created != self.seen.models.get(place[0]):
                if before != after and self.seen.models.get(place[0]) and not _names(place[0], entries):
                    yield (
                        "a model went or came without a word",
                        f"{place[1]} of {place[0]} is held by {_told(after)} now",
                    )
                for version in after if before != after and self.seen.models.get(place[0]) else ():
                    if not any(mentions(entry, version) for entry in entries):
                        yield "a foreign move was not recorded", f"{version} is behind {place[1]} by a change of names"
                continue
            for version in after:
                change = truth.came_by(version, place, self.world)
                if version in before or not truth.by_hand(change) or self._is_said(version, place, entries):
                    continue
                if change is not None and not self._was_being_moved(version, place, change.at, tx):
                    yield "a foreign move was not recorded", f"{change.by} {change.what} ({place[1]} of {place[0]})"
            emptied = before and not after and truth.by_hand(truth.emptied_by(place, self.world))
            if emptied and not self._is_said(None, place, entries):
                yield "a foreign move was not recorded", f"{place[1]} of {place[0]} was emptied"

    def _silent(self, tx: Transaction) -> Broken:
        """A request whose evidence cannot be read says so on a card; without a rule there is no channel, and a parked job says so."""
        policy = tx.policy()
        parked = {row["args"]["request_id"] for row in self.world.workers.unfinished() if row["status"] == "failed"}
        for request in tx.requests.find(states=(State.COLLECTING,)):
            if truth.rule_at(policy, (request.version.model, request.target)) is None and request.id in parked:
                continue
            if request.card is None and self.world.clock.now() - request.opened_at >= SILENT_FOR:
                yield "evidence that cannot be read is not told", f"request {request.short_id} for {request.version}"

    def _was_watched_all_along(self, place: Place) -> bool:
        before = [one for one in self.world.policies if one.at <= self.seen.at][-1:]
        since = [one for one in self.world.policies if one.at > self.seen.at]
        return bool(before) and all(truth.rule_at(one.policy, place) for one in (*before, *since))

    def _is_said(self, version: VersionId | None, place: Place, entries: list[Entry]) -> bool:
        for entry in entries:
            body = json.loads(entry.body)
            if entry.kind == MoveObserved.__name__ and _is_place(body, place):
                said = body["version"]
                if version is None and said is None:
                    return True
                if version is not None and said is not None and said["created"] == version.created.isoformat():
                    return True
        return False

    def _was_being_moved(self, version: VersionId, place: Place, at: Any, tx: Transaction) -> bool:
        """We had given our word to do just this, so nobody can tell who did it."""
        for request in tx.requests.find():
            intent = tx.registry.find_intent(request.id)
            if (
                intent is None
                or (intent.model, intent.target) != place
                or intent.to_version not in (None, version.version)
            ):
                continue
            if intent.at <= at and (intent.done_at is None or intent.done_at >= at):
                return True
        return False


def _is_place(body: dict[str, Any], place: Place) -> bool:
    target = body["target"]
    return (body["model"], target["kind"], target["name"]) == (place[0], place[1].kind, place[1].name)


def _names(model: str, entries: list[Entry]) -> bool:
    return any(f'"{model}"' in entry.body for entry in entries)


def _told(held: tuple[VersionId, ...]) -> str:
    return ", ".join(map(str, held)) or "nobody"


def mentions(entry: Entry, version: VersionId) -> bool:
    return version.created.isoformat() in entry.body
