"""All that can happen next in a world: to the bot's jobs, on two workers, and by people; and what has truly happened with it.

Looks and moves take turns with the model, as in `bot/engine/turns.py`: only the reading of artifacts lets others have theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bot.domain.events import (
    AskJoined,
    Event,
    MoveObserved,
    RequestApproved,
    RequestOpened,
    TargetMoved,
)
from bot.domain.model import State, TransitionRequest, VersionId
from bot.domain.registry.facts import Handling
from bot.domain.registry.watch_events import WatchBegun
from bot.domain.request import lifecycle
from tests.model import effects, people
from tests.model.world import LOOK_AT, RESTORE_TARGET, Job, Truth, World, defer, marked, record
from tests.model.writing import Write

WORKERS = 2
TAKE_TURNS = ("sync_target", RESTORE_TARGET, LOOK_AT)
WITHOUT_A_TURN = ("", "decide")  # phases before which a job has no turn, and takes it


@dataclass(frozen=True)
class Happened:
    """One step. `job`: whose step it was, None when people or the clock did it."""

    said: str
    before: World
    after: World
    events: tuple[Event, ...] = ()
    writes: tuple[Write, ...] = ()
    job: Job | None = None


def everything(world: World) -> Iterator[Happened]:
    """The bot's own steps first. A signature comes at once: what happens before it might as well happen after it."""
    signing = next((step for step in by_the_bot(world) if step.job and step.job.effect == "sign"), None)
    if signing is not None:
        yield signing
        return
    yield from by_the_bot(world)
    yield from _crashes(world)
    for action in people.actions(world):
        yield seen(Happened(action.said, world, action.world, action.events))


def by_the_bot(world: World) -> Iterator[Happened]:
    running = sum(1 for job in world.jobs if job.phase)
    lanes: set[str] = set()
    for place, job in enumerate(world.jobs):
        if job.lane not in lanes and (job.phase or running < WORKERS) and may_run(job, world):
            done = effects.run(without(world, place), job)
            changed = done.world if done.job is None else _put(done.world, done.job, place)
            what = f"{job.effect} {job.subject}".strip()
            yield seen(Happened(f"{what}: {done.said}", world, changed, done.events, done.writes, job))
        lanes.add(job.lane)
    yield from _by_the_clock(world)


def may_run(job: Job, world: World) -> bool:
    """It has its turn with the model, takes it now, or needs none."""
    return job.effect not in TAKE_TURNS or job.phase not in WITHOUT_A_TURN or not is_taken(world)


def is_taken(world: World) -> bool:
    return any(job.effect in TAKE_TURNS and job.phase not in WITHOUT_A_TURN for job in world.jobs)


def is_quiet(world: World) -> bool:
    return next(by_the_bot(world), None) is None


def without(world: World, place: int) -> World:
    return replace(world, jobs=(*world.jobs[:place], *world.jobs[place + 1 :]))


def _put(world: World, job: Job, place: int) -> World:
    return replace(world, jobs=(*world.jobs[:place], job, *world.jobs[place:]))


def _by_the_clock(world: World) -> Iterator[Happened]:
    awaited = any(job.effect == LOOK_AT and not job.phase for job in world.jobs)
    if not awaited and _is_news(world):
        yield _sweep(world)
    events = [event for one in world.requests if one.frozen_until for event in _thaw(one, world)]
    if events:
        yield seen(Happened("the clock applies what the freeze held", world, record(world, events), tuple(events)))


def _sweep(world: World) -> Happened:
    """A look whose turn it is begins at once: it sees what there is when it begins, whenever it was asked for."""
    asked = defer(world, LOOK_AT, "", world.looks)
    if is_taken(world) or any(job.lane == world.looks for job in world.jobs):
        return Happened("a sweep asks for a look", world, asked)
    done = effects.look(world, asked.jobs[-1])
    reading = _put(world, done.job, len(world.jobs)) if done.job else world
    return Happened(f"a sweep asks for a look, which {done.said}", world, reading)


def _thaw(request: TransitionRequest, world: World) -> list[Event]:
    freeze = effects.freeze_now(world, request)
    if freeze is None:
        return lifecycle.thaw(request, world.now)
    return lifecycle.hold(request, freeze.name, freeze.until, world.now)


def _is_news(world: World) -> bool:
    """A look would find something, and a sweep sees that one is due: by the fingerprint, or because a request is open."""
    is_awaited = any(one.state.is_open and one.version.model == world.place_model for one in world.requests)
    if world.mark == marked(world, world.holders) and not is_awaited:
        return False
    if tuple(one.version for one in world.on_record) != world.holders or world.on_record != world.placements:
        return True
    handling = Handling(world.rule.observed) if world.rule else None
    return handling != (world.watch.handling if world.watch else None)


def _crashes(world: World) -> Iterator[Happened]:
    if not world.may("crash"):
        return
    for place, job in enumerate(world.jobs):
        if job.phase:
            again = replace(job, phase="", memo=())
            crashed = _put(without(world, place), again, place).spend("crash")
            yield Happened(f"the worker dies before the {job.phase} of {job.effect} {job.subject}", world, crashed)


def seen(step: Happened) -> Happened:
    """Keeps the truth up to date."""
    truth, after = step.after.truth, step.after
    for event in step.events:
        truth = _told(truth, event, after)
    held = frozenset(after.holders)
    known = held | {one.version for one in after.placements}
    truth = replace(truth, rooted=truth.rooted & held, told=truth.told & known)
    ours = {write.version for write in step.writes if write.kind in ("set", "copy")}
    movers = frozenset(one for one in truth.movers if one[0] not in ours)
    return replace(step, after=replace(after, truth=replace(truth, movers=movers)))


def _told(truth: Truth, event: Event, after: World) -> Truth:
    if isinstance(event, RequestApproved):
        return replace(truth, approved=truth.approved | {after.request(event.request_id).version})
    if isinstance(event, TargetMoved):
        return replace(truth, approved=truth.approved | {event.version, *event.copies})
    if isinstance(event, MoveObserved) and event.version is not None:
        return replace(truth, told=truth.told | {event.version})
    if isinstance(event, WatchBegun):
        return replace(truth, rooted=frozenset(after.holders) & frozenset(_holders(event)))
    if isinstance(event, RequestOpened) and event.requester:
        return replace(truth, asked=truth.asked | {(event.version, event.requester, event.request_id, event.at)})
    if isinstance(event, AskJoined):
        version = after.request(event.request_id).version
        return replace(truth, asked=truth.asked | {(version, event.person, event.request_id, event.at)})
    return truth


def _holders(event: WatchBegun) -> tuple[VersionId, ...]:
    return event.holders


def unsettled(world: World) -> list[str]:
    """Approvals that wait for nothing and are not applied."""
    parked = {subject for _, subject in world.parked}
    return [
        one.id
        for one in world.requests
        if one.state is State.APPROVED and one.id not in parked and not (one.frozen_until and world.frozen)
    ]
