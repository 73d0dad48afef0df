"""Finds the freeze that holds a request back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import DecidedBy, Kind, TransitionRequest
from bot.domain.policy.rules import Policy


@dataclass(frozen=True)
class FreezeNow:
    name: str
    until: datetime


def freeze_on(request: TransitionRequest, policy: Policy, now: datetime) -> FreezeNow | None:
    """The rule's freeze that is in force and ends last. None for a rollback to an approved version and for
    break glass, which no freeze holds back."""
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    goes_back = request.kind is Kind.ROLLBACK and not request.people_decide
    passes = request.decided_by is DecidedBy.BREAK_GLASS
    if rule is None or goes_back or passes or request.kind is Kind.OBSERVED:
        return None
    ends = [(freeze.until(now), freeze.name) for freeze in policy.freezes_of(rule)]
    on = [FreezeNow(name, until) for until, name in ends if until is not None]
    return max(on, key=lambda freeze: freeze.until, default=None)
