"""Events of the sealed store: a version's approved files were copied there, or cannot be. `bot.domain.events` has all events."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.event import RequestEvent
from bot.domain.seals.places import Lock, Seal, SealedAt, SealedObject


@dataclass(frozen=True)
class VersionSealed(RequestEvent):
    """The store holds exactly the approved files. `files` is the digest of their list; `objects` names the object version of each.

    `lock` is the earliest end of their locks, None without one. Again when they are sealed elsewhere, or locked for longer.
    """

    sealed: SealedAt
    files: str
    objects: tuple[SealedObject, ...]
    lock: Lock | None = None


@dataclass(frozen=True)
class SealHindered(RequestEvent):
    """The files cannot be sealed, so the target does not move. Once for each distinct reason; it is retried, or waits for a person."""

    reason: str


SEAL_EVENTS = (VersionSealed, SealHindered)


def seal_from(event: VersionSealed) -> Seal:
    size = sum(one.size for one in event.objects)
    return Seal(event.sealed, event.files, len(event.objects), size, event.at, event.lock)
