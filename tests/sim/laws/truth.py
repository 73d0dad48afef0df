"""What is true in a run, whoever knows it: since when a place is watched, who stood there, and what was decided about a version.

A version is told by the moment of its creation, which a rename keeps and which no other version shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from bot.domain.events import BaselineTaken
from bot.domain.model import DEFAULT_WORKSPACE, DecidedBy, Kind, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.rules import Observed, Policy, Rule
from bot.domain.registry.watch_events import WatchBegun
from bot.store.transaction import Transaction
from tests.sim.registry import BOT, Change, Place
from tests.sim.world import World

A_MOMENT = timedelta(microseconds=1)
STRICTNESS = (Observed.REPORT, Observed.ASK, Observed.REVERT)


@dataclass(frozen=True)
class Decided:
    """`settled` says that an approval was applied as well; `held` that one was not and did not go stale either."""

    at: datetime
    approved: bool
    stale: bool
    settled: bool
    request: TransitionRequest


def rule_at(policy: Policy, place: Place) -> Rule | None:
    model, target = place
    return policy.rule_for(DEFAULT_WORKSPACE, model, target)


def watched_since(place: Place, world: World, tick: int | None = None, before: datetime | None = None) -> int | None:
    """The number of the last change before the place began to be watched; None when no rule covers it.

    The watch belongs to the name: a model that is renamed onto a name that was watched before arrives there. A name that no model had
    before is watched as the model's former name was.
    """
    now = len(world.registry.history) if tick is None else tick
    since = None
    for one in reversed([one for one in world.policies if one.tick <= now and (before is None or one.at <= before)]):
        if rule_at(one.policy, place) is None:
            break
        since = one.tick
    if since is None:
        return None
    begun = max(since, world.baseline_tick)
    rename = _named_by(place[0], world, now)
    if rename is None or rename.tick <= begun:
        return begun
    earlier = watched_since(_former(place, rename), world, rename.tick - 1, before)
    return rename.tick if earlier is None else earlier


def _named_by(name: str, world: World, now: int) -> Change | None:
    """The change by which a model came to a name that no model had before."""
    named = (c for c in world.registry.history if c.tick <= now and _renames(c) and c.what.endswith(f" to {name}"))
    return next((c for c in named if not _was_there(name, c.tick, world)), None)


def _former(place: Place, rename: Change) -> Place:
    """What the place was called before its model was renamed."""
    before, target = rename.what.split()[1], place[1]
    return before, Target(target.kind, before) if target == Target(TargetKind.MODEL, place[0]) else target


def _carried_on(place: Place, world: World, now: int) -> Change | None:
    """The rename that the watch of the place has outlasted, if any: nothing arrives by it."""
    rename = _named_by(place[0], world, now)
    if rename is None:
        return None
    return rename if watched_since(_former(place, rename), world, rename.tick - 1) is not None else None


def called_then(version: VersionId, place: Place, world: World, tick: int, now: int) -> tuple[VersionId, Place]:
    """What the version and the place that are called so at `now` were called at `tick`."""
    rename = _carried_on(place, world, now)
    if rename is None or rename.tick <= tick:
        return version, place
    former = _former(place, rename)
    return called_then(replace(version, model=former[0]), former, world, tick, rename.tick - 1)


def _was_there(name: str, tick: int, world: World) -> bool:
    """Whether a model had that name before this change."""
    before = (c for c in world.registry.history if c.tick < tick)
    return any(model == name for c in before for (model, _), _ in c.arrived)


def stood_there(
    version: VersionId, place: Place, world: World, tick: int | None = None, before: datetime | None = None
) -> bool:
    """Whether the version held the place when it began to be watched, and left it since only to be brought back by the bot."""
    now = len(world.registry.history) if tick is None else tick
    since = watched_since(place, world, now, before)
    came = came_by(version, place, world, now)
    if since is None or came is None:
        return False
    return came.tick <= since or (
        came.by == BOT and _held(*called_then(version, place, world, since, now), world, since)
    )


def _held(version: VersionId, place: Place, world: World, tick: int) -> bool:
    came = came_by(version, place, world, tick)
    left = [c for c in world.registry.history if c.tick <= tick and (place, version) in c.left]
    return came is not None and all(one.tick < came.tick for one in left)


def came_by(version: VersionId, place: Place, world: World, tick: int | None = None) -> Change | None:
    """The change by which the version came to the place, the last one if there were several."""
    now = len(world.registry.history) if tick is None else tick
    all_found = (c for c in reversed(world.registry.history) if c.tick <= now and (place, version) in c.arrived)
    found, rename = next(all_found, None), _carried_on(place, world, now)
    if found is None or rename is None or found.tick != rename.tick:
        return found
    former = _former(place, rename)
    return came_by(replace(version, model=former[0]), former, world, rename.tick - 1)


def held_by_right(version: VersionId, place: Place, world: World, tx: Transaction, since: int) -> bool:
    """Whether the version lawfully held the place at the change of that number, or after a later one."""
    moments = [c for c in world.registry.history if c.tick >= since]
    return any(
        _held(version, place, world, one.tick) and is_lawful(version, place, world, tx, one.at + A_MOMENT)
        for one in moments
    )


def can_go_back(request: TransitionRequest, world: World) -> bool:
    """Whether the model that has the name now still has the version that was to have the target back."""
    back = request.previous
    model = world.registry.models.get(request.target_model)
    return back is None or (model is not None and any(one.created == back.created for one in model.versions.values()))


def emptied_by(place: Place, world: World) -> Change | None:
    """The change by which somebody left the place last."""
    return next((c for c in reversed(world.registry.history) if any(place == held for held, _ in c.left)), None)


def same(one: VersionId | None, other: VersionId | None) -> bool:
    return one is not None and other is not None and one.created == other.created


def origins(version: VersionId, world: World) -> set[datetime]:
    """The version itself and what it was copied from, step by step."""
    found, one = {version.created}, world.registry.sources.get(version)
    while one is not None and one.created not in found:
        found.add(one.created)
        one = world.registry.sources.get(one)
    return found


def speaks_of(request: TransitionRequest, version: VersionId, target: Target, world: World) -> bool:
    alike = request.target.kind is target.kind and (target.kind is TargetKind.MODEL or request.target == target)
    return alike and request.version.created in origins(version, world)


def decisions(
    version: VersionId, target: Target, world: World, tx: Transaction, before: datetime | None = None
) -> list[Decided]:
    """What people, the fast track and the short way back have decided about the version for the target, in order."""
    return sorted(_decisions(version, target, world, tx, before), key=lambda one: one.at)


def _decisions(
    version: VersionId, target: Target, world: World, tx: Transaction, before: datetime | None
) -> Iterator[Decided]:
    for request in tx.requests.find():
        at = request.decided_at
        if at is None or (before is not None and at >= before):
            continue
        away = request.away_from is not None and request.away_from.created in origins(version, world)
        away = away and not origins(request.version, world) & origins(version, world)  # from a copy to its original
        if away and request.target == target and request.state is State.APPLIED and request.settled_at is not None:
            yield Decided(request.settled_at, False, False, True, request)
        if not speaks_of(request, version, target, world) or request.decided_by is None:
            continue
        if request.state is State.REJECTED and request.decided_by is DecidedBy.PEOPLE:
            yield Decided(at, False, False, request.settled_at is not None, request)
        if request.state in (State.APPROVED, State.APPLIED, State.STALE):
            yield Decided(at, True, request.state is State.STALE, request.state is State.APPLIED, request)


def is_lawful(version: VersionId, place: Place, world: World, tx: Transaction, before: datetime | None = None) -> bool:
    """The newest decision counts; without one, what stood there when the place began to be watched, or was watched more strictly."""
    found = [one for one in decisions(version, place[1], world, tx, before) if not one.stale]
    if found:
        return found[-1].approved
    tick = None if before is None else max((c.tick for c in world.registry.history if c.at <= before), default=0)
    if stood_there(version, place, world, tick, before) or began_with(version, place, world, tx, before):
        return True
    return _has_come_back(version, place, world, tx, before)


def _has_come_back(version: VersionId, place: Place, world: World, tx: Transaction, before: datetime | None) -> bool:
    """Whether it was there when the watch began, and no decision has moved the place since; it may have left and returned by hand."""
    now = max((c.tick for c in world.registry.history if before is None or c.at <= before), default=0)
    since = watched_since(place, world, now, before)
    if since is None:
        return False
    came = came_by(version, place, world, now)
    if came is not None and any(one.tick == since and came.tick <= one.noted for one in world.policies):
        return True  # it came while an admin put the policy in force, and which was first is not for us to say
    if not _held(*called_then(version, place, world, since, now), world, since):
        return False
    kind, begun = place[1].kind, max((c.at for c in world.registry.history if c.tick <= since), default=None)
    return not any(
        (kind is TargetKind.ALIAS or (kind is TargetKind.STAGE and one.settled_by_us))
        and (one.target_model, one.target) == place
        and one.settled_at is not None
        and (begun is None or one.settled_at > begun)
        and (before is None or one.settled_at < before)
        for one in tx.requests.find(states=(State.APPLIED,))
    )


def began_with(version: VersionId, place: Place, world: World, tx: Transaction, before: datetime | None = None) -> bool:
    """Whether a watch began with it because the rule had become stricter, or an administrator had accepted what is there."""
    for entry in tx.ledger.entries(WatchBegun.__name__, BaselineTaken.__name__):
        if before is not None and entry.at >= before:
            continue
        if entry.kind == BaselineTaken.__name__ and entry.seq > world.baseline_seq:
            came = came_by(version, place, world)
            return came is not None and came.at <= entry.at
        if version.created.isoformat() in entry.body and _was_tightened(place, world, entry.at):
            return True
    return False


def _was_tightened(place: Place, world: World, at: datetime) -> bool:
    """Whether a policy that was in force by then handles moves there more strictly than the one before it."""
    rules = [rule_at(one.policy, place) for one in world.policies if one.at <= at]
    handled = [-1 if rule is None else STRICTNESS.index(rule.observed) for rule in rules]
    return any(earlier < later for earlier, later in pairwise(handled))


def was_replaced(version: VersionId, place: Place, tx: Transaction) -> bool:
    """Whether the last decision that was applied for an alias, or that a stage was moved to one alone for, brought another version.

    Who returns by hand is asked about again.
    """
    if place[1].kind is TargetKind.MODEL:
        return False
    applied = tx.requests.find(model=place[0], target=place[1], states=(State.APPLIED,))
    found = [one for one in applied if one.settled_at and (one.settled_by_us or place[1].kind is TargetKind.ALIAS)]
    newest = max(found, key=lambda one: one.settled_at or one.opened_at, default=None)
    return newest is not None and newest.version != version


def was_ever_approved(version: VersionId, target: Target, world: World, tx: Transaction) -> TransitionRequest | None:
    found = [one.request for one in decisions(version, target, world, tx) if one.approved]
    return found[-1] if found else None


def humans_of(ids: set[str], world: World, tx: Transaction) -> set[str]:
    """Who these persons really are, whatever addresses they have had."""
    by_email = {email: human.name for human in world.humans.values() for email in human.emails}
    return {by_email.get(tx.people.get(one).email, one) for one in ids}


def goes_back(request: TransitionRequest) -> bool:
    return request.kind is Kind.ROLLBACK and not request.people_decide


def by_hand(change: Change | None) -> bool:
    return change is not None and change.by != BOT


def _renames(change: Change) -> bool:
    return change.what.startswith("renames ")
