"""The bot's effects, cut into their real steps, with the world free to change between any two of them.

The order of steps is that of `handlers/registry/apply.py`, `settling.py` and `handlers/request/evidence.py`; every choice is made by the
domain functions that they call. A step returns the world after it, and the job as it goes on, None when it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.attestation.decision import verdict_of
from bot.domain.events import DecisionSigned, Event, MoveReverted
from bot.domain.model import DECISION, Kind, StaleCause, State, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.freezes import freeze_on
from bot.domain.registry import arrivals, custody, decided, steps
from bot.domain.registry.facts import Facts, Intent, copies_of
from bot.domain.registry.steps import Guard
from bot.domain.request import lifecycle
from bot.engine.lanes import Lane
from handlers.registry import settling
from handlers.request import guard as guards
from tests.model import evidence, looking
from tests.model.opening import open_new
from tests.model.rows import close_intent, close_intents, is_open, judge_anew, place_ours, put_intent
from tests.model.world import LOOK_AT, RESTORE_TARGET, Job, World, defer, facts_of, record
from tests.model.writing import Write, apply_write, change_for


@dataclass(frozen=True)
class Done:
    """`job`: how it goes on; None when it is done. `said`: the step in words."""

    world: World
    job: Job | None
    said: str
    events: tuple[Event, ...] = ()
    writes: tuple[Write, ...] = ()


@dataclass(frozen=True)
class Rule:
    """What the guard asks a transaction for."""

    world: World

    @property
    def switches(self) -> Rule:
        return self

    def policy(self) -> Any:
        return self.world.rules

    def fast_track_is_on(self, *, lock: bool = False) -> bool:
        return self.world.switched_on


def run(world: World, job: Job) -> Done:
    """The next step of a job."""
    return STEPS[job.effect, job.phase](world, job)


def why_not_now(world: World, request: TransitionRequest) -> str:
    return guards.why_not_now(request, Rule(world), lock=True)  # type: ignore[arg-type]


def freeze_now(world: World, request: TransitionRequest) -> Any:
    return freeze_on(request, world.rules, world.now)


def is_in_force(request: TransitionRequest) -> bool:
    return request.state is State.APPROVED


# sync_target


def begin(world: World, job: Job) -> Done:
    request = world.request(job.subject)
    if request.state in (State.APPROVED, State.REJECTED) and request.attested_at is None:
        return Done(defer(world, "sign", request.id, f"{Lane.EVIDENCE}:{request.id}"), None, "it is not signed yet")
    is_put_back = request.state is State.REJECTED and request.kind is Kind.OBSERVED
    if request.settled_at is not None or not (request.state is State.APPROVED or is_put_back):
        return Done(world, None, "nothing is to be done")
    facts = facts_of(world)
    step = decided.next_step(request, facts, None)
    if not isinstance(step, steps.CheckGuard):
        return _chosen(world, job, request, facts, None, step)
    reading = replace(job, phase="decide", memo=(request, why_not_now(world, request)))
    if reading.memo[1]:
        return decide(world, reading)
    return Done(world, reading, "reads the artifacts, while others have their turn")


def decide(world: World, job: Job) -> Done:
    """As after `handlers.request.guard.read_guard`; the model's artifacts never change."""
    request, objection = job.memo
    freeze = freeze_now(world, request)
    guard = Guard(objection, StaleCause.UNKNOWN, freeze.name, freeze.until) if freeze else Guard(objection)
    facts = facts_of(world)
    return _chosen(world, job, request, facts, guard, decided.next_step(request, facts, guard))


def _chosen(
    world: World, job: Job, request: TransitionRequest, facts: Facts, guard: Guard | None, step: steps.Step
) -> Done:
    if isinstance(step, steps.Nothing):
        return Done(world, None, f"reads the place: nothing, {step.why}")
    memo = (request, facts, guard, step)
    return Done(world, replace(job, phase="act", memo=memo), f"reads the place and decides to {_name(step)}")


def act(world: World, job: Job) -> Done:
    request, facts, _, step = job.memo
    if isinstance(step, steps.Move):
        return _announce(world, job, request, step.from_version, request.version.version, is_put_back=False)
    if isinstance(step, steps.PutBack) and step.how is not steps.How.DENY:
        to = step.to.version if step.to else None
        return _announce(world, job, request, step.away_from, to, is_put_back=True)
    return carry_out(step, request, facts, world, job)


