"""Breadth-first through all states that can be reached, the shortest story of each violation first.

Of the checkers that can be installed, none is bounded by depth, looks at steps as well as at states, and says of a search that did not
finish what it has found so far, which is all that an unbounded world allows; so these few lines.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.model import laws
from tests.model.steps import by_the_bot, everything
from tests.model.world import World

PATIENCE = 60  # steps of the bot alone within which it must come to rest


@dataclass(frozen=True)
class Violation:
    law: str
    why: str
    story: tuple[str, ...]


@dataclass
class Found:
    """`finished`: every state was seen; else the search is bounded by `depth` or by the number of states."""

    name: str
    states: int = 0
    transitions: int = 0
    depth: int = 0
    quiet: int = 0
    finished: bool = True
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)


Parents = dict[World, tuple[World, str] | None]


def explore(
    start: World,
    *,
    depth: int = 60,
    states: int = 10_000,
    open_laws: Iterable[str] = (),
    is_enough: Callable[[Found], bool] = lambda found: bool(found.violations),
) -> Found:
    """Stops when `is_enough`; `open_laws` are not looked at."""
    began, found = time.process_time(), Found(start.setting.name)
    skipped = frozenset(open_laws)
    parents: Parents = {start: None}
    at_rest: set[World] = set()
    queue = deque([(start, 0)])
    while queue and not is_enough(found):
        world, deep = queue.popleft()
        found.depth = max(found.depth, deep)
        if deep >= depth:
            found.finished = False
            continue
        for step in everything(world):
            found.transitions += 1
            broken = [one for one in laws.broken_by(step) if one[0] not in skipped]
            for law, why in broken:
                found.violations.append(Violation(law, why, (*_story(world, parents), step.said)))
            if step.after in parents or broken:
                continue
            if len(parents) >= states:
                found.finished = False
                queue.clear()
                break
            parents[step.after] = (world, step.said)
            queue.append((step.after, deep + 1))
        _come_to_rest(world, parents, at_rest, skipped, found)
    found.finished = found.finished and not queue
    found.states, found.seconds = len(parents), time.process_time() - began
    return found


def _come_to_rest(world: World, parents: Parents, at_rest: set[World], skipped: frozenset[str], found: Found) -> None:
    """From each state the bot alone comes to rest, and what it leaves there is lawful, or people know."""
    told: list[str] = []
    on_the_way: list[World] = []
    seen: set[World] = set()
    while world not in at_rest:
        if world in seen or len(told) > PATIENCE:
            story = (*_story(on_the_way[0], parents), *told)
            found.violations.append(Violation("the bot comes to rest", "it goes on without an end", story))
            return
        seen.add(world)
        on_the_way.append(world)
        step = next(by_the_bot(world), None)
        if step is None:
            found.quiet += 1
            for law, why in laws.broken_at_rest(world):
                if law not in skipped:
                    story = (*_story(on_the_way[0], parents), *told, "the bot is at rest")
                    found.violations.append(Violation(law, why, story))
            break
        if any(law not in skipped for law, _ in laws.broken_by(step)):
            return  # it is found on its own
        told.append(step.said)
        world = step.after
    at_rest.update(on_the_way)


def _story(world: World, parents: Parents) -> tuple[str, ...]:
    told: list[str] = []
    while (parent := parents.get(world)) is not None:
        world, said = parent
        told.append(said)
    return tuple(reversed(told))


def shown(violation: Violation) -> str:
    lines = (f"  {number:>3}  {said}" for number, said in enumerate(violation.story, 1))
    return "\n".join((f"BROKEN: {violation.law}: {violation.why}", *lines))


def summary(found: Found) -> str:
    end = "all states seen" if found.finished else "bounded"
    counted = f"{found.states:>8,} states {found.transitions:>9,} transitions, depth {found.depth:>3}, {found.quiet:>6,} at rest"
    return f"{found.name:<28} {counted}, {found.seconds:6.1f} s CPU, {end}"
