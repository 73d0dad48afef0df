"""Who held each target of a model at a moment, told from what the ledger has recorded up to then. Pure; reading it is a handler's story.

The ledger counts what was there at its beginning and does not name it: of such a holder only what came after can tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain import events as e
from bot.domain.model import Target, TargetKind, VersionId

KINDS: tuple[type[e.Event], ...] = (
    e.TargetMoved,
    e.TargetPutBack,
    e.MoveObserved,
    e.MoveReverted,
    e.ModelRenamed,
    e.ModelGone,
)


@dataclass(frozen=True)
class Place:
    """Who held a target from `since` on. `request_id` is empty for a move that no request of ours was about.

    `since` is None when it was held before anything was recorded: the first entry about it says only who had it until then.
    """

    model: str
    target: Target
    version: VersionId | None
    since: datetime | None
    request_id: str = ""


@dataclass
class _Fold:
    at: datetime
    held: dict[tuple[str, Target], Place] = field(default_factory=dict)


def places_at(events: Iterable[e.Event], at: datetime) -> tuple[Place, ...]:
    """One for each target that is known of, under the names that the models have at the end of `events` (oldest first)."""
    fold = _Fold(at)
    for event in events:
        if isinstance(event, e.ModelRenamed):
            _rename(fold, event)
        elif isinstance(event, e.ModelGone):
            _forget(fold, event)
        else:
            _look_at(fold, event)
    return tuple(fold.held[key] for key in sorted(fold.held, key=lambda key: (key[0], key[1])))


def concerns(place: Place, model: str) -> bool:
    """Whether it is a target of this model, or another model that its versions are copied into."""
    copied_from = place.version.model if place.version else ""
    return place.model == model or (place.target.kind is TargetKind.MODEL and copied_from == model)


def _look_at(fold: _Fold, event: e.Event) -> None:
    moved = _move_of(event)
    if moved is None:
        return
    place, before = moved
    key = place.model, place.target
    if event.at <= fold.at:
        fold.held[key] = _joined(fold.held.get(key), place)
    elif key not in fold.held:  # the first that is recorded of it came later, and names who had it until then
        fold.held[key] = replace(place, version=before, since=None, request_id="")


def _joined(known: Place | None, place: Place) -> Place:
    """Who stays keeps the time at which it came: a ratification moves nothing."""
    return replace(place, since=known.since) if known and known.version == place.version else place


def _move_of(event: e.Event) -> tuple[Place, VersionId | None] | None:
    """Where a target is now, and who had it before; None for what moved nothing."""
    if isinstance(event, e.TargetMoved):
        model = event.target.name if event.target.kind is TargetKind.MODEL else event.version.model
        return Place(model, event.target, event.version, event.at, event.request_id), event.previous
    if isinstance(event, e.TargetPutBack) and event.moved:
        place = Place(event.away_from.model, event.target, event.to, event.at, event.request_id)
        return place, event.away_from
    if isinstance(event, e.MoveObserved):
        return Place(event.model, event.target, event.version, event.at), event.previous
    if isinstance(event, e.MoveReverted):
        return Place(event.model, event.target, event.to, event.at), None
    return None


def _rename(fold: _Fold, event: e.ModelRenamed) -> None:
    for model, target in [key for key in fold.held if key[0] == event.before]:
        fold.held[event.after, target] = replace(fold.held.pop((model, target)), model=event.after)


def _forget(fold: _Fold, event: e.ModelGone) -> None:
    """What was deleted before the moment held nothing at it."""
    if event.at > fold.at:
        return
    for key in [key for key in fold.held if key[0] == event.model]:
        del fold.held[key]