def _announce(
    world: World,
    job: Job,
    request: TransitionRequest,
    holder: VersionId | None,
    leads_to: int | None,
    *,
    is_put_back: bool,
) -> Done:
    is_copy = request.target.kind is TargetKind.MODEL
    to = leads_to if is_put_back or not is_copy else None
    number = holder.version if holder else None
    intent = Intent(request.id, "default", world.place_model, request.target, number, to, world.now)
    locked, going_on = world.request(request.id), replace(job, phase="write")
    refusal = "" if is_put_back else why_not_now(world, locked)
    has_begun = is_put_back or is_open(world, request.id)
    freeze = None if has_begun else freeze_now(world, locked)
    if not is_put_back and not is_in_force(locked):
        return Done(world, None, "finds that it was ended meanwhile")
    if not refusal and freeze is None:
        return Done(put_intent(world, intent), going_on, "commits its intent")
    events = lifecycle.hold(locked, freeze.name, freeze.until, world.now) if freeze and not refusal else []
    world = close_intent(record(world, events).ticked(), request.id)
    if refusal:
        return go_stale(world, request, refusal, reopen=True)
    return Done(world, None, "holds it, for a freeze has begun", tuple(events))


def write(world: World, job: Job) -> Done:
    """What is still to be done of it, one change of the registry a step."""
    request, facts, guard, step = job.memo
    reread = replace(job, phase="reread")
    change = change_for(world, request, facts, step)
    if change is None:
        return Done(world, reread, "has nothing left to change")
    changed = apply_write(world, change)
    again = job if world.setting.target.kind is TargetKind.STAGE and change.kind == "set" else reread
    memo = (request, replace(facts, holders=changed.holders), guard, step) if again is job else job.memo
    return Done(changed, replace(again, memo=memo), f"{change.kind}s {change.version or ''}", (), (change,))


def reread(world: World, job: Job) -> Done:
    request, _, guard, _ = job.memo
    facts = facts_of(world)
    step = decided.next_step(request, facts, guard)
    if isinstance(step, steps.Move | steps.PutBack):
        return Done(
            world, replace(job, phase="", memo=()), "reads back, does not find its change and tries again later"
        )
    memo = (request, facts, guard, step)
    return Done(world, replace(job, phase="conclude", memo=memo), f"reads back and decides to {_name(step)}")


def conclude(world: World, job: Job) -> Done:
    request, facts, _, step = job.memo
    return carry_out(step, request, facts, world, job)


def carry_out(step: steps.Step, request: TransitionRequest, facts: Facts, world: World, job: Job) -> Done:
    match step:
        case steps.GoStale():
            return go_stale(world, request, step.why, reopen=step.reopen)
        case steps.Wait():
            events = lifecycle.hold(world.request(request.id), step.freeze, step.until, world.now)
            world = close_intent(record(world, events).ticked(), request.id)
            return Done(world, None, "waits for the freeze to end", tuple(events))
        case steps.Settle():
            return settle(world, request, facts, moved=step.moved)
        case steps.PutBack():
            change = Write("tag", step.away_from, request.id)
            denied = replace(world, denied=world.denied | {step.away_from})
            return record_put_back(denied, request, facts, moved=False, denied=True, writes=(change,))
        case steps.LeaveIt():
            return record_put_back(world, request, facts, moved=step.moved)
        case steps.CallPeople():
            return Done(replace(world, parked=(*world.parked, (job.effect, job.subject))), None, "calls people")
    return Done(world, None, "has nothing to do any more")


def settle(world: World, request: TransitionRequest, facts: Facts, *, moved: bool) -> Done:
    is_copied = request.target.kind is TargetKind.MODEL and request.kind is not Kind.OBSERVED
    copies = copies_of(request, facts) if is_copied else ()
    ours = copies or (request.version,)
    locked = world.request(request.id)
    if not is_in_force(locked):
        return Done(close_intent(world, request.id).ticked(), None, "finds that it was ended meanwhile")
    refusal = "" if moved else why_not_now(world, locked)
    if refusal:
        return go_stale(world, request, refusal, reopen=True)
    previous = settling.previous_of(request)
    besides = tuple(held for held in facts.seen if moved and held not in (*facts.holders, previous))
    events: list[Event] = [] if moved else [*moved_by_hand(request, facts, ours, world)]
    events += lifecycle.apply(locked, previous, world.now, moved=moved, besides=besides, copies=copies)
    stay = ours if moved and request.target.kind is TargetKind.STAGE else facts.holders
    world = place_ours(record(world, events), stay, ours, request.id)
    return Done(close_intents(world).ticked(), None, "settles it", tuple(events))


def moved_by_hand(
    request: TransitionRequest, facts: Facts, ours: tuple[VersionId, ...], world: World
) -> Sequence[Event]:
    return settling._moved_by_hand(request, facts, ours, world.now)


