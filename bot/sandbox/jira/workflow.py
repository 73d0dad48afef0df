"""Statuses, transitions and their screens. Which issue may take which transition is decided here; site.py performs it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RESOLUTIONS = ("Done", "Won't Do", "Duplicate", "Cannot Reproduce")


class Category(StrEnum):
    """Jira's status categories, by their keys."""

    TO_DO = "new"
    IN_PROGRESS = "indeterminate"
    DONE = "done"


@dataclass(frozen=True)
class Status:
    id: str
    name: str
    category: Category


@dataclass(frozen=True)
class Transition:
    """`sources` are the statuses it starts from; `screen` names the fields that its screen requires."""

    id: str
    name: str
    to: Status
    sources: tuple[Status, ...]
    screen: tuple[str, ...] = ()
    sets_resolution: str | None = None


@dataclass(frozen=True)
class Workflow:
    """The first status is where new issues start."""

    statuses: tuple[Status, ...]
    transitions: tuple[Transition, ...]
    resolutions: tuple[str, ...] = RESOLUTIONS

    def resolution_ids(self) -> dict[str, str]:
        return {str(10_000 + at): name for at, name in enumerate(self.resolutions)}

    def transitions_from(self, status: Status) -> tuple[Transition, ...]:
        return tuple(transition for transition in self.transitions if status in transition.sources)

    def find_transition(self, status: Status, id_or_name: str) -> Transition | None:
        wanted = id_or_name.casefold()
        return next(
            (
                transition
                for transition in self.transitions_from(status)
                if wanted in (transition.id, transition.name.casefold())
            ),
            None,
        )


TO_DO = Status("10000", "To Do", Category.TO_DO)
IN_PROGRESS = Status("10001", "In Progress", Category.IN_PROGRESS)
DONE = Status("10002", "Done", Category.DONE)
WONT_DO = Status("10003", "Won't Do", Category.DONE)

DEFAULT_WORKFLOW = Workflow(
    statuses=(TO_DO, IN_PROGRESS, DONE, WONT_DO),
    transitions=(
        Transition("11", "Start review", IN_PROGRESS, sources=(TO_DO,)),
        Transition("21", "Approve", DONE, sources=(TO_DO, IN_PROGRESS), sets_resolution="Done"),
        Transition("31", "Decline", WONT_DO, sources=(TO_DO, IN_PROGRESS), screen=("resolution",)),
        Transition("41", "Reopen", TO_DO, sources=(DONE, WONT_DO)),
    ),
)

BACKLOG = Status("10010", "Backlog", Category.TO_DO)
SELECTED = Status("10011", "Selected for Development", Category.TO_DO)
IN_REVIEW = Status("10012", "In Review", Category.IN_PROGRESS)
REJECTED = Status("10013", "Rejected", Category.DONE)

# One step after another, and back, as in many company-managed projects: nothing leads from the first status to the last one.
STEPPED_WORKFLOW = Workflow(
    statuses=(BACKLOG, SELECTED, IN_REVIEW, DONE, REJECTED),
    transitions=(
        Transition("11", "Select", SELECTED, sources=(BACKLOG,)),
        Transition("12", "Back to backlog", BACKLOG, sources=(SELECTED,)),
        Transition("21", "Start review", IN_REVIEW, sources=(SELECTED,)),
        Transition("22", "Stop review", SELECTED, sources=(IN_REVIEW,)),
        Transition("31", "Finish", DONE, sources=(IN_REVIEW,)),
        Transition("41", "Reject", REJECTED, sources=(IN_REVIEW,)),
    ),
)
