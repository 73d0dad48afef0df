"""What people do, each as often as the setting's budget allows: move by hand, ask, vote, call off, go back, change the policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bot.domain.events import Event
from bot.domain.model import (
    Ask,
    AskKind,
    Kind,
    StaleCause,
    State,
    TargetKind,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import Observed
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.domain.request.rollback import brought_by, ways_back
from bot.engine.lanes import move_lane
from bot.errors import Refused
from tests.model.opening import decided_here, held_as_asked, join, open_new
from tests.model.rows import call_off_intent, judge_anew
from tests.model.world import Rows, World, defer, facts_of, live, record, version

MOVER = "ana"


@dataclass(frozen=True)
class Action:
    said: str
    world: World
    events: tuple[Event, ...] = ()


def actions(world: World) -> Iterator[Action]:
    for kind, offer in OFFERS.items():
        if world.may(kind):
            yield from offer(world.spend(kind))
    if world.frozen:
        yield Action("the freeze ends", replace(world, frozen=False))


def move_by_hand(world: World) -> Iterator[Action]:
    kind, held = world.setting.target.kind, world.holders
    if kind is TargetKind.MODEL:
        yield from _copy_by_hand(world)
        return
    for wanted in world.there:
        if wanted not in held:
            rest = held if kind is TargetKind.STAGE else ()
            yield _moved(world, tuple(sorted((wanted, *rest), reverse=True)), wanted, f"moves {wanted} there by hand")
    for one in held:
        yield _moved(world, tuple(v for v in held if v != one), None, f"takes {one} out by hand")


def _copy_by_hand(world: World) -> Iterator[Action]:
    for origin in world.there:
        made = version(max((copy.version for copy in world.sources), default=0) + 1, world.place_model)
        made = replace(made, created=world.now)
        copied = replace(world, sources=Rows({**world.sources, made: origin}))
        yield _moved(copied.ticked(), (made, *world.holders), made, f"copies {origin} there by hand, as {made}")
    for one in world.holders:
        yield _moved(world, tuple(v for v in world.holders if v != one), None, f"deletes {one} by hand")


def _moved(world: World, held: tuple[VersionId, ...], arrived: VersionId | None, said: str) -> Action:
    movers = world.truth.movers | ({(arrived, MOVER)} if arrived else frozenset())
    by_hand = world.truth.by_hand | ({arrived} if arrived else frozenset())
    truth = replace(world.truth, movers=movers, by_hand=by_hand)
    return Action(f"{MOVER} {said}", replace(world, holders=held, truth=truth))


def ask(world: World) -> Iterator[Action]:
    newest = world.on_record[0].request_id if world.on_record else None
    copied = world.request(newest).version if newest and world.setting.target.kind is TargetKind.MODEL else None
    for person in world.setting.askers:
        for wanted in world.there:
            if wanted in world.holders or wanted == copied:
                continue
            new = NewRequest(wanted, world.setting.target, Ask(AskKind.COMMAND), requester=person)
            changed, events, _ = open_new(world, new)
            if events:
                yield Action(f"{person} asks for {wanted}", changed.ticked(), tuple(events))
    yield from _own_up(world)


def _own_up(world: World) -> Iterator[Action]:
    """The person who moved a version by hand says so."""
    moved = {one for one, person in world.truth.movers if person == MOVER}
    for request in world.requests:
        if request.state.is_open and request.version in moved and request.version in world.holders:
            new = NewRequest(request.version, world.setting.target, Ask(AskKind.COMMAND), requester=MOVER)
            changed, events, _ = join(world, request.id, new)
            if events:
                yield Action(f"{MOVER} says who moved {request.version}", changed.ticked(), tuple(events))


def call_off(world: World) -> Iterator[Action]:
    for request in world.requests:
        if request.state is State.APPROVED:
            events = lifecycle.call_off(request, "cy", "it drifts", world.now)
            changed = judge_anew(call_off_intent(record(world, events), request.id), request)
            yield Action(f"cy calls {request.id} off", changed.ticked(), tuple(events))


def withdraw(world: World) -> Iterator[Action]:
    for request in world.requests:
        if request.kind is Kind.PROMOTION and request.state.is_open:
            events = lifecycle.withdraw(request, "it is not wanted any more", world.now)
            yield Action(f"{request.requester} withdraws {request.id}", record(world, events).ticked(), tuple(events))


def approve(world: World) -> Iterator[Action]:
    yield from _vote(world, Verdict.APPROVE)


def reject(world: World) -> Iterator[Action]:
    yield from _vote(world, Verdict.REJECT)


def _vote(world: World, verdict: Verdict) -> Iterator[Action]:
    rule = world.rule
    if rule is None:
        return
    for request in world.requests:
        for person in world.setting.voters if request.state is State.PENDING else ():
            vote = Vote(person, verdict, "because", world.now, ("leads",), "card")
            try:
                events = lifecycle.cast_vote(request, vote, rule, world.rule_hash())
            except Refused:
                continue
            said = f"{person} {verdict}s {request.id} ({request.kind} of {request.version})"
            changed = record(world, events)
            if verdict is Verdict.REJECT and request.kind is not Kind.OBSERVED:
                changed = judge_anew(changed, request)
            yield Action(said, changed.ticked(), tuple(events))


def go_back(world: World) -> Iterator[Action]:
    """As `handlers/request/rollbacks.py`: to the version that was approved before, or to the one that was replaced."""
    if not world.holders or world.rule is None:
        return
    facts = facts_of(world)
    held = world.holders[0]
    holder = held_as_asked(held, facts.about(held))
    decided = decided_here(world, holder.model)
    back_to = next((way for way in ways_back(holder, decided) if way in world.there), None)
    if back_to is None:
        return
    if any(one.kind is Kind.ROLLBACK for one in live(world, back_to)):
        return
    for one in live(world, back_to):
        world = _make_way(world, one)
    brought = brought_by(holder, decided)
    new = NewRequest(
        back_to, world.setting.target, Ask(AskKind.ROLLBACK), Kind.ROLLBACK, "ben", "it fails", away_from=holder
    )
    changed, events, _ = open_new(world, replace(new, follows=brought.id if brought else None))
    yield Action(f"ben goes back from {holder} to {back_to}", changed.ticked(), tuple(events))


def _make_way(world: World, overtaken: TransitionRequest) -> World:
    why = "the target is to go back to it now, by a rollback"
    world = record(world, lifecycle.withdraw(overtaken, why, world.now))
    if overtaken.state is not State.APPROVED:
        return world
    world = record(world, lifecycle.mark_stale(overtaken, why, StaleCause.OVERTAKEN, world.now))
    return judge_anew(call_off_intent(world, overtaken.id), overtaken)


def adopt(world: World) -> Iterator[Action]:
    for one in world.on_record:
        if one.request_id is None and world.rule is not None:
            new = NewRequest(one.version, world.setting.target, Ask(AskKind.ADOPTED), kind=Kind.OBSERVED)
            changed, events, _ = open_new(world, new)
            if events:
                yield Action(f"ben adopts {one.version}", changed.ticked(), tuple(events))


def freeze(world: World) -> Iterator[Action]:
    if not world.frozen:
        yield Action("a freeze begins", replace(world, frozen=True))


def change_policy(world: World) -> Iterator[Action]:
    """All approvals that wait, and all places, are looked at again, as `handlers/policy/activation.py` does."""
    for number, policy in enumerate(world.setting.policies):
        if number != world.policy:
            changed = replace(world, policy=number, mark=None)
            for one in world.requests:
                if one.state is State.APPROVED:
                    changed = defer(changed, "sync_target", one.id, move_lane(one.id))
            rule = policy.rules[0] if policy.rules else None
            yield Action(f"the policy changes to {_words(rule.observed, rule) if rule else 'no rule'}", changed)


def _words(observed: Observed, rule: object) -> str:
    approve = rule.approve  # type: ignore[attr-defined]
    return f"observed: {observed}, quorum {sum(one.quorum for one in approve.all_of)}"


def switch_off(world: World) -> Iterator[Action]:
    if world.switched_on:
        yield Action("ben switches the fast track off", replace(world, switched_on=False))


def register(world: World) -> Iterator[Action]:
    """The same content under another number."""
    new = version(len(world.there) + 1)
    yield Action(f"ana registers {new}", replace(world, there=(*world.there, new)))


OFFERS = {
    "hand": move_by_hand,
    "ask": ask,
    "withdraw": withdraw,
    "approve": approve,
    "reject": reject,
    "call": call_off,
    "back": go_back,
    "adopt": adopt,
    "freeze": freeze,
    "policy": change_policy,
    "switch": switch_off,
    "register": register,
}
