"""What a look makes of the place, as `reconcile.py`, `watches.py` and `observed_moves.py` of `handlers/registry` do it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.events import Event, MoveObserved
from bot.domain.model import Ask, AskKind, Kind, State, TargetKind, TransitionRequest, VersionId
from bot.domain.registry import arrivals, custody, steps
from bot.domain.registry.diff import Known, Left, Move, compare
from bot.domain.registry.facts import RESTORE, Facts, Handling, Intent
from bot.domain.registry.watch_events import HolderLeft, WatchBegun
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.engine.lanes import move_lane
from handlers.registry import observed_moves
from tests.model.opening import open_new
from tests.model.world import RESTORE_TARGET, Placed, Rows, Watch, World, defer, facts_of, marked, model_seen, record


@dataclass(frozen=True)
class Begun:
    """What has become of the watch. `under` is how the rule handled moves before it became stricter; `is_first`: no rule did."""

    is_first: bool = False
    under: Handling | None = None


def record_look(world: World, seen: tuple[VersionId, ...]) -> tuple[World, list[Event]]:
    """`seen`: who held the place when it was read."""
    target = world.setting.target
    held = {target: tuple(one.version for one in world.placements)} if world.placements else {}
    anew = frozenset((target, one.version) for one in world.placements if not one.is_judged)
    known = Known(9, 9, held, unjudged=anew)
    news = compare(model_seen(world, seen), known, world.rules)
    world, events, begun = _bring_up_to_date(world, seen)
    world, gone = _withdraw_what_is_gone(world, seen)
    events += [*gone, *_departures(world, news.left)]
    approved: dict[VersionId, str] = {}
    for move in () if begun.is_first else news.moves:  # else all that it holds is baseline
        world, more, request_id = judge(world, move, seen, begun.under)
        events += more
        if request_id and move.version:
            approved[move.version] = request_id
    kept = {one.version: one for one in world.on_record}
    rows = (kept.get(held) or Placed(held, world.now, None) for held in seen)
    rows = (replace(one, request_id=approved.get(one.version, one.request_id)) for one in rows)
    return replace(world, placements=tuple(rows), mark=marked(world, seen)).ticked(), events


def _bring_up_to_date(world: World, seen: tuple[VersionId, ...]) -> tuple[World, list[Event], Begun]:
    """Begins, renews or ends the watch."""
    rule, before = world.rule, world.watch
    if rule is None:
        return replace(world, watch=None), [], Begun()
    handling = Handling(rule.observed)
    if before is None:
        return *_begin(world, handling, seen), Begun(is_first=True)
    if not handling.is_stricter_than(before.handling):
        return replace(world, watch=Watch(before.since, handling)), [], Begun()
    on_record = {one.version for one in world.on_record}
    held_before = tuple(one for one in seen if one in on_record or before.handling is not Handling.ASK)
    return *_begin(world, handling, held_before), Begun(under=before.handling)


def _begin(world: World, handling: Handling, holders: tuple[VersionId, ...]) -> tuple[World, list[Event]]:
    baseline = Rows({**world.baseline, **dict.fromkeys(holders, world.now)})
    begun = WatchBegun(world.now, "default", world.setting.target, world.place_model, handling, holders)
    return replace(world, watch=Watch(world.now, handling), baseline=baseline), [begun] if holders else []


def _withdraw_what_is_gone(world: World, seen: tuple[VersionId, ...]) -> tuple[World, list[Event]]:
    if world.setting.target.kind is not TargetKind.MODEL:
        return world, []  # no version of the model itself is ever deleted here
    copies = [one for one in world.requests if one.state.is_open and one.version.model == world.place_model]
    gone = [one for one in copies if one.version not in seen]
    events = [event for one in gone for event in lifecycle.withdraw(one, "it was deleted", world.now)]
    return record(world, events), events


def _departures(world: World, left: tuple[Left, ...]) -> list[Event]:
    target, ours = world.setting.target, any(one.done_at is None for one in world.intents)
    if ours or facts_of(world).handling is Handling.IGNORE:
        return []
    return [HolderLeft(world.now, "default", target, world.place_model, one.version, one.stays) for one in left]


def judge(
    world: World, move: Move, seen: tuple[VersionId, ...], under: Handling | None
) -> tuple[World, list[Event], str | None]:
    facts = facts_of(world, seen)
    facts = facts if under is None else replace(facts, handling=under)
    step = _step(move, facts, world)
    if isinstance(step, steps.Resume):
        effect = RESTORE_TARGET if step.restores else "sync_target"
        return defer(world, effect, step.request_id, move_lane(step.request_id)), [], None
    if isinstance(step, steps.Nothing):
        return world, [], None
    target = world.setting.target
    observed = MoveObserved(
        world.now, "default", target, world.place_model, move.version, move.previous, handling_of(step, facts, move)
    )
    world, events, fulfilled = _end_overtaken(world, move, seen)
    if isinstance(step, steps.Report):
        request = world.request(step.approval) if step.approval else None
        return world, [observed, *events], request.id if request and request.state is State.APPLIED else None
    if isinstance(step, steps.Restore):
        name = f"{RESTORE}{len(world.intents) + 1}"
        intent = Intent(name, "default", world.place_model, target, None, step.to.version, world.now)
        world = replace(world, intents=(*world.intents, intent))
        return defer(world, RESTORE_TARGET, name, move_lane(name)), [observed, *events], None
    if isinstance(step, steps.Ask | steps.PutBack) and move.version is not None:
        world, more = _ask(world, move.version, step, facts, fulfilled)
        events += more
    return world, [observed, *events], None


def _step(move: Move, facts: Facts, world: World) -> steps.Step:
    if move.version is None:
        return arrivals.step_when_emptied(move.previous, facts, world.now)
    return arrivals.step_for_arrival(move.version, move.previous, facts, world.now)


def handling_of(step: steps.Step, facts: Facts, move: Move) -> str:
    return observed_moves._handling(step, facts, is_emptied=move.version is None)


def _ask(
    world: World, version: VersionId, step: steps.Step, facts: Facts, fulfilled: TransitionRequest | None
) -> tuple[World, list[Event]]:
    new = NewRequest(
        version,
        facts.target,
        Ask(AskKind.OBSERVED),
        kind=Kind.OBSERVED,
        previous=custody.way_back_from(version, facts),
        follows=fulfilled.id if fulfilled else None,
    )
    world, events, request_id = open_new(world, new)
    if isinstance(step, steps.PutBack) and request_id:
        request = world.request(request_id)
        ended = lifecycle.reject_by_rule(request, observed_moves.BY_RULE, request.rule_hash, world.now)
        return record(world, ended), [*events, *ended]
    return world, events


def _end_overtaken(
    world: World, move: Move, seen: tuple[VersionId, ...]
) -> tuple[World, list[Event], TransitionRequest | None]:
    events: list[Event] = []
    fulfilled = None
    for request in world.requests:
        is_left = request.version == move.version or (request.kind is Kind.OBSERVED and request.version not in seen)
        if not (request.state.is_open and is_left):
            continue
        ended = lifecycle.withdraw(request, "the target was moved again without asking", world.now)
        world, events = record(world, ended), [*events, *ended]
        if request.kind is Kind.PROMOTION:
            fulfilled = request
        elif request.version != move.version:
            world, more = _ask_again(world, request)
            events += more
    return world, events, fulfilled


def _ask_again(world: World, left: TransitionRequest) -> tuple[World, list[Event]]:
    asked = world.request(left.follows) if left.follows else None
    if asked is None or asked.kind is not Kind.PROMOTION or asked.state is not State.WITHDRAWN:
        return world, []
    if not asked.requester:
        return world, []
    world, events, _ = open_new(world, lifecycle.reopened(asked))
    return world, events