def record_put_back(
    world: World,
    request: TransitionRequest,
    facts: Facts,
    *,
    moved: bool,
    denied: bool = False,
    writes: tuple[Write, ...] = (),
) -> Done:
    found = custody.custody_of(facts)
    holder = request.version if denied else (facts.holders[0] if facts.holders else None)
    back = found.of(holder) if holder and not denied else None
    events = lifecycle.put_back(world.request(request.id), holder, world.now, moved=moved)
    world = record(world, events)
    is_lawful = back is not None and back.basis.is_lawful
    if moved and (is_lawful or not facts.holders):
        ours = (back.version,) if back else ()
        world = place_ours(world, facts.holders, ours, back.request_id if back else None)
    elif not denied and request.version not in facts.holders:
        world = place_ours(world, facts.holders, (), None)
    world = close_intents(world) if moved else close_intent(world, request.id)
    return Done(world.ticked(), None, "records that it was put back" if moved else "leaves it", tuple(events), writes)


def go_stale(world: World, request: TransitionRequest, why: str, *, reopen: bool) -> Done:
    events = lifecycle.mark_stale(world.request(request.id), why, StaleCause.UNKNOWN, world.now)
    world = close_intent(record(world, events), request.id)
    if request.kind is not Kind.OBSERVED:
        world = judge_anew(world, request)
    if reopen and events and world.rule is not None:
        world, more, _ = open_new(world, lifecycle.reopened(request))
        events = [*events, *more]
    return Done(world.ticked(), None, f"gives it up: {why}", tuple(events))


# restore_target


def restoring(world: World, job: Job) -> Done:
    intent = _restore_intent(world, job)
    if intent is None:
        return Done(world, None, "the restore was called off")
    facts = facts_of(world)
    step = arrivals.step_for_restore(intent, facts)
    phase = "act" if isinstance(step, steps.Restore) and job.phase == "" else "conclude"
    if isinstance(step, steps.Restore) and job.phase == "reread":
        return Done(
            world, replace(job, phase="", memo=()), "reads back, does not find its change and tries again later"
        )
    return Done(world, replace(job, phase=phase, memo=(facts, step)), f"reads the place and decides to {_name(step)}")


def give_back(world: World, job: Job) -> Done:
    _, step = job.memo
    change = Write("set", step.to, job.subject)
    return Done(apply_write(world, change), replace(job, phase="reread", memo=()), f"sets {step.to}", (), (change,))


def conclude_restore(world: World, job: Job) -> Done:
    facts, step = job.memo
    if not isinstance(step, steps.Settle):
        return Done(close_intent(world, job.subject), None, "calls the restore off")
    if not is_open(world, job.subject):
        return Done(world, None, "another has settled it")
    (lawful,) = facts.holders
    holding = custody.custody_of(facts).of(lawful)
    world = place_ours(close_intents(world), (lawful,), (lawful,), holding.request_id if holding else None)
    event = MoveReverted(world.now, "default", world.setting.target, world.place_model, lawful)
    return Done(world.ticked(), None, "records that the target was given back", (event,))


def _restore_intent(world: World, job: Job) -> Intent | None:
    found = (one for one in world.intents if one.request_id == job.subject and one.done_at is None)
    return next(found, None)


# sign and look


def sign(world: World, job: Job) -> Done:
    request = world.request(job.subject)
    is_due = request.attested_at is None and verdict_of(request) is not None
    events: list[Event] = [DecisionSigned(world.now, request.id, DECISION, "", "key", "digest")] if is_due else []
    return Done(record(world, events).ticked(), None, "signs the decision", tuple(events))


def look(world: World, job: Job) -> Done:
    return Done(world, replace(job, phase="record", memo=(world.holders,)), f"reads the place: {_held(world.holders)}")


def record_look(world: World, job: Job) -> Done:
    changed, events = looking.record_look(world, *job.memo)
    names = ", ".join(type(event).__name__ for event in events) or "no news"
    return Done(changed, None, f"records {names}", tuple(events))


def _held(holders: tuple[VersionId, ...]) -> str:
    return ", ".join(map(str, holders)) or "no one holds it"


def _name(step: steps.Step) -> str:
    text = f"{type(step).__name__}"
    to = getattr(step, "to", None) or getattr(step, "why", "")
    return f"{text} ({to})" if to else text


STEPS = {
    ("sync_target", ""): begin,
    ("sync_target", "decide"): decide,
    ("sync_target", "act"): act,
    ("sync_target", "write"): write,
    ("sync_target", "reread"): reread,
    ("sync_target", "conclude"): conclude,
    (RESTORE_TARGET, ""): restoring,
    (RESTORE_TARGET, "act"): give_back,
    (RESTORE_TARGET, "reread"): restoring,
    (RESTORE_TARGET, "conclude"): conclude_restore,
    ("sign", ""): sign,
    (LOOK_AT, ""): look,
    (LOOK_AT, "record"): record_look,
    ("freeze_evidence", ""): evidence.collect,
}
