"""Planted bugs: each swaps one function of the domain, or one of the steps that use it, and has to be found in one of the worlds named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.model import Ask, AskKind, State, TransitionRequest, VersionId
from bot.domain.registry import arrivals, custody, decided, steps
from bot.domain.registry.facts import Facts, intent_of, when
from bot.domain.request import lifecycle, quorum
from bot.domain.request.lifecycle import NewRequest
from tests.model import effects, evidence, looking, opening, people, rows
from tests.model import steps as model_steps
from tests.model.effects import Done
from tests.model.explorer import Found, explore
from tests.model.settings import OPEN, WORLDS
from tests.model.world import Job, World


@dataclass(frozen=True)
class Mutant:
    """`swaps`: what takes the place of which name in which module. `within`: parts of the names of worlds that show it.

    `is_quick`: found within some 1,500 states.
    """

    name: str
    swaps: tuple[tuple[Any, str, Any], ...]
    within: tuple[str, ...]
    is_quick: bool = True


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in mutant.swaps]
    steps_before = dict(effects.STEPS)
    try:
        for owner, name, bug in mutant.swaps:
            _rewire(getattr(owner, name), bug)
            setattr(owner, name, bug)
        yield
    finally:
        for owner, name, right in before:
            setattr(owner, name, right)
        effects.STEPS.update(steps_before)


def _rewire(right: Any, bug: Any) -> None:
    """A step that is looked up in the table is swapped there as well."""
    for key, step in effects.STEPS.items():
        if step is right:
            effects.STEPS[key] = bug


def _no_refusal(world: World, request: TransitionRequest) -> str:
    return ""


def _no_baseline(version: VersionId, facts: Facts) -> bool:
    return False


def _no_freeze(world: World, request: TransitionRequest) -> None:
    return None


def _freeze_for_all(world: World, request: TransitionRequest) -> Any:
    return next((one for one in map(_as_freeze(world), world.rules.freezes) if one.until is not None), None)


def _as_freeze(world: World) -> Callable[[Any], Any]:
    return lambda freeze: _Frozen(freeze.name, freeze.until(world.now))


@dataclass(frozen=True)
class _Frozen:
    name: str
    until: Any


def _unannounced(world: World, intent: Any) -> World:
    return world


def _no_read_back(world: World, job: Job) -> Done:
    """Takes for granted that its change is there."""
    request, facts, guard, step = job.memo
    settled = steps.LeaveIt(moved=True) if isinstance(step, steps.PutBack) else steps.Settle(moved=True)
    memo = (request, facts, guard, settled)
    return Done(world, replace(job, phase="conclude", memo=memo), "does not read back")


def _none_later(request: TransitionRequest, facts: Facts) -> None:
    return None


def _no_history(version: VersionId, facts: Facts) -> bool:
    return False


def _deletes_all(request: TransitionRequest, facts: Facts) -> steps.Step:
    if request.version not in facts.holders:
        return steps.LeaveIt(moved=intent_of(request, facts) is not None)
    return steps.PutBack(request.version, None, steps.How.DELETE)


def _any_holder(request: TransitionRequest, world: World) -> tuple[VersionId | None, VersionId | None]:
    found = world.holders[0] if world.holders else None
    return found, found


def _asked_since(request: TransitionRequest, facts: Facts) -> bool:
    return False


def _forgets_the_move(world: World, job: Job) -> Done:
    """Marks it as done before it is done, so that a crash in between loses it."""
    done = _act(world, job)
    if done.job is not None and isinstance(job.memo[3], steps.Move):
        request, facts, _, _ = job.memo
        settled = effects.settle(done.world, request, facts, moved=True)
        return replace(settled, job=done.job)
    return done


_act = effects.act


def _no_longer_reopened(world: World, request: TransitionRequest, why: str, *, reopen: bool) -> Done:
    return Done(rows.close_intent(world, request.id), None, f"drops it: {why}")


def _way_back_to_anyone(version: VersionId, facts: Facts) -> VersionId | None:
    return next((one for one in sorted(facts.there, reverse=True) if one != version), None)


def _lawful_in_any_case(facts: Facts) -> list[VersionId]:
    held: list[VersionId] = []
    for one in sorted(facts.decisions, key=when):
        if one.state is State.APPLIED:
            held = [*(version for version in held if version != one.version), one.version]
    return held


def _forgets_who_asked(stale: TransitionRequest) -> NewRequest:
    return replace(_reopened(stale), requester=None, joined=(), barred=())


_reopened = lifecycle.reopened


def _silent(version: VersionId, previous: VersionId | None, facts: Facts, now: Any) -> steps.Step:
    found = _arrival(version, previous, facts, now)
    return steps.Nothing() if isinstance(found, steps.Report) else found


_arrival = arrivals.step_for_arrival


def _puts_adopted_back(request: TransitionRequest, facts: Facts) -> steps.Step:
    return _put_back(replace(request, ask=Ask(AskKind.OBSERVED), adopted=False), facts)


_put_back = decided._put_back


def _lost(world: World, job: Job) -> Done:
    """Takes an open intent for a move that was made, so that a crash in between loses it."""
    if rows.is_open(world, job.subject):
        return Done(world, None, "takes it for done")
    return _begin(world, job)


_begin = effects.begin


def _no_memory(new: NewRequest, world: World) -> NewRequest:
    return new


def _no_one_barred(request: TransitionRequest, earlier: Any, authors: Any, world: World) -> tuple[str, ...]:
    return ()


def _no_objections(request: TransitionRequest, earlier: Any, world: World) -> tuple[Any, ...]:
    return ()


def _is_unknown(request: TransitionRequest) -> bool:
    return quorum.author_is_unknown(request)


def _always_in_force(request: TransitionRequest) -> bool:
    return True


def _free_for_all(world: World) -> bool:
    return False


def _stays_on_record(world: World, request: TransitionRequest) -> World:
    return world


def _silent_settling(request: TransitionRequest, facts: Facts, ours: Any, world: World) -> tuple[Any, ...]:
    return ()


def _keeps_the_mark(world: World, holders: Any, ours: Any, request_id: str | None) -> World:
    return replace(_place_ours(world, holders, ours, request_id), mark=world.mark)


_place_ours = rows.place_ours


def _leaves_it_open(world: World, request_id: str) -> World:
    return world


def _takes_all_for_baseline(world: World, seen: Any) -> Any:
    changed, events, begun = _bring_up_to_date(world, seen)
    return changed, events, replace(begun, is_first=begun.is_first or begun.under is not None)


_bring_up_to_date = looking._bring_up_to_date


def find(mutant: Mutant, *, states: int, depth: int = 60) -> Found | None:
    """What the explorer finds with the bug planted; None when it finds nothing in any of the worlds."""
    for world in WORLDS:
        if any(part in world.setting.name for part in mutant.within):
            with planted(mutant):
                found = explore(world, states=states, depth=depth, open_laws=OPEN)
            if found.violations:
                return found
    return None


GUARDS = ((effects, "why_not_now", _no_refusal),)
NO_BASELINE = ((custody, "_is_baseline", _no_baseline), (arrivals, "may_hold", _no_history))
UNSEEN = ((decided, "_put_back", _puts_adopted_back), (decided, "_put_back_copy", _deletes_all))
FORGETFUL = (
    (lifecycle, "reopened", _forgets_who_asked),
    (opening, "with_memory", _no_memory),
    (opening, "barred_by", _no_one_barred),
)
UNJUDGED = ((effects, "judge_anew", _stays_on_record), (people, "judge_anew", _stays_on_record))
HELD, TURN = "small: two held", "alias, two approved"
MUTANTS = (
    Mutant("the guard is skipped when a move by hand is settled", GUARDS, (HELD,)),
    Mutant("baseline is ignored", NO_BASELINE, ("put back by the rule",)),
    Mutant("a freeze is ignored", ((effects, "freeze_now", _no_freeze),), (HELD,)),
    Mutant("a freeze holds ways back", ((effects, "freeze_now", _freeze_for_all),), ("back in a freeze",)),
    Mutant(
        "no intent is committed before the write", ((effects, "put_intent", _unannounced),), (HELD,), is_quick=False
    ),
    Mutant("the change is not read back", ((effects, "reread", _no_read_back),), ("content rejected",)),
    Mutant("an older approval is applied after a newer one", ((decided, "_approved_later", _none_later),), (HELD,)),
    Mutant("a copy of what was approved is deleted", ((decided, "ever_approved", _no_history),), ("copies of v1",)),
    Mutant(
        "a copy is deleted although no rule says so", ((decided, "_put_back_copy", _deletes_all),), ("copies of v1",)
    ),
    Mutant("a copy is deleted that was not seen to arrive", UNSEEN, ("copies adopted",), is_quick=False),
    Mutant("a rejected adopted holder is moved", UNSEEN[:1], ("small: adopted",)),
    Mutant("the champion is any holder", ((evidence, "_champion", _any_holder),), ("fast track",)),
    Mutant(
        "a put-back comes after a newer approval",
        ((decided, "_asked_since", _asked_since),),
        ("approved meanwhile",),
        is_quick=False,
    ),
    Mutant(
        "a crash between the intent and the record loses the move",
        ((effects, "begin", _lost),),
        ("put back or",),
        is_quick=False,
    ),
    Mutant("a move is recorded before it is made", ((effects, "act", _forgets_the_move),), ("empty target",)),
    Mutant("a decision is dropped when the world has changed", ((effects, "go_stale", _no_longer_reopened),), (HELD,)),
    Mutant("the way back is any version", ((decided, "way_back_from", _way_back_to_anyone),), ("v2 rejected",)),
    Mutant("what people rejected counts as lawful", ((custody, "_history", _lawful_in_any_case),), ("v2 rejected",)),
    Mutant(
        "a reopened request forgets who asked",
        FORGETFUL,
        ("small: reopened",),
    ),
    Mutant("who asked before is forgotten", FORGETFUL[1:], ("asked before",)),
    Mutant(
        "a move by hand needs no more votes than asking",
        ((quorum, "requester_is_unknown", _is_unknown),),
        ("who moved",),
    ),
    Mutant("content that people rejected passes", ((evidence, "objections", _no_objections),), ("content rejected",)),
    Mutant("content that was called off passes", ((evidence, "objections", _no_objections),), ("passed before",)),
    Mutant(
        "an approval that was called off is applied", ((effects, "is_in_force", _always_in_force),), ("called off",)
    ),
    Mutant("looks and moves do not take turns", ((model_steps, "is_taken", _free_for_all),), ("moved meanwhile",)),
    Mutant("what an ended approval left is not judged", UNJUDGED, ("called off",)),
    Mutant(
        "a settled move by hand is not recorded",
        ((effects, "moved_by_hand", _silent_settling),),
        ("small: called off",),
    ),
    Mutant("the place is not looked at after a restore", ((effects, "place_ours", _keeps_the_mark),), ("emptied",)),
    Mutant(
        "a rollback leaves the announcement of what it ends",
        ((people, "call_off_intent", _leaves_it_open),),
        ("back by votes",),
    ),
    Mutant(
        "a stricter rule hides what came before it",
        ((looking, "_bring_up_to_date", _takes_all_for_baseline),),
        ("a stricter rule",),
    ),
    Mutant(
        "a move by hand to an approved version is not recorded",
        ((arrivals, "step_for_arrival", _silent),),
        (TURN,),
        is_quick=False,
    ),
)
