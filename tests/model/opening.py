"""How a request is opened or joined, as `handlers/request/asking.py` and `memory.py` do it with the functions of the domain."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.events import Event
from bot.domain.model import Evidence, State, TransitionRequest, VersionId
from bot.domain.registry.facts import is_a_no, when
from bot.domain.request import lifecycle, opening
from bot.domain.request.content import content_of
from bot.domain.request.lifecycle import NewRequest
from bot.domain.request.rollback import failure_of
from tests.model.world import World, live, record

Opened = tuple[World, list[Event], str]


def open_new(world: World, new: NewRequest) -> Opened:
    """The world, what happened, and the id of the request; an empty one where no rule covers the target."""
    found = live(world, new.version)
    if found:
        return join(world, found[0].id, new)
    rule = world.rule
    if rule is None:
        return world, [], ""
    new = replace(new, failed_before=failure_of(new.version, decided_here(world, new.version.model)))
    opened = lifecycle.open_request(
        with_memory(new, world), f"r{len(world.requests) + 1}", rule, world.rule_hash(), world.now
    )
    world = record(world, [opened])
    request = world.request(opened.request_id)
    others = [one for one in world.requests if one.state.is_open and one.version.model == new.version.model]
    newest = max((one for one in others if one.kind is new.kind), key=lambda one: one.version.version)
    events = lifecycle.supersede(request, newest, world.now) if new.ask.is_automatic else []
    if not events:
        events = [event for one in others for event in lifecycle.supersede(one, request, world.now)]
    return record(world, events), [opened, *events], request.id


def join(world: World, request_id: str, new: NewRequest) -> Opened:
    if new.requester is None:
        return world, [], request_id
    in_force = (world.rule, world.rule_hash()) if world.rule else None
    request = world.request(request_id)
    events = lifecycle.join(request, new.requester, new.ask, new.comment, world.now, under_rule=in_force)
    return record(world, events), events, request_id


def with_memory(new: NewRequest, world: World) -> NewRequest:
    """All requests of the world are for one target, and each person has one id."""
    earlier = [one for one in world.requests if one.version == new.version]
    people = {person for one in earlier for person in opening.remembered(one, new.kind)}
    return replace(new, barred=tuple(sorted({*new.barred, *people} - {new.requester, *new.joined})))


def alike(world: World, evidence: Evidence) -> list[TransitionRequest]:
    wanted = content_of(evidence)
    known = [(one, content_of(one.evidence)) for one in world.requests]
    return [one for one, content in known if {content.digest, content.origin} & {wanted.digest, wanted.origin} - {""}]


def barred_by(
    request: TransitionRequest, earlier: list[TransitionRequest], authors: set[str], world: World
) -> tuple[str, ...]:
    people = {person for one in earlier if one.id != request.id for person in opening.remembered(one, request.kind)}
    return tuple(sorted(people - authors))


def decided_here(world: World, model: str) -> tuple[TransitionRequest, ...]:
    """What was applied for the target, or rejected by people, as it was settled."""
    counted = [one for one in world.requests if one.version.model == model and _counts(one)]
    return tuple(sorted(counted, key=when))


def lot_of(request: TransitionRequest, world: World) -> str:
    same = [one for one in world.requests if one.version == request.version]
    if request.evidence is not None:
        same += alike(world, request.evidence)
    return min(same, key=lambda one: (one.opened_at, one.id)).id


def held_as_asked(held: VersionId, facts_about: tuple[TransitionRequest, ...]) -> VersionId:
    """A copy in a target model, named by the version that a request had asked for."""
    return next((one.version for one in reversed(facts_about) if held in one.copies), held)


def _counts(request: TransitionRequest) -> bool:
    return request.state is State.APPLIED or is_a_no(request)
