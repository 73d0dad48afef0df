"""Who held each target of a model at a moment, worked out from the ledger's entries. Pure; `handlers.queries.past_holders` reads them.

The ledger counts what was there at its beginning and does not name it: only later entries name such a holder. An alias has one holder.
A stage or a target model may have several; a version that left while others stayed is recorded since `HolderLeft` exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain import events as e
from bot.domain.model import DEFAULT_WORKSPACE, Target, TargetKind, VersionId
from bot.domain.registry.watch_events import HolderLeft

KINDS: tuple[type[e.Event], ...] = (
    e.TargetMoved,
    e.TargetPutBack,
    e.MoveObserved,
    e.MoveReverted,
    HolderLeft,
    e.ModelRenamed,
    e.ModelGone,
)
Where = tuple[str, str, Target]  # the workspace and the name of a registered model, and its target


@dataclass(frozen=True)
class Place:
    """Who held a target from `since` on. `request_id` is empty for a move that no request of ours was about.

    `since` is None when it was held before anything was recorded: the first entry about it says only who had it until then.
    `told_by` is the last that was recorded of it by then.
    """

    model: str
    target: Target
    version: VersionId | None
    since: datetime | None
    request_id: str = ""
    workspace: str = DEFAULT_WORKSPACE
    told_by: e.Event | None = field(default=None, compare=False)

    @property
    def where(self) -> Where:
        return self.workspace, self.model, self.target


@dataclass
class Past:
    """`arrived` are those who came until the moment, the last one last; on a stage some of them may have left again.

    `was_there` are those who held a stage or a target model at the moment for sure, because a later entry says so; `came_later` came
    after it.
    """

    at: datetime
    arrived: dict[Where, dict[VersionId | None, Place]] = field(default_factory=dict)
    was_there: dict[Where, dict[VersionId, Place]] = field(default_factory=dict)
    came_later: dict[Where, set[VersionId | None]] = field(default_factory=dict)

    def holders(self) -> Iterator[Place]:
        """The holders that are certain; a place without a version is an alias without a holder."""
        for where, places in self.arrived.items():
            if not may_be_shared(where[2]):
                yield from places.values()
        for told in self.was_there.values():
            yield from told.values()


def places_at(events: Iterable[e.Event], at: datetime) -> tuple[Place, ...]:
    """One for each target that is known of, under the names that the models have at the end of `events` (oldest first)."""
    past = past_at(events, at)
    last = {where: next(iter(places.values())) for where, places in past.was_there.items()}
    last |= {where: list(places.values())[-1] for where, places in past.arrived.items()}
    return tuple(last[where] for where in sorted(last, key=lambda where: where[1:]))


def past_at(events: Iterable[e.Event], at: datetime) -> Past:
    """Takes the events one by one, oldest first, and keeps what is known of each target."""
    past = Past(at)
    for event in events:
        if isinstance(event, e.ModelRenamed):
            _rename(past, event)
        elif isinstance(event, e.ModelGone):
            _forget(past, event)
        elif event.at <= at:
            _arrive(past, event)
        else:
            _look_back(past, event)
    return past


def may_be_shared(target: Target) -> bool:
    return target.kind is not TargetKind.ALIAS


def concerns(place: Place, model: str) -> bool:
    """Whether it is a target of this model, or another model that its versions are copied into."""
    copied_from = place.version.model if place.version else ""
    return place.model == model or (place.target.kind is TargetKind.MODEL and copied_from == model)


def place_after(event: e.Event) -> Place | None:
    """Where a target is after it; None for what moved nothing."""
    if isinstance(event, e.TargetMoved):
        model = event.target.name if event.target.kind is TargetKind.MODEL else event.version.model
        workspace = event.version.workspace
        return Place(model, event.target, event.version, event.at, event.request_id, workspace, event)
    if isinstance(event, e.TargetPutBack) and event.moved:
        model, workspace = event.away_from.model, event.away_from.workspace
        return Place(model, event.target, event.to, event.at, event.request_id, workspace, event)
    if isinstance(event, e.MoveObserved):
        return Place(event.model, event.target, event.version, event.at, "", event.workspace, event)
    if isinstance(event, e.MoveReverted):
        return Place(event.model, event.target, event.to, event.at, "", event.workspace, event)
    return None


def _arrive(past: Past, event: e.Event) -> None:
    if isinstance(event, HolderLeft):
        past.arrived.get((event.workspace, event.model, event.target), {}).pop(event.version, None)
        return
    place = place_after(event)
    if place is None:
        return
    others = past.arrived.get(place.where, {})
    known = others.pop(place.version, None)
    if known:  # who stays keeps the time at which it came: a ratification moves nothing
        place = replace(place, since=known.since)
    if isinstance(event, e.TargetPutBack):
        others.pop(event.away_from, None)
    others.pop(None, None)
    stay = {} if _is_alone_after(event, place) else others
    past.arrived[place.where] = {**stay, place.version: place}


def _is_alone_after(event: e.Event, place: Place) -> bool:
    took_all_of_a_stage = isinstance(event, e.TargetMoved) and event.moved and place.target.kind is TargetKind.STAGE
    return not may_be_shared(place.target) or place.version is None or took_all_of_a_stage


def _look_back(past: Past, event: e.Event) -> None:
    """The first that is recorded after the moment names who had it until then."""
    place = _place_left(event) if isinstance(event, HolderLeft) else place_after(event)
    if place is None:
        return
    arrived, came = past.arrived.get(place.where, {}), past.came_later.setdefault(place.where, set())
    for version in _held_before(event):
        before = replace(place, version=version, since=None, request_id="", told_by=None)
        if not may_be_shared(place.target):
            past.arrived.setdefault(place.where, {version: before})
        elif version is not None and version not in came:
            past.was_there.setdefault(place.where, {}).setdefault(version, arrived.get(version, before))
    if not isinstance(event, HolderLeft):
        came.add(place.version)


def _place_left(event: HolderLeft) -> Place:
    return Place(event.model, event.target, event.version, event.at, "", event.workspace, event)


def _held_before(event: e.Event) -> tuple[VersionId | None, ...]:
    """Empty when the entry does not say: a ratification names where the target would have gone back to."""
    if isinstance(event, e.TargetMoved):
        is_told = event.moved or (event.previous is not None and not may_be_shared(event.target))
        return (event.previous, *event.besides) if is_told else ()
    if isinstance(event, e.TargetPutBack):
        return (event.away_from,)
    if isinstance(event, HolderLeft):
        return (event.version,)
    return (event.previous,) if isinstance(event, e.MoveObserved) else ()


def _rename(past: Past, event: e.ModelRenamed) -> None:
    for places in (past.arrived, past.was_there):
        for where in _targets_of(event.workspace, event.before, places):
            renamed = {version: replace(one, model=event.after) for version, one in places.pop(where).items()}
            places[event.workspace, event.after, where[2]] = renamed  # type: ignore[assignment]
    for where in _targets_of(event.workspace, event.before, past.came_later):
        past.came_later[event.workspace, event.after, where[2]] = past.came_later.pop(where)


def _forget(past: Past, event: e.ModelGone) -> None:
    """What was deleted before the moment held nothing at it; what was deleted later takes its holders along, and names them."""
    if event.at <= past.at:
        for where in _targets_of(event.workspace, event.model, past.arrived):
            del past.arrived[where]
        return
    for one in event.placements:
        if one.since > past.at:
            continue
        place = Place(event.model, one.target, one.version, one.since, one.request_id or "", event.workspace, event)
        if may_be_shared(one.target):
            past.was_there.setdefault(place.where, {})[one.version] = place
        else:
            past.arrived.setdefault(place.where, {one.version: place})


def _targets_of(workspace: str, model: str, known: Iterable[Where]) -> list[Where]:
    return [where for where in known if where[:2] == (workspace, model)]
