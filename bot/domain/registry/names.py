"""What a registered model is called now. Its versions keep their number and creation time under every name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.model import State, Target, TargetKind, TransitionRequest, VersionId


@dataclass(frozen=True)
class Renamed:
    """Names that were exchanged have the same moment."""

    before: str
    after: str
    at: datetime


def present_name(name: str, at: datetime, renames: Sequence[Renamed]) -> str:
    """The present name of the model that had `name` at that moment. `renames`: the oldest first."""
    for one in renames:
        if one.before == name and at < one.at:
            name, at = one.after, one.at
    return name


def under_present_name(version: VersionId, at: datetime, renames: Sequence[Renamed]) -> VersionId:
    name = present_name(version.model, at, renames)
    return version if name == version.model else replace(version, model=name)


def target_now(target: Target, at: datetime, renames: Sequence[Renamed]) -> Target:
    if target.kind is not TargetKind.MODEL:
        return target
    return Target(target.kind, present_name(target.name, at, renames))


def request_now(request: TransitionRequest, renames: Sequence[Renamed]) -> TransitionRequest:
    """The request with its versions and target as they are called now. What brought it about was called as when that was recorded."""
    at = request.opened_at
    moved_at = request.settled_at if request.settled_at and request.state is State.APPLIED else at

    def now_called(version: VersionId, since: datetime = at) -> VersionId:
        return under_present_name(version, since, renames)

    return replace(
        request,
        version=now_called(request.version),
        target=target_now(request.target, at, renames),
        previous=now_called(request.previous, moved_at) if request.previous else None,
        away_from=now_called(request.away_from) if request.away_from else None,
        found=tuple(map(now_called, request.found)) if request.found is not None else None,
        copies=tuple(now_called(copy, moved_at) for copy in request.copies),
    )


def former_names(name: str, renames: Sequence[Renamed]) -> tuple[str, ...]:
    """The former names of the model that is called `name` now, the newest first."""
    found: list[str] = []
    until: datetime | None = None
    for one in reversed(renames):
        if one.after == name and (until is None or one.at < until):
            found.append(one.before)
            name, until = one.before, one.at
    return tuple(found)
