"""Lanes: what the job engine keeps in order. A job that is tried again holds up its own lane and no other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.model import TargetKind, TransitionRequest


class Lane(StrEnum):
    """What must be kept in order: the looks at one registered model, the moves of one request, its messages, its ticket.

    A job that is tried again holds up its own lane and no other. Looks and moves of one model never overlap all the same: `bot.turns`.
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


@dataclass(frozen=True)
class FollowUp:
    """An effect that an event leads to, and the lane it runs in."""

    effect: str
    lane: Lane


OF_A_MODEL = (Lane.LOOKS, Lane.TAGS, Lane.VERDICTS)


def model_lane(lane: Lane, workspace: str, model: str) -> str:
    """One lane for all of a registered model's looks, of its tags, or of its verdicts."""
    return f"{lane}:{workspace}/{model}"


def move_lane(subject: str) -> str:
    """One lane for each request, or each intent to give a target back: no move waits for another that cannot get on."""
    return f"{Lane.MOVES}:{subject}"


def lane_of(lane: Lane, request: TransitionRequest) -> str:
    of_model = model_lane(lane, request.version.workspace, target_model(request))
    return of_model if lane in OF_A_MODEL else f"{lane}:{request.id}"


def target_model(request: TransitionRequest) -> str:
    return request.target.name if request.target.kind is TargetKind.MODEL else request.version.model
