"""Who held which target when the week ended: as the registry was last seen, without what the ledger has recorded since.

What a version holds now and came to before the week ended, it held then. A target that has changed since is read from the
ledger, as `bot.domain.registry.holders` folds it, entry by entry, so that closing a week late needs no more memory than closing it in time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import events as e
from bot.domain.events import Event
from bot.domain.model import Target, TransitionRequest, VersionId
from bot.domain.policy.rules import Observed
from bot.domain.registry.holders import Past, Place, may_be_shared, past_at, place_after
from bot.domain.registry.watch_events import HolderLeft
from bot.store.digest_figures import DigestFigures
from bot.store.ledger import read_event
from bot.store.registry import RegistryRows
from bot.store.requests import REQUEST

Model = tuple[str, str]  # the workspace and the name of a registered model


@dataclass(frozen=True)
class Holder:
    """`model` is the registered model whose target it is; `request_id` of the request that should have approved it.

    `or_before` says that an earlier approval counts as well.
    """

    model: str
    target: Target
    version: VersionId
    since: datetime | None
    request_id: str
    or_before: bool


def holders_at(figures: DigestFigures, ends: datetime) -> list[Holder]:
    """By workspace, model and target."""
    since_ever = figures.baselines_at()
    found = (
        replace(one, since=None)
        if one.since == since_ever.get(one.version.workspace)
        else one  # at the baseline it was there already
        for one in _all_holders(figures, ends)
    )
    return sorted(found, key=lambda one: (one.version.workspace, one.model, one.target, -one.version.version))


def read_request(body: str) -> TransitionRequest:
    return REQUEST.validate_python(json.loads(body))


def _all_holders(figures: DigestFigures, ends: datetime) -> Iterator[Holder]:
    past = _past(figures, ends)
    seen = set()
    for row in RegistryRows(figures.connection).placements():
        where = row.version.workspace, row.version.model, row.target
        if row.since < ends and (may_be_shared(row.target) or where not in past.arrived):
            seen.add((where, row.version.version))
            yield Holder(row.version.model, row.target, row.version, row.since, row.request_id or "", or_before=False)
    for place in past.holders():
        if place.version is not None and (place.where, place.version.version) not in seen:
            before = _may_count_before(place, figures)
            yield Holder(place.model, place.target, place.version, place.since, place.request_id, before)


def _past(figures: DigestFigures, ends: datetime) -> Past:
    """Of the models that something has happened to since."""
    touched: set[Model] = set()
    for told in figures.moves_since(ends):
        touched |= _model_of(read_event(told.kind, told.body))
    moment = ends - timedelta(microseconds=1)
    if not touched:
        return Past(moment)
    names = {name for _, name in _with_former_names(touched, figures)}
    past = past_at((read_event(told.kind, told.body) for told in figures.moves_about(names)), moment)
    for places in (past.arrived, past.was_there):
        for where in [where for where in places if where[:2] not in touched]:
            del places[where]
    return past


def _model_of(event: Event) -> set[Model]:
    if isinstance(event, e.ModelRenamed):
        return {(event.workspace, event.after)}
    if isinstance(event, e.ModelGone | HolderLeft):
        return {(event.workspace, event.model)}
    place = place_after(event)
    return {place.where[:2]} if place else set()


def _with_former_names(touched: set[Model], figures: DigestFigures) -> set[Model]:
    models = set(touched)
    for event in reversed([read_event(told.kind, told.body) for told in figures.renames()]):
        if isinstance(event, e.ModelRenamed) and (event.workspace, event.after) in models:
            models.add((event.workspace, event.before))
    return models


def _may_count_before(place: Place, figures: DigestFigures) -> bool:
    """What was put back where it had been approved is held by that approval."""
    if isinstance(place.told_by, e.MoveObserved):
        return put_back_by_hand(place.told_by, figures)
    return not isinstance(place.told_by, e.TargetMoved | e.ModelGone)


def put_back_by_hand(move: e.MoveObserved, figures: DigestFigures) -> bool:
    """A move that led to no question, though the rule would have asked, put back who was approved before."""
    if move.handling == Observed.REPORT:
        return False
    asked = map(read_request, figures.observed([move.at]))
    return not any((request.version, request.target) == (move.version, move.target) for request in asked)
