"""Chooses a ticket's next transition, and the values that its screen requires. Pure; `moving` reads and takes transitions.

A transition is a step that the ticket can take from its current status, with the status that it leads to. Jira lists only those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.clients.jira.fields import ScreenField, choice, fields_on, same
from bot.domain.references import TicketMove
from bot.errors import NoWay, Permanent

RANKS = {"new": 0, "undefined": 0, "indeterminate": 1, "done": 2}  # Jira's categories of statuses, in any language


@dataclass(frozen=True)
class Transition:
    """`screen` has all fields of its screen; `category` is its target status's."""

    id: str
    name: str
    status: str
    screen: tuple[ScreenField, ...] = ()
    category: str = ""

    @property
    def required(self) -> tuple[ScreenField, ...]:
        return tuple(field for field in self.screen if field.required)

    def __str__(self) -> str:
        screen = f", asks for {', '.join(field.id for field in self.required)}" if self.required else ""
        return f'"{self.name}" (id {self.id}) to {self.status}{screen}'

    def answers(self, name: str) -> bool:
        return self.id == name.strip() or same(self.name, name) or same(self.status, name)


@dataclass(frozen=True)
class Here:
    """Where a ticket is. `past` are the statuses that this move has seen, `known` those of the ticket's workflow."""

    ticket: str
    status: str
    category: str = ""
    past: Collection[str] = ()
    known: Collection[str] = ()


@dataclass(frozen=True)
class Step:
    """`is_last`: it leads to where the ticket should go."""

    transition: Transition
    fields: Mapping[str, object]
    is_last: bool


def next_step(transitions: Sequence[Transition], to: TicketMove, here: Here, *, cloud: bool) -> Step:
    """The wanted transition, else the furthest one of `path`, else the only one that leads on. Raises Permanent, which lists them all."""
    wanted = called(transitions, to.to)
    for group, is_last in ((wanted, True), (_on_the_path(transitions, to, here), False)):
        for transition in group:
            fields = _filled_screen(transition, to, here.ticket, cloud=cloud)
            if fields is not None:
                return Step(transition, fields, is_last)
        if group:
            raise Permanent(_unfillable(transitions, group[0], here))
    onward = None if to.path else _only_one_onward(transitions, to, here)
    if onward is not None:
        fields = _filled_screen(onward, to, here.ticket, cloud=cloud)
        if fields is None:
            raise Permanent(_unfillable(transitions, onward, here))
        return Step(onward, fields, is_last=False)
    raise NoWay(_no_transition(transitions, to, here))


def called(transitions: Sequence[Transition], name: str) -> list[Transition]:
    """By id, else name, else target status."""
    return (
        [transition for transition in transitions if transition.id == name.strip()]
        or [transition for transition in transitions if same(transition.name, name)]
        or [transition for transition in transitions if same(transition.status, name)]
    )


def _on_the_path(transitions: Sequence[Transition], to: TicketMove, here: Here) -> list[Transition]:
    """From the end, because someone may have moved the ticket along already."""
    new = [transition for transition in transitions if not _is_past(transition, here)]
    return next((found for name in reversed(to.path) if (found := called(new, name))), [])


def _only_one_onward(transitions: Sequence[Transition], to: TicketMove, here: Here) -> Transition | None:
    """Never back, never into another end, and only towards a status that the workflow has: a name that is mistyped moves no ticket."""
    if not any(same(to.to, status) for status in here.known):
        return None
    rank = RANKS.get(here.category, 0)
    onward = [
        transition
        for transition in transitions
        if rank <= RANKS.get(transition.category, 0) < RANKS["done"]
        and not _is_past(transition, here)
        and not (to.avoid and transition.answers(to.avoid))
    ]
    forward = [transition for transition in onward if RANKS.get(transition.category, 0) > rank]
    for group in (onward, forward):
        if len({transition.status for transition in group}) == 1:
            return group[0]
    return None


def _is_past(transition: Transition, here: Here) -> bool:
    return any(same(transition.status, status) for status in (here.status, *here.past))


def _filled_screen(transition: Transition, to: TicketMove, ticket: str, *, cloud: bool) -> Mapping[str, object] | None:
    """What the policy says, and a resolution. None when something that the screen requires is not clear."""
    where = f'the screen of "{transition.name}" of {ticket}'
    filled = fields_on(transition.screen, to.fields, where, cloud=cloud)
    resolution = next((field for field in transition.screen if field.id == "resolution"), None)
    if resolution is not None and (value := _resolution(resolution, transition, to)):
        filled["resolution"] = value
    return filled if all(field.id in filled for field in transition.required) else None


def _resolution(field: ScreenField, transition: Transition, to: TicketMove) -> Mapping[str, str] | None:
    """The policy's, else one named like the status, `to` or the transition, or the only one. Jira shows its names in one's own language."""
    if to.resolution:
        names: Sequence[str] = (to.resolution,)
    elif field.required:
        names = (transition.status, to.to, transition.name)
    else:
        return None
    found = next((value for name in names if (value := choice(field, name))), None)
    if found is None and not to.resolution and len(field.allowed) == 1:
        found = field.allowed[0]
    if found is None:
        return None
    return {"id": found.id} if found.id else {"name": found.name}


def _unfillable(transitions: Sequence[Transition], meant: Transition, here: Here) -> str:
    fields = "; ".join(map(str, meant.required))
    return (
        f"{here.ticket} cannot take {meant}: its screen asks for what Countersign cannot know: {fields}. Say it in the rule's ticket "
        "section, as in `resolution: {approved: ID OR NAME}` or `fields: {NAME: VALUE}`, or take these fields off the screen. "
        f"From {here.status} there are: {_listed(transitions)}. Then replay the job."
    )


def _no_transition(transitions: Sequence[Transition], to: TicketMove, here: Here) -> str:
    if not transitions:
        return (
            f'{here.ticket} should go to "{to.to}", but from {here.status} there is no transition that the bot\'s account may take. '
            "Give it the permission Transition issues, or check the workflow. Then replay the job."
        )
    return (
        f'{here.ticket} should go to "{to.to}", but no transition from {here.status} has that id, name or target status. '
        f"There are: {_listed(transitions)}. Name one of these in the rule's ticket section; write the steps between, as in "
        "`path: [In Review]`; or move the ticket by hand. Then replay the job."
    )


def _listed(transitions: Sequence[Transition]) -> str:
    return "; ".join(map(str, transitions))
