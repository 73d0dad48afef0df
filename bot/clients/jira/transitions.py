"""Chooses one of a ticket's transitions, and the values that its screen requires. Pure; `tickets` reads and takes transitions.

A transition is a step that the ticket can take from its current status, with the status that it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.errors import Permanent


@dataclass(frozen=True)
class ScreenField:
    """A field that the transition's screen requires; `allowed` is empty when any text is valid."""

    id: str
    allowed: tuple[str, ...]


@dataclass(frozen=True)
class Transition:
    id: str
    name: str
    status: str
    required: tuple[ScreenField, ...]

    def __str__(self) -> str:
        screen = f", asks for {', '.join(field.id for field in self.required)}" if self.required else ""
        return f'"{self.name}" (id {self.id}) to {self.status}{screen}'


def same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def choose_transition(
    transitions: Sequence[Transition], to: str, ticket: str, status: str
) -> tuple[Transition, Mapping[str, str]]:
    """By id, else name, else target status, with the values for its screen. Raises Permanent, which lists the transitions."""
    meant = (
        [transition for transition in transitions if transition.id == to.strip()]
        or [transition for transition in transitions if same(transition.name, to)]
        or [transition for transition in transitions if same(transition.status, to)]
    )
    for transition in meant:
        filled = _filled_screen(transition, to)
        if filled is not None:
            return transition, filled
    raise Permanent(_no_transition(transitions, meant, to, ticket, status))


def _filled_screen(transition: Transition, to: str) -> Mapping[str, str] | None:
    """Chooses a resolution named like the status, `to` or the transition, or the only one. None when that is not clear."""
    filled: dict[str, str] = {}
    for field in transition.required:
        value = _resolution(field, (transition.status, to, transition.name)) if field.id == "resolution" else None
        if value is None:
            return None
        filled[field.id] = value
    return filled


def _resolution(field: ScreenField, names: Sequence[str]) -> str | None:
    if len(field.allowed) == 1:
        return field.allowed[0]
    return next((value for name in names for value in field.allowed if same(value, name)), None)


def _no_transition(
    transitions: Sequence[Transition], meant: Sequence[Transition], to: str, ticket: str, status: str
) -> str:
    listed = "; ".join(map(str, transitions))
    if meant:
        fields = "; ".join(f"{field.id} ({', '.join(field.allowed) or 'any text'})" for field in meant[0].required)
        return (
            f"{ticket} cannot take {meant[0]}: its screen asks for what Countersign cannot know: {fields}. Take these fields off "
            f"the screen, or name another transition in the rule's ticket section. From {status} there are: {listed}."
        )
    if not transitions:
        return (
            f'{ticket} should go to "{to}", but from {status} there is no transition that the bot\'s account may take. Give it the '
            "permission Transition issues, or check the workflow. Then replay the job."
        )
    return (
        f'{ticket} should go to "{to}", but no transition from {status} has that id, name or target status. There are: {listed}. '
        "Name one of these in the rule's ticket section, or move the ticket by hand. Then replay the job."
    )
