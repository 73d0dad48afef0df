"""Lanes are ordering keys: jobs in one lane run one at a time, in order. A job that is retried holds up its own lane only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from bot.domain.model import TransitionRequest


class Lane(StrEnum):
    """The kinds of lanes: looks at one registered model, moves of one request, its messages, its ticket, what the clock defers.

    Looks and moves of one model are in different lanes and still never overlap: see `bot.engine.turns`.
    """

    LOOKS = "looks"
    MOVES = "moves"
    TAGS = "tags"
    VERDICTS = "verdicts"
    SLACK = "slack"
    JIRA = "jira"
    EVIDENCE = "evidence"
    NOTES = "notes"
    PLOTS = "plots"
    DIGEST = "digest"
    WITNESSES = "witnesses"
    HOMES = "homes"
    CLOCK = "clock"


class Urgency(IntEnum):
    """Which of the jobs that are due runs first, and which message is posted first in a channel."""

    DECISION = 40  # what people decided is signed and carried out before anything else
    CARD = 30  # without its card no one can decide
    LOOK = 20  # what happens in the registry, and the evidence that a card needs
    NOTE = 10  # tickets, tags and messages about what is decided already
    LATER = 0  # plots, digests, witnesses


STEPS = 9  # by which a job can come later than others of its urgency, and still come before the next lower one


@dataclass(frozen=True)
class FollowUp:
    """An effect that an event leads to, and the lane it runs in. `takes_turns`: the people who asked take turns with it.

    `when`: whether the request, as the event's transaction leaves it, gives the effect anything to do. Where it does not, a later event
    has to lead there.
    """

    effect: str
    lane: Lane
    takes_turns: bool = False
    when: Callable[[TransitionRequest], bool] = lambda _request: True


ROUTINE = (Lane.CLOCK, Lane.LOOKS)
"""Most jobs of these lanes find nothing to do: sweeps, and looks at a registered model."""

OF_A_MODEL = (Lane.LOOKS, Lane.TAGS, Lane.VERDICTS)


def model_lane(lane: Lane, workspace: str, model: str) -> str:
    """One lane for all of a registered model's looks, of its tags, or of its verdicts."""
    return f"{lane}:{workspace}/{model}"


def move_lane(subject: str) -> str:
    """One lane for each request, or each intent to give a target back: no move waits for another that is stuck."""
    return f"{Lane.MOVES}:{subject}"


def lane_of(lane: Lane, request: TransitionRequest) -> str:
    of_model = model_lane(lane, request.version.workspace, request.target_model)
    return of_model if lane in OF_A_MODEL else f"{lane}:{request.id}"
